"""A process that dies in the middle loses nothing that had arrived."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlxlock.hub.transport import CHUNK_BYTES
from mlxlock.store import DirectoryStore
from tests.hub.support import Heard, downloads, remotes, source_for, wanted
from tests.testhub import Hang, LoopbackHub, Pattern, Slow

PATIENCE_S = 60
REPO = Path(__file__).resolve().parents[2]
SIZES = {"a.safetensors": 6 * CHUNK_BYTES + 5, "b.safetensors": 5 * CHUNK_BYTES, "c.json": 4 * CHUNK_BYTES}


@pytest.fixture
def slow_hub(loopback_hub: LoopbackHub) -> LoopbackHub:
    """Three files, each of which stops after three pieces."""
    files = {path: Pattern(size=size, seed=size) for path, size in SIZES.items()}
    loopback_hub.repo("org/m").commit(files)
    loopback_hub.fault("/repos/|/resolve-cache/", Hang(at=3 * CHUNK_BYTES + 99), times=3)
    return loopback_hub


@contextmanager
def child(hub: LoopbackHub, store: DirectoryStore, *farewell_s: str) -> Iterator[subprocess.Popen[str]]:
    """A process that fetches `org/m`."""
    command = [
        sys.executable,
        "-m",
        "tests.hub.fetching",
        hub.endpoint,
        "org/m",
        str(store.root),
        *farewell_s,
    ]
    with subprocess.Popen(
        command, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_partials(store: DirectoryStore) -> dict[str, int]:
    """Wait until every file has all the pieces that will come; return the size of each partial file."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        partials = [path for path in store.root.glob("partial/*") if path.suffix != ".lock"]
        sizes = {path.name: path.stat().st_size for path in partials}
        if len(sizes) == len(SIZES) and min(sizes.values()) >= 3 * CHUNK_BYTES:
            return sizes
        time.sleep(0.02)
    raise AssertionError(f"nothing arrived: {sorted(store.root.rglob('*'))}")


def starts(hub: LoopbackHub) -> list[int]:
    """Where each answered download began."""
    found = [re.fullmatch(r"bytes=(\d+)-", request.range or "bytes=0-") for request in downloads(hub)]
    return sorted(int(match[1]) for match in found if match)


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_what_arrived_before_the_end_is_not_fetched_again(
    slow_hub: LoopbackHub, store: DirectoryStore, ending: signal.Signals
) -> None:
    with child(slow_hub, store, str(9 * PATIENCE_S)) as process:
        sizes = wait_for_partials(store)
        process.send_signal(ending)
        process.wait(timeout=PATIENCE_S)  # an interrupted process does not wait for a silent server
    assert process.returncode == -ending
    slow_hub.forget_requests()
    source, heard = source_for(slow_hub), Heard()
    files = remotes(source.resolve(wanted("org/m")))
    source.fetch(files, store, heard)
    assert all(store.find(remote.file) for remote in files)
    assert starts(slow_hub) == sorted(sizes.values())
    assert heard.bytes_advanced == sum(SIZES.values())


def test_an_interrupt_is_passed_on_and_stops_the_workers(
    slow_hub: LoopbackHub, store: DirectoryStore
) -> None:
    with child(slow_hub, store) as process:
        wait_for_partials(store)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE_S)
    assert "KeyboardInterrupt" in said
    assert "Exception in thread" not in said


def test_an_interrupt_does_not_wait_for_an_answer_that_never_begins(
    loopback_hub: LoopbackHub, store: DirectoryStore
) -> None:
    loopback_hub.repo("org/m").commit({"config.json": b"{}"})
    loopback_hub.fault("/resolve/", Hang(), times=None)
    with child(loopback_hub, store) as process:
        deadline = time.monotonic() + PATIENCE_S
        while not any("/resolve/" in request.path for request in loopback_hub.requests):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE_S // 2) == -signal.SIGINT  # the answer has twice the time


def test_two_processes_fetch_a_file_once(loopback_hub: LoopbackHub, store: DirectoryStore) -> None:
    loopback_hub.repo("org/m").commit({"w.safetensors": Pattern(size=2 * CHUNK_BYTES)})
    loopback_hub.fault("/repos/", Slow(bytes_per_s=4 * CHUNK_BYTES), times=None)
    with child(loopback_hub, store) as one, child(loopback_hub, store) as two:
        assert (one.wait(timeout=PATIENCE_S), two.wait(timeout=PATIENCE_S)) == (0, 0)
    assert len(downloads(loopback_hub)) == 1
