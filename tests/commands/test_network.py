"""Who asks the Hub, and who never does: SECURITY.md's table, word for word, against a Hub that counts."""

import re
from pathlib import Path

import pytest

from mlxlock.cli.verbs import VERBS
from tests.commands.recording_python import RecordingPython
from tests.commands.site import ROOT, Site
from tests.commands.test_shelf import FILES, TINY
from tests.testhub import LoopbackHub, lfs

ASKING = {"lock", "add", "capture", "sync", "remove", "clone", "pull", "push", "run --online"}
QUIET = (
    ("init", "--project", "new"),
    ("status",),
    ("verify",),
    ("tree",),
    ("why", "org/tiny"),
    ("list", "--all", "--origin"),
    ("show", "chat", "--files"),
    ("health", "-v", "--content"),
    ("convert", "own", "made", "--repair-index"),
    ("rm", "./own", "--yes"),
    ("run", "chat", "hello"),
    ("exec", "--", "true"),
    ("env",),
    ("completion", "bash"),
    ("sync",),
    ("lock",),
)


@pytest.fixture
def site(loopback_hub: LoopbackHub, tmp_path: Path) -> Site:
    loopback_hub.repo(TINY).commit({**FILES, "model.safetensors": lfs(FILES["model.safetensors"])})
    site = Site(tmp_path / "here", loopback_hub.endpoint)
    site.env |= {"VIRTUAL_ENV": str(RecordingPython.make(tmp_path / "venv").home)}
    site.write(f'[models.chat]\nrepo = "{TINY}"\nfirst-run = false\n')
    site.mlxk("lock")
    site.mlxk("sync")
    site.mlxk("clone", TINY, "own")
    (site.root / "new").mkdir()
    return site


def test_what_is_not_in_the_table_of_security_asks_nobody(site: Site, loopback_hub: LoopbackHub) -> None:
    loopback_hub.forget_requests()
    for argv in QUIET:
        done = site.run(*argv)
        assert done.returncode == 0, (argv, done.stdout, done.stderr)
        assert loopback_hub.requests == (), argv


def test_the_table_of_security_has_every_other_verb() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]+) \|", text.partition("**The libraries**")[0], re.MULTILINE)
    assert {verb for row in rows for verb in re.findall(r"`([^`]+)`", row)} == ASKING
    never = {verb for verb, *_ in QUIET} - {"lock", "sync"}
    assert never | {verb.split()[0] for verb in ASKING} == set(VERBS)


def test_what_was_never_seen_is_fetched_by_the_next_lock(site: Site, loopback_hub: LoopbackHub) -> None:
    other = Site(site.root.parent / "other", loopback_hub.endpoint, store=site.root.parent / "empty")
    other.write((site.root / "models.toml").read_text())
    other.mlxk("lock", "--no-capture")
    loopback_hub.forget_requests()
    other.mlxk("lock")
    assert [request for request in loopback_hub.requests if "/resolve/" in request.path]
