"""SIGKILL in a capture or a proof: lock, store and workspace are as they were, and nobody lives on.

A store that lacked a file may have it afterwards, verified; nothing else there is new.

strace kills the main thread at calls spread over one whole `lock`; it does not follow children, whose sandbox
must end them by itself.
"""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from tests.commands.site import Site, contents
from tests.testhub import LoopbackHub

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(1200)]

CALLS = (
    *("rename", "link", "symlink", "unlink", "fsync", "write", "mkdir", "mkdirat", "ftruncate", "chmod"),
    *("renameat", "unlinkat", "wait4", "waitid", "poll", "sendmsg", "recvmsg", "clone3", "vfork"),
)
KILLS = 6
FETCH = "from huggingface_hub import hf_hub_download\nhf_hub_download('org/dep', 'a.json')\n"
PHASES = {"capture": "'HF_HUB_OFFLINE' not in os.environ", "proof": "'HF_HUB_OFFLINE' in os.environ"}


class Place(Site):
    """A synced project whose lock has no proof yet."""

    def begin(self) -> None:
        self.write(
            f'[sandbox]\npython = "{sys.executable}"\n'
            '[models.it]\nrepo = "org/it"\nfirst-run = [{ name = "app", command = ["python", "app.py"] }]\n'
        )
        (self.root / "app.py").write_text(FETCH)
        self.mlxk("lock", "--no-capture")
        self.mlxk("sync")
        self.before = self.lock_path.read_bytes()
        self.built = contents(self.models)
        self.mlxk("lock")
        self.after = self.lock_path.read_bytes()
        self.blobs = self.shelved()

    def shelved(self) -> dict[str, bytes]:
        """What the store gives away, by name; the files in which a blob arrives have none."""
        blobs = {path.name: path.read_bytes() for path in (self.store / "blobs").glob("*/*")}
        for name, data in blobs.items():
            assert blake3(data).hexdigest() == name
        return blobs

    def again(self) -> None:
        self.lock_path.write_bytes(self.before)

    def moments(self) -> list[tuple[str, int]]:
        """Each (call, n) of the main thread in an undisturbed run, in order."""
        self.again()
        log = self.root.parent / "strace.log"
        self.mlxk("lock", before=("strace", "-qq", "-e", f"trace={','.join(CALLS)}", "-o", str(log)))
        seen = Counter[str]()
        moments = list[tuple[str, int]]()
        for line in log.read_text().splitlines():
            call = line.partition("(")[0]
            if call in CALLS:
                seen[call] += 1
                moments.append((call, seen[call]))
        return moments

    def killed_by(self, call: str, when: int) -> bool:
        """Kill a `lock` there; earlier, if it waits less often this time and never comes so far."""
        while when:
            self.again()
            inject = f"inject={call}:signal=SIGKILL:when={when}"
            done = self.run("lock", before=("strace", "-qq", "-o", "/dev/null", "-e", inject))
            if done.returncode in {-9, 137}:
                return True
            when //= 2
        return False

    def check(self) -> None:
        """Nothing is half done, nobody is left, and the next `lock` completes it all."""
        assert self.lock_path.read_bytes() in {self.before, self.after}
        assert contents(self.models) == self.built
        assert self.shelved() == self.blobs
        self.mlxk("lock")
        assert self.lock_path.read_bytes() == self.after
        assert [path.name for path in (self.store / "scratch").iterdir() if path.is_dir()] == []
        assert not list(self.root.glob("*.tmp*"))
        assert [*(self.store / "tmp").iterdir(), *(self.store / "partial").iterdir()] == []

    def survivors(self) -> list[str]:
        """The command lines of processes that have to do with this store's scratch space."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            except OSError:
                continue
            if str(self.store / "scratch").encode() in told:
                found.append(told.replace(b"\0", b" ")[:200].decode("utf-8", "replace"))
        return found

    def wait_until_alone(self) -> None:
        end = time.monotonic() + 60
        while self.survivors() and time.monotonic() < end:
            time.sleep(0.05)
        assert self.survivors() == []


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with LoopbackHub() as hub:
        hub.repo("org/it").commit({"config.json": b"{}", "model.safetensors": b"w" * 1000})
        hub.repo("org/dep").commit({"a.json": b"[1]"})
        place = Place(tmp_path_factory.mktemp("kills") / "project", hub.endpoint)
        place.begin()
        yield place


@pytest.mark.parametrize("phase", PHASES)
def test_a_lock_killed_while_a_model_runs_leaves_nothing_and_nobody(place: Place, phase: str) -> None:
    place.again()
    app = place.root / "app.py"
    app.write_text(
        f"import os, time\n{FETCH}if {PHASES[phase]}:\n    print('here', flush=True); time.sleep(900)\n"
    )
    lock = subprocess.Popen(
        place.command("lock"),
        cwd=place.root,
        env=place.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    word = {"capture": b"Running", "proof": b"Proving"}[phase]
    assert lock.stderr is not None
    while word not in lock.stderr.readline():
        assert lock.poll() is None
    while not place.survivors():
        time.sleep(0.02)
    time.sleep(0.5)
    lock.send_signal(signal.SIGKILL)
    lock.wait()
    lock.stderr.close()
    place.wait_until_alone()
    app.write_text(FETCH)
    place.check()


def test_a_lock_killed_anywhere_is_completed_by_the_next(place: Place) -> None:
    moments = place.moments()
    assert len(moments) > KILLS
    killed = 0
    for number in range(KILLS):
        call, when = moments[number * len(moments) // KILLS]
        killed += place.killed_by(call, when)
        place.wait_until_alone()
        place.check()
    assert killed >= KILLS - 1
