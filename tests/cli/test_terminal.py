"""The whole program on a real terminal: bars where a person looks, answers where a script reads."""

import fcntl
import os
import pty
import shutil
import struct
import subprocess
import termios
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.commands.site import Site
from tests.testhub import LoopbackHub, Slow, lfs

MANIFEST = '[models.one]\nrepo = "org/one"\n'
VERBS = {
    ("sync",): "nothing to do",
    ("tree",): "org/one",
    ("lock", "--check", "--no-capture"): "up to date",
    ("show", "one"): "Model:",
    ("env",): "export HF_HOME=",
}


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A project with a lock, and a Hub that is slow with weights."""
    with LoopbackHub() as hub:
        hub.repo("org/one").commit({"config.json": b"{}", "w.safetensors": lfs(b"w" * 3_000_000)})
        hub.fault("w.safetensors", Slow(delay_s=0.4), server="cdn", times=None)
        site = Site(tmp_path_factory.mktemp("locked") / "project", hub.endpoint)
        site.write(MANIFEST)
        site.mlxk("lock", "--no-capture")
        yield site


@pytest.fixture
def site(locked: Site, tmp_path: Path) -> Site:
    """The same, never synced, with a store of its own."""
    site = Site(tmp_path / "project", locked.env["HF_ENDPOINT"])
    shutil.copytree(locked.root, site.root, dirs_exist_ok=True)
    return site


def on_terminal(site: Site, *argv: str, **more: str) -> tuple[str, str]:
    """What a call says on stdout, a pipe, and on stderr, a terminal."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    done = subprocess.run(
        site.command(*argv),
        cwd=site.root,
        env={**site.env, "TERM": "xterm", **more},
        stdout=subprocess.PIPE,
        stderr=slave,
        text=True,
        timeout=240,
        check=True,
    )
    os.close(slave)
    said = b""
    with suppress(OSError):  # the other end is closed: all was read
        while chunk := os.read(master, 65536):
            said += chunk
    os.close(master)
    return done.stdout, said.decode()


def test_a_download_draws_a_bar_for_the_person_only(site: Site) -> None:
    out, err = on_terminal(site, "sync")
    assert out.startswith("wrote ")
    assert "1 of 2 files" in err
    assert "| 2.86M/2.86M" in err or "/2.86M" in err
    assert err.endswith("\r"), "and takes it away"


@pytest.mark.parametrize(
    ("flags", "more"),
    [
        (("--no-progress",), {}),
        ((), {"MLXK_NO_PROGRESS": "1"}),
        ((), {"TERM": "dumb"}),
        (("-q",), {}),
        (("--json",), {}),
    ],
)
def test_no_bar_where_none_is_wanted(site: Site, flags: tuple[str, ...], more: dict[str, str]) -> None:
    _, err = on_terminal(site, "sync", *flags, **more)
    assert err == ""


def test_no_bar_into_a_pipe(site: Site) -> None:
    assert site.run("sync").stderr == ""


def test_every_verb_finds_the_project_it_is_told(site: Site, tmp_path: Path) -> None:
    site.mlxk("sync")
    elsewhere = Site(tmp_path / "elsewhere", "http://127.0.0.1:9", store=site.store)
    below = site.root / "models" / "one"
    for argv, told in VERBS.items():
        assert told in elsewhere.mlxk(*argv, "--project", str(site.root))
    assert told_from(below, elsewhere).startswith("everything is as the lock says; 1 model not proven")


def told_from(directory: Path, site: Site) -> str:
    """What `status` says in a directory of a project."""
    command = site.command("status")
    done = subprocess.run(
        command, cwd=directory, env=site.env, capture_output=True, text=True, timeout=240, check=True
    )
    return done.stdout.splitlines()[-1]


def test_quiet_is_quiet_and_twice_is_silent(site: Site) -> None:
    once = site.run("lock", "--no-capture", "--upgrade", "-q")
    assert (once.stdout, once.stderr) == ("models.lock is up to date\n", "")
    twice = site.run("sync", "-qq")
    assert (twice.returncode, twice.stdout, twice.stderr) == (0, "", "")
    shutil.rmtree(site.root / "models")
    failed = site.run("status", "-qq")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.startswith("error: the workspace is not what the lock says")
