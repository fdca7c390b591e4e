"""`prune` removes what nothing names, and never what something names."""

import os
from pathlib import Path

import pytest

from mlxlock.errors import DiskError
from mlxlock.ports import Blob
from mlxlock.spec.resolution import FileEntry
from mlxlock.store import DirectoryStore
from tests.store_files import git_file, lfs_file


def put(store: DirectoryStore, file: FileEntry, data: bytes) -> Blob:
    with store.deposit(file) as deposit:
        deposit.write(data)
        return deposit.commit()


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


def files_of(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_a_blob_stays_by_whatever_hash_a_lockfile_names_it(store: DirectoryStore, tmp_path: Path) -> None:
    kept = [put(store, git_file(data), data) for data in (b"by blake3", b"by sha256", b"by git")]
    gone = put(store, lfs_file(b"by nothing"), b"by nothing")
    names = (kept[0].blake3, kept[1].sha256, str(git_file(b"by git").git))
    lockfile = tmp_path / "models.lock"
    lockfile.write_text(
        f'<<<<<<< ours\n{{ blake3 = "{names[0]}" }},\n=======\nsha256="{names[1]}" "{names[2]}"'
    )
    store.register(lockfile)
    pruned = store.prune(grace_s=0)
    assert (pruned.blobs, pruned.freed_bytes, pruned.kept) == (1, len(b"by nothing"), 3)
    assert all(blob.path.exists() for blob in kept)
    assert not gone.path.exists()
    assert not [path for path in files_of(store.root) if gone.blake3 in path or gone.sha256 in path]


def test_young_blobs_wait_for_their_lockfile(store: DirectoryStore) -> None:
    blob = put(store, lfs_file(b"young"), b"young")
    assert store.prune().kept == 1
    assert blob.path.exists()


def test_a_dry_run_removes_nothing(store: DirectoryStore) -> None:
    put(store, lfs_file(b"x"), b"x")
    with store.deposit(lfs_file(b"partial")) as deposit:
        deposit.write(b"par")
    before = files_of(store.root)
    dry = store.prune(grace_s=0, dry_run=True)
    assert files_of(store.root) == before
    assert store.prune(grace_s=0) == dry


def test_a_lockfile_that_is_gone_is_forgotten(store: DirectoryStore, tmp_path: Path) -> None:
    blob = put(store, lfs_file(b"x"), b"x")
    lockfile = tmp_path / "models.lock"
    lockfile.write_text(blob.blake3)
    store.register(lockfile)
    store.register(lockfile)
    assert store.prune(grace_s=0).forgotten == ()
    lockfile.unlink()
    assert store.prune(grace_s=0).forgotten == (lockfile,)
    assert not blob.path.exists()
    assert store.prune(grace_s=0).forgotten == ()


def test_a_lockfile_that_cannot_be_read_stops_everything(store: DirectoryStore, tmp_path: Path) -> None:
    blob = put(store, lfs_file(b"x"), b"x")
    (tmp_path / "models.lock").mkdir()
    store.register(tmp_path / "models.lock")
    with pytest.raises(DiskError):
        store.prune(grace_s=0)
    assert blob.path.exists()


def test_what_interrupted_work_left_goes_but_not_what_is_at_work(store: DirectoryStore) -> None:
    with store.deposit(lfs_file(b"old")) as deposit:
        deposit.write(b"ol")
    (store.root / "tmp" / "1-dead").write_bytes(b"dead")
    with store.deposit(lfs_file(b"now")) as deposit:
        deposit.write(b"no")
        assert store.prune(grace_s=0).freed_bytes == len(b"ol" + b"dead")
        deposit.write(b"w")
        deposit.commit()
    assert store.find(lfs_file(b"now")) is not None
    assert not list(store.root.glob("partial/*"))


def test_a_blob_that_a_workspace_links_frees_nothing(store: DirectoryStore, tmp_path: Path) -> None:
    blob = put(store, lfs_file(b"linked"), b"linked")
    os.link(blob.path, tmp_path / "model.safetensors")
    pruned = store.prune(grace_s=0)
    assert (pruned.blobs, pruned.freed_bytes) == (1, 0)
    assert (tmp_path / "model.safetensors").read_bytes() == b"linked"


def test_records_of_blobs_that_went_go_too(store: DirectoryStore) -> None:
    blob = put(store, git_file(b"x"), b"x")
    blob.path.unlink()
    store.prune(grace_s=0)
    assert files_of(store.root) == {"CACHEDIR.TAG"}


def test_foreign_files_are_left_alone_and_no_store_is_nothing_to_prune(
    store: DirectoryStore, tmp_path: Path
) -> None:
    blob = put(store, lfs_file(b"x"), b"x")
    (blob.path.parent / ".DS_Store").write_bytes(b"finder")
    (store.root / "blobs" / ".DS_Store").write_bytes(b"finder")
    assert store.prune(grace_s=0).blobs == 1
    assert DirectoryStore(tmp_path / "none").prune().kept == 0
