"""A store outlives what happens to its processes: kills at any moment, full disks, two at once, big files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlxlock.errors import BusyError, WorkError
from mlxlock.store import DirectoryStore
from tests.store_files import DATA, git_file, lfs_file

# One interpreter forks a child for each moment: the child is killed before its n-th act upon the filesystem,
# then the parent runs the deposit to its end and looks at what came out.
KILL_AT_EVERY_ACT = """
import os, signal, sys
from pathlib import Path
from mlxlock.store import DirectoryStore
from tests.store_files import DATA, git_file

ACTS = {"open", "os.rename", "os.remove", "os.chmod", "os.mkdir", "os.truncate"}
base, file = Path(sys.argv[1]), git_file(DATA)

def deposit(store):
    with store.deposit(file) as deposit:
        while deposit.offset < len(DATA):
            deposit.write(DATA[deposit.offset : deposit.offset + 7000])
        return deposit.commit()

def die_before(act):
    seen = 0
    def count(event, arguments):
        nonlocal seen
        seen += event in ACTS
        if seen == act and event in ACTS:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(count)

def killed(root, act):
    pid = os.fork()
    if pid == 0:
        die_before(act)
        deposit(DirectoryStore(root))
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    assert status in {0, signal.SIGKILL}, (act, status)
    return status == signal.SIGKILL

act = 1
while killed(base / str(act), act):
    root = base / str(act)
    found = DirectoryStore(root).find(file)
    assert found is None or found.path.read_bytes() == DATA, act
    assert deposit(DirectoryStore(root)).path.read_bytes() == DATA, act
    found = DirectoryStore(root).find(file)
    assert found is not None, act
    assert [path.name for path in root.glob("blobs/*/*")] == [found.blake3], act
    assert not list(root.glob("partial/*")), act
    act += 1
print(act - 1)
"""


def test_a_kill_at_any_moment_is_repaired_by_the_next_run(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILL_AT_EVERY_ACT, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 15


HOLD = """
import sys
from pathlib import Path
from mlxlock.store import DirectoryStore
from tests.store_files import DATA, lfs_file

with DirectoryStore(Path(sys.argv[1])).deposit(lfs_file(DATA)) as deposit:
    print(deposit.offset, flush=True)
    sys.stdin.readline()
    deposit.write(DATA[deposit.offset :])
    deposit.commit()
"""


def depositor(root: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_a_second_process_waits_and_then_finds_the_blob(tmp_path: Path) -> None:
    with depositor(tmp_path) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "0\n"
        with pytest.raises(BusyError), DirectoryStore(tmp_path, wait_s=0).deposit(lfs_file(DATA)):
            pytest.fail("two writers")
        with depositor(tmp_path) as second:
            first.communicate("go\n", timeout=60)
            assert second.communicate("go\n", timeout=60)[0] == f"{len(DATA)}\n"
    assert (first.returncode, second.returncode) == (0, 0)


# --- full disks

FILL = """
import os, resource, subprocess, sys
from pathlib import Path
from mlxlock.errors import DiskError
from mlxlock.store import DirectoryStore
from tests.store_files import git_file

directory, disk = Path(sys.argv[1]), sys.argv[2]
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
if disk == "tmpfs":
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", directory], check=True)
else:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
data = os.urandom(3 << 20)
store = DirectoryStore(directory / "store")
try:
    with store.deposit(git_file(data)) as deposit:
        for start in range(0, len(data), 100_000):
            deposit.write(data[start : start + 100_000])
except DiskError as error:
    assert str(store.root) in error.reason and error.hint, error
else:
    sys.exit("the disk took it all")
assert store.find(git_file(data)) is None
if disk == "tmpfs":
    subprocess.run(["mount", "-o", "remount,size=16m", directory], check=True)
else:
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
with store.deposit(git_file(data)) as deposit:
    assert deposit.offset >= 900_000, deposit.offset
    deposit.write(data[deposit.offset :])
    assert deposit.commit().path.read_bytes() == data
"""


def own_mounts() -> list[str]:
    """The command that gives a child mounts of its own, where we may have that."""
    command = ["unshare", "--mount"]
    if sys.platform != "linux" or os.geteuid() != 0:
        return []
    may = subprocess.run([*command, "mount", "-t", "tmpfs", "none", "/mnt"], check=False, capture_output=True)
    return command if may.returncode == 0 else []


@pytest.mark.parametrize("disk", ["file-size-limit", *(["tmpfs"] if own_mounts() else [])])
def test_a_full_disk_is_one_error_and_its_bytes_are_resumed(tmp_path: Path, disk: str) -> None:
    wrapper = own_mounts() if disk == "tmpfs" else []
    command = [*wrapper, sys.executable, "-c", FILL, str(tmp_path), disk]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr


def test_a_write_goes_on_after_a_refusal_in_the_same_deposit(tmp_path: Path) -> None:
    script = FILL.partition("try:")[0] + (
        "with store.deposit(git_file(data)) as deposit:\n"
        "    deposit.write(data[:1000])\n"
        "    try:\n"
        "        deposit.write(data[1000:])\n"
        "    except DiskError:\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))\n"
        "    assert deposit.offset == 1000\n"
        "    deposit.write(data[1000:])\n"
        "    assert deposit.commit().path.read_bytes() == data\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path), "file-size-limit"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr


# --- memory

BIG = """
import sys
from pathlib import Path
from mlxlock.fs import hash_file
from mlxlock.spec.names import RepoPath
from mlxlock.spec.resolution import FileEntry
from mlxlock.store import DirectoryStore
from tests.memory import peak_memory

SIZE = 300_000_000
source = Path(sys.argv[1], "source")
with source.open("wb") as stream:
    stream.truncate(SIZE)
with peak_memory() as grown:
    file = FileEntry(path=RepoPath("model.safetensors"), size_bytes=SIZE, sha256=hash_file(source).sha256)
    store = DirectoryStore(Path(sys.argv[1], "store"))
    with store.deposit(file) as deposit:
        deposit.write(bytes(1000))
    (partial,) = store.root.glob("partial/*")
    with partial.open("r+b") as stream:
        stream.truncate(SIZE - 1000)
    with store.deposit(file) as deposit:
        assert deposit.offset == SIZE - 1000
        deposit.write(bytes(1000))
        blob = deposit.commit()
    blob.path.touch()
    assert store.find(file) == blob
print(grown.size_bytes)
"""


def test_big_files_need_little_memory(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BIG, str(tmp_path)], capture_output=True, text=True, check=True, timeout=240
    )
    assert 0 <= int(done.stdout) < 16 << 20


def test_a_partial_file_that_is_complete_and_wrong_costs_nobody_an_error(tmp_path: Path) -> None:
    store, file = DirectoryStore(tmp_path), git_file(DATA)
    with store.deposit(file) as deposit:
        deposit.write(DATA)
    (partial,) = tmp_path.glob("partial/*")
    partial.write_bytes(bytes(len(DATA)))
    with store.deposit(file) as deposit:
        assert deposit.offset == 0
        deposit.write(DATA)
        deposit.commit()


def test_a_partial_file_that_is_too_long_is_begun_again(tmp_path: Path) -> None:
    store, file = DirectoryStore(tmp_path), git_file(DATA)
    with store.deposit(file) as deposit:
        deposit.write(DATA[:10])
    (partial,) = tmp_path.glob("partial/*")
    partial.write_bytes(bytes(len(DATA) + 1))
    with store.deposit(file) as deposit:
        assert deposit.offset == 0
        deposit.write(DATA)
        deposit.commit()


@pytest.mark.parametrize("kind", ["link", "symlink"])
def test_a_partial_file_that_is_not_ours_is_refused_and_left_as_it_is(tmp_path: Path, kind: str) -> None:
    store, file, theirs = DirectoryStore(tmp_path / "store"), git_file(DATA), tmp_path / "theirs"
    with store.deposit(file) as deposit:
        deposit.write(DATA[:10])
    (partial,) = store.root.glob("partial/*")
    theirs.write_bytes(b"theirs")
    partial.unlink()
    if kind == "symlink":
        partial.symlink_to(theirs)
    else:
        os.link(theirs, partial)
    with pytest.raises(WorkError, match=file.etag), store.deposit(file):
        pytest.fail("it was taken for ours")
    assert theirs.read_bytes() == b"theirs"
