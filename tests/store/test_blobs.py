"""The store: nothing gets a name before its bytes were compared, and nothing keeps it after they changed."""

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from itertools import pairwise
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from mlxlock.errors import DiskError, MismatchError
from mlxlock.spec.digest import GitOid, Sha256, git_blob_header
from mlxlock.spec.names import CommitHash, RepoId, RepoPath
from mlxlock.spec.resolution import FileEntry, RemoteFile
from mlxlock.store import DirectoryStore

DATA = b"the quick brown fox" * 1000


def git_file(data: bytes, path: str = "config.json") -> FileEntry:
    oid = hashlib.sha1(git_blob_header(len(data)) + data).hexdigest()
    return FileEntry(path=RepoPath(path), size_bytes=len(data), git=GitOid(oid))


def lfs_file(data: bytes, path: str = "model.safetensors") -> FileEntry:
    return FileEntry(
        path=RepoPath(path), size_bytes=len(data), sha256=Sha256(hashlib.sha256(data).hexdigest())
    )


def put(store: DirectoryStore, file: FileEntry, data: bytes) -> None:
    with store.deposit(file) as deposit:
        deposit.write(data)
        deposit.commit()


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


@pytest.mark.parametrize("file", [git_file(DATA), lfs_file(DATA)], ids=["git", "lfs"])
def test_a_deposit_is_found_by_what_the_hub_asserts_and_by_its_own_hash(
    store: DirectoryStore, file: FileEntry
) -> None:
    put(store, file, DATA)
    blob = store.find(file)
    assert blob is not None
    assert blob.path.read_bytes() == DATA
    assert blob.blake3 == blake3(DATA).hexdigest()
    assert blob.sha256 == hashlib.sha256(DATA).hexdigest()
    assert blob.path.stat().st_mode & 0o777 == 0o444
    seen = file.with_seen(sha256=blob.sha256, blake3=blob.blake3)
    assert store.find(seen) == blob


@given(cuts=st.lists(st.integers(0, 64), max_size=6), data=st.binary(min_size=1, max_size=64))
def test_any_split_of_the_bytes_gives_the_same_blob(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], data: bytes
) -> None:
    store = DirectoryStore(tmp_path_factory.mktemp("store"))
    edges = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    with store.deposit(git_file(data)) as deposit:
        for start, end in pairwise(edges):
            deposit.write(data[start:end])
        assert deposit.commit().blake3 == blake3(data).hexdigest()


@pytest.mark.parametrize("bad", [DATA[:-1], DATA[:-1] + b"!", DATA + b"x"], ids=["short", "flipped", "long"])
def test_wrong_bytes_get_no_name_and_leave_nothing(store: DirectoryStore, bad: bytes) -> None:
    file = lfs_file(DATA)
    with pytest.raises(MismatchError):
        put(store, file, bad)
    assert store.find(file) is None
    assert not list((store.root).glob("blobs/*/*"))
    put(store, file, DATA)
    assert store.find(file) is not None


def test_a_blob_that_somebody_wrote_to_is_found_no_more_and_kept_aside(store: DirectoryStore) -> None:
    file = git_file(DATA)
    put(store, file, DATA)
    blob = store.find(file)
    assert blob is not None
    time.sleep(0.02)  # so that the write has another time, by which it is told
    blob.path.chmod(0o644)
    blob.path.write_bytes(b"X" + DATA[1:])
    assert store.find(file) is None
    assert (store.root / "quarantine" / blob.blake3).read_bytes()[:1] == b"X"


def test_a_blob_that_was_only_touched_is_hashed_again_and_stays(store: DirectoryStore) -> None:
    file = lfs_file(DATA)
    put(store, file, DATA)
    blob = store.find(file)
    assert blob is not None
    os.utime(blob.path, ns=(1, 1))
    assert store.find(file) == blob


def test_a_hard_link_elsewhere_costs_no_hash(store: DirectoryStore, tmp_path: Path) -> None:
    file = lfs_file(DATA)
    put(store, file, DATA)
    blob = store.find(file)
    assert blob is not None
    os.link(blob.path, tmp_path / "link")
    blob.path.chmod(0o000)
    (tmp_path / "link").unlink()
    assert store.find(file) == blob


def test_a_lock_that_contradicts_what_was_seen_finds_nothing(store: DirectoryStore) -> None:
    file = git_file(DATA)
    put(store, file, DATA)
    blob = store.find(file)
    assert blob is not None
    lying = file.with_seen(sha256=Sha256("0" * 64), blake3=blob.blake3)
    assert store.find(lying) is None


KILLED = """
import os, signal, sys
from pathlib import Path
from mlxlock.spec.digest import Sha256
from mlxlock.spec.names import RepoPath
from mlxlock.spec.resolution import FileEntry
from mlxlock.store import DirectoryStore

root, size, sha256 = sys.argv[1:]
file = FileEntry(path=RepoPath("model.safetensors"), size_bytes=int(size), sha256=Sha256(sha256))
with DirectoryStore(Path(root)).deposit(file) as deposit:
    deposit.write(b"the quick brown fox" * 400)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_deposit_is_continued_where_it_was(store: DirectoryStore) -> None:
    file = lfs_file(DATA)
    arguments = [str(store.root), str(len(DATA)), str(file.sha256)]
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), *arguments], check=False)
    assert killed.returncode == -signal.SIGKILL
    with store.deposit(file) as deposit:
        assert deposit.offset == 400 * 19
        deposit.write(DATA[deposit.offset :])
        deposit.commit()
    assert store.find(file) is not None


def test_a_second_deposit_of_a_blob_that_is_there_has_nothing_to_write(store: DirectoryStore) -> None:
    file = lfs_file(DATA)
    put(store, file, DATA)
    with store.deposit(file) as deposit:
        assert deposit.offset == len(DATA)
        assert deposit.commit().blake3 == blake3(DATA).hexdigest()


def test_a_read_only_place_is_one_disk_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = DirectoryStore(tmp_path / "file" / "store")
    with pytest.raises(DiskError, match="cannot write"):
        put(store, lfs_file(DATA), DATA)


def remote(file: FileEntry) -> RemoteFile:
    return RemoteFile(repo=RepoId("org/name"), commit=CommitHash("a" * 40), file=file)


def cache_with(root: Path, file: FileEntry, data: bytes) -> Path:
    blob = root / "hub" / "models--org--name" / "blobs" / file.etag
    blob.parent.mkdir(parents=True)
    blob.write_bytes(data)
    return root / "hub"


def test_what_the_users_own_cache_has_is_adopted(tmp_path: Path) -> None:
    file = lfs_file(DATA)
    store = DirectoryStore(tmp_path / "store", adopt_from=[cache_with(tmp_path, file, DATA)])
    assert store.adopt([remote(file)]) == ()
    blob = store.find(file)
    assert blob is not None
    assert blob.path.read_bytes() == DATA
    assert blob.path.stat().st_nlink == 1


def test_the_shared_blob_store_is_followed(tmp_path: Path) -> None:
    file = lfs_file(DATA)
    cache = cache_with(tmp_path, file, DATA)
    blob = cache / "models--org--name" / "blobs" / file.etag
    shared = cache / "blobs" / "ab" / ("ab" * 32)
    shared.parent.mkdir(parents=True)
    blob.rename(shared)
    blob.symlink_to("../../blobs/ab/" + "ab" * 32)
    store = DirectoryStore(tmp_path / "store", adopt_from=[cache])
    assert store.adopt([remote(file)]) == ()


def test_a_flipped_byte_is_never_adopted_and_the_cache_stays_as_it_was(tmp_path: Path) -> None:
    file = lfs_file(DATA)
    cache = cache_with(tmp_path, file, b"X" + DATA[1:])
    store = DirectoryStore(tmp_path / "store", adopt_from=[cache])
    assert store.adopt([remote(file)]) == (remote(file),)
    assert store.find(file) is None
    assert (cache / "models--org--name" / "blobs" / file.etag).read_bytes() == b"X" + DATA[1:]
