"""Ctrl-C in the middle of a download: exit code 130, all as it was, and the next run goes on."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from mlxlock.hub.transport import CHUNK_BYTES
from tests.commands.site import Site, contents
from tests.testhub import Hang, LoopbackHub, lfs

WEIGHTS = b"weights " * 200_000
MANIFEST = '[models.one]\nrepo = "org/one"\nfirst-run = false\n'
SILENT = Hang(at=CHUNK_BYTES + 99_999)
"""Not a slow Hub: its file would be whole before we come to send the signal, on a machine with other work."""
PATIENCE_S = 120


@pytest.fixture
def site(loopback_hub: LoopbackHub, tmp_path: Path) -> Site:
    loopback_hub.repo("org/one").commit({"config.json": b"{}", "model.safetensors": lfs(WEIGHTS)})
    site = Site(tmp_path / "project", loopback_hub.endpoint)
    site.write(MANIFEST)
    return site


def arrived(site: Site) -> int:
    """How many bytes the store keeps of what it has not got whole."""
    size_bytes = 0
    for path in (site.store / "partial").glob("*"):
        with suppress(FileNotFoundError):  # it became a blob since it was listed
            size_bytes += path.stat().st_size
    return size_bytes


def interrupted(
    site: Site, *argv: str, meanwhile: Callable[[], object] = lambda: None
) -> tuple[int, str, str]:
    """Send SIGINT once a part of the weights has arrived."""
    with subprocess.Popen(
        site.command(*argv),
        cwd=site.root,
        env=site.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + PATIENCE_S
        while arrived(site) < CHUNK_BYTES:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        meanwhile()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
    return process.returncode, stdout, stderr


@pytest.mark.parametrize("argv", [("lock",), ("sync",), ("add", "org/two")], ids=lambda argv: argv[0])
def test_an_interrupted_download_changes_nothing_and_goes_on(
    loopback_hub: LoopbackHub, site: Site, argv: tuple[str, ...]
) -> None:
    if argv[0] != "lock":
        site.mlxk("lock", "--no-capture")
    if argv[0] == "add":
        loopback_hub.repo("org/two").commit({"a.json": b"{}", "model.safetensors": lfs(WEIGHTS)})
        argv = (*argv, "--no-capture")
    before = contents(site.root)
    loopback_hub.fault("model.safetensors", SILENT, server="cdn", times=None)
    code, stdout, stderr = interrupted(site, *argv)
    assert (code, stdout) == (130, "")
    assert "interrupted" in stderr
    assert "Traceback" not in stderr
    assert contents(site.root) == before
    kept = arrived(site)
    assert 0 < kept < len(WEIGHTS)
    loopback_hub.clear_faults()
    loopback_hub.forget_requests()
    site.mlxk(*argv)
    ranges = [request.range for request in loopback_hub.requests if request.server == "cdn"]
    assert ranges == [f"bytes={kept}-"]
    assert arrived(site) == 0
    site.mlxk("sync")
    assert (site.models / "one/model.safetensors").read_bytes() == WEIGHTS


def test_what_was_written_into_the_manifest_while_a_model_came_stays(
    loopback_hub: LoopbackHub, site: Site
) -> None:
    site.mlxk("lock", "--no-capture")
    lock = site.lock_path.read_bytes()
    loopback_hub.repo("org/two").commit({"model.safetensors": lfs(WEIGHTS)})
    loopback_hub.fault("model.safetensors", SILENT, server="cdn", times=None)
    mine = f"# mine\n{MANIFEST}"
    code, _, stderr = interrupted(site, "add", "org/two", "--no-capture", meanwhile=lambda: site.write(mine))
    assert (code, "edited meanwhile" in stderr) == (130, True)
    assert (site.root / "models.toml").read_text() == mine
    assert site.lock_path.read_bytes() == lock


def test_an_interrupt_is_json_where_json_was_asked_for(loopback_hub: LoopbackHub, site: Site) -> None:
    loopback_hub.fault("model.safetensors", SILENT, server="cdn", times=None)
    code, stdout, _ = interrupted(site, "lock", "--json")
    assert (code, json.loads(stdout)["error"]["code"]) == (130, "interrupted")


def running(mark: str) -> bool:
    """Whether a process with this argument is alive."""
    listed = subprocess.run(("ps", "-eo", "args"), capture_output=True, text=True, check=True).stdout
    return any(mark in line.split() for line in listed.splitlines())


@pytest.mark.sandbox
def test_an_interrupted_first_run_ends_with_all_that_it_started(site: Site) -> None:
    mark = f"{600 + time.monotonic() % 1:.9f}"
    run = f'[{{ name = "long", command = ["sleep", "{mark}"], compare = "none" }}]'
    site.write(f'[sandbox]\npython = "{sys.executable}"\n{MANIFEST.replace("false", run)}')
    before = contents(site.root)
    with subprocess.Popen(
        site.command("lock"), cwd=site.root, env=site.env, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + PATIENCE_S
        while not running(mark):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, stderr
    assert "interrupted" in stderr
    assert not running(mark)
    assert contents(site.root) == before
    assert list((site.store / "scratch").iterdir()) == [site.store / "scratch" / ".lock"]
