"""Guards `mlxlock.fs`: whole writes, one lock holder, hashes in constant memory, refusals with a cure."""

import errno
import hashlib
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from mlxlock.errors import BusyError, DiskError, MismatchError
from mlxlock.fs import (
    CHUNK_BYTES,
    Hasher,
    clone,
    copy_hashed,
    disk_errors,
    free_bytes,
    hardlink,
    hash_file,
    locked,
    open_regular,
    same_filesystem,
    scratch_directory,
    write_atomic,
)
from mlxlock.spec.digest import Blake3


def git_oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def b3(data: bytes) -> Blake3:
    return Blake3(blake3(data).hexdigest())


# --- write_atomic


def test_a_write_replaces_the_whole_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "models.lock"
    assert write_atomic(target, b"one")
    assert write_atomic(target, b"two")
    assert target.read_bytes() == b"two"
    assert names(tmp_path) == ["models.lock"]


def test_equal_bytes_are_not_written_again(tmp_path: Path) -> None:
    target = tmp_path / "models.lock"
    write_atomic(target, b"same")
    before = target.stat()
    assert not write_atomic(target, b"same")
    assert (target.stat().st_ino, target.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_same_size_other_bytes_are_written(tmp_path: Path) -> None:
    target = tmp_path / "models.lock"
    write_atomic(target, b"same")
    assert write_atomic(target, b"emas")
    assert target.read_bytes() == b"emas"


def test_the_mode_is_as_asked_less_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomic(tmp_path / "a", b"x", mode=0o666)
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_symlink_is_replaced_and_its_target_kept(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"real")
    (tmp_path / "link").symlink_to("real")
    assert write_atomic(tmp_path / "link", b"real")
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"real"


@contextmanager
def file_size_limit(size_bytes: int) -> Iterator[None]:
    """A disk that is full for everyone: no file may grow beyond `size_bytes`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_refused_write_keeps_the_old_bytes(tmp_path: Path) -> None:
    target = tmp_path / "models.lock"
    write_atomic(target, b"old")
    with file_size_limit(1000), pytest.raises(DiskError) as caught:
        write_atomic(target, bytes(5000))
    assert f"`{target}`" in caught.value.reason
    assert caught.value.hint
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["models.lock"]


WRITES = """
import sys
from pathlib import Path
from mlxlock.fs import write_atomic
for number in range(50):
    write_atomic(Path(sys.argv[1]), (sys.argv[2] * 1000 + str(number)).encode())
"""
KILLED = """
import os, sys
from pathlib import Path
from mlxlock.fs import write_atomic
os.replace = lambda *_, **__: os.kill(os.getpid(), 9)
write_atomic(Path(sys.argv[1]), b"x" * 5000)
"""


def test_what_a_killed_writer_left_is_cleared_away_by_the_next(tmp_path: Path) -> None:
    target = tmp_path / "models.lock"
    write_atomic(target, b"old")
    done = subprocess.run([sys.executable, "-c", KILLED, str(target)], check=False, timeout=60)
    assert done.returncode == -9
    assert len(names(tmp_path)) == 2
    assert target.read_bytes() == b"old"
    write_atomic(target, b"new")
    assert names(tmp_path) == ["models.lock"]
    assert target.read_bytes() == b"new"


def test_writers_of_one_file_take_turns(tmp_path: Path) -> None:
    target = tmp_path / "models.lock"
    writers = [subprocess.Popen([sys.executable, "-c", WRITES, str(target), who]) for who in "abc"]
    assert [writer.wait(timeout=240) for writer in writers] == [0, 0, 0]
    assert names(tmp_path) == ["models.lock"]
    assert target.read_bytes()[1000:] == b"49"


def test_a_missing_directory_is_a_disk_error(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="does not exist"):
        write_atomic(tmp_path / "gone" / "models.lock", b"x")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO, 1234])
def test_every_refusal_names_the_path_the_cause_and_a_cure(number: int) -> None:
    with pytest.raises(DiskError, match=r"cannot write `x/y`: [a-z]") as caught, disk_errors("x/y"):
        raise OSError(number, os.strerror(number))
    assert caught.value.hint
    assert isinstance(caught.value.__cause__, OSError)


# --- hashing


@given(data=st.binary(max_size=4096), cuts=st.lists(st.integers(min_value=0, max_value=4096), max_size=8))
def test_any_split_of_the_bytes_gives_the_same_digests(data: bytes, cuts: list[int]) -> None:
    hasher = Hasher(len(data))
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in pairwise(edges):
        hasher.update(memoryview(data)[start:end])
    digests = hasher.digests()
    assert digests.size_bytes == len(data)
    assert digests.blake3 == b3(data)
    assert digests.sha256 == hashlib.sha256(data).hexdigest()
    assert digests.git == git_oid(data)


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 7])
def test_a_file_is_hashed_whole_by_path_and_by_descriptor(tmp_path: Path, size: int) -> None:
    data = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    (tmp_path / "f").write_bytes(data)
    by_path = hash_file(tmp_path / "f")
    with open_regular(tmp_path / "f") as fd:
        os.lseek(fd, 0, os.SEEK_END)
        assert hash_file(fd) == by_path
    assert by_path.blake3 == b3(data)
    assert by_path.git == git_oid(data)
    assert hash_file(tmp_path / "f", ("sha256",)).blake3 is None


def test_only_regular_files_are_hashed_and_no_symlink_is_followed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "real").write_bytes(b"x")
    (tmp_path / "link").symlink_to("real")
    for name in ("pipe", "link", "missing", "."):
        with pytest.raises(DiskError):
            hash_file(tmp_path / name)


HASH_BIG = """
import sys
from pathlib import Path
from mlxlock.fs import hash_file
from tests.memory import peak_memory
with peak_memory() as grown:
    digests = hash_file(Path(sys.argv[1]))
assert digests.size_bytes == 300_000_000
print(grown.size_bytes)
"""


def test_hashing_a_big_file_needs_little_memory(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as stream:
        stream.truncate(300_000_000)
    done = subprocess.run(
        [sys.executable, "-c", HASH_BIG, str(tmp_path / "big")], capture_output=True, text=True, check=True
    )
    assert 0 <= int(done.stdout) < 8 << 20


# --- clone, link, copy


def test_a_clone_is_a_private_copy_or_an_honest_no(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"bytes" * 1000)
    if clone(tmp_path / "a", tmp_path / "b"):
        (tmp_path / "b").write_bytes(b"other")
        assert (tmp_path / "a").read_bytes() == b"bytes" * 1000
    else:
        assert not (tmp_path / "b").exists()


def test_a_clone_never_replaces_a_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())
    with pytest.raises(DiskError):
        clone(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"b"


def test_a_missing_source_is_an_error_and_not_a_no(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="does not exist"):
        clone(tmp_path / "missing", tmp_path / "b")
    with pytest.raises(DiskError, match="does not exist"):
        hardlink(tmp_path / "missing", tmp_path / "b")


def test_a_hard_link_shares_the_inode_and_is_refused_across_disks(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    assert hardlink(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a").samefile(tmp_path / "b")
    shared = Path("/dev/shm")  # noqa: S108 - a second filesystem where there is one
    if shared.is_dir() and not same_filesystem(shared, tmp_path):
        assert not hardlink(tmp_path / "a", shared / f"mlxk-{os.getpid()}")


def test_a_link_to_a_symlink_is_a_link_and_not_its_target(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"real")
    (tmp_path / "link").symlink_to("real")
    assert hardlink(tmp_path / "link", tmp_path / "second")
    assert (tmp_path / "second").is_symlink()


def test_a_copy_is_compared_while_it_is_made(tmp_path: Path) -> None:
    data = bytes(range(256)) * 9000
    (tmp_path / "a").write_bytes(data)
    copy_hashed(tmp_path / "a", tmp_path / "b", b3(data), mode=0o600)
    assert (tmp_path / "b").read_bytes() == data
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600
    with pytest.raises(MismatchError) as caught:
        copy_hashed(tmp_path / "a", tmp_path / "c", b3(b"else"))
    assert f"expected: blake3:{b3(b'else')}" in caught.value.details
    assert not (tmp_path / "c").exists()


def test_free_space_is_told_for_a_directory_that_does_not_exist_yet(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "not" / "yet") > 0


# --- locked

HOLD = """
import sys, time
from pathlib import Path
from mlxlock.fs import locked
with locked(Path(sys.argv[1]), timeout_s=5):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def holder(path: Path) -> Iterator["subprocess.Popen[str]"]:
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == "held\n"
        try:
            yield child
        finally:
            child.kill()
            child.wait()


def test_a_lock_held_elsewhere_is_busy_and_says_by_whom(tmp_path: Path) -> None:
    waits: list[str] = []
    with (
        holder(tmp_path / "lock") as child,
        pytest.raises(BusyError) as caught,
        locked(tmp_path / "lock", timeout_s=0.05, on_wait=lambda: waits.append("wait")),
    ):
        pytest.fail("two holders")
    assert str(child.pid) in str(caught.value.hint)
    assert waits == ["wait"]


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    with holder(tmp_path / "lock") as child:
        child.send_signal(signal.SIGKILL)
        child.wait()
        with locked(tmp_path / "lock", timeout_s=5):
            pass


def test_threads_exclude_each_other_even_when_the_holder_removes_the_file(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(20):
            with locked(tmp_path / "lock", timeout_s=30):
                inside.append(1)
                most.append(len(inside))
                inside.pop()
                (tmp_path / "lock").unlink()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 80
    assert max(most) == 1


DIES_IN_SCRATCH = """
import os, sys
from pathlib import Path
from mlxlock.fs import scratch_directory
with scratch_directory(Path(sys.argv[1])) as place:
    (place / "deep").mkdir()
    (place / "deep/file").write_text("x")
    os.kill(os.getpid(), 9)
"""


def test_scratch_goes_with_its_holder_or_with_the_next_one(tmp_path: Path) -> None:
    parent = tmp_path / "scratch"
    done = subprocess.run([sys.executable, "-c", DIES_IN_SCRATCH, str(parent)], check=False, timeout=60)
    assert done.returncode == -9
    assert len(names(parent)) == 2
    with scratch_directory(parent) as one, scratch_directory(parent) as two:
        assert {path.name for path in parent.iterdir()} == {".lock", one.name, two.name}
    assert names(parent) == [".lock"]
