"""How a store stands on the disk, and how it mends what is missing there."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlxlock.errors import DiskError, StoreError
from mlxlock.ports import Blob
from mlxlock.spec.digest import Blake3, GitOid, Sha256
from mlxlock.spec.resolution import FileEntry
from mlxlock.store import DirectoryStore
from mlxlock.store.shelves import Record, format_record, parse_record
from tests.store_files import DATA, git_file, lfs_file

WHOLE = st.integers(min_value=0, max_value=2**63)


def hexes(length: int) -> st.SearchStrategy[str]:
    return st.text("0123456789abcdef", min_size=length, max_size=length)


def put(store: DirectoryStore, file: FileEntry, data: bytes = DATA) -> Blob:
    with store.deposit(file) as deposit:
        deposit.write(data[deposit.offset :])
        return deposit.commit()


@given(hexes(64), WHOLE, WHOLE, WHOLE, st.none() | hexes(40))
def test_a_record_is_read_as_it_was_written(
    sha256: str, size: int, mtime: int, inode: int, git: str | None
) -> None:
    oid = None if git is None else GitOid(git)
    record = Record(
        blake3=Blake3(sha256[::-1]),
        sha256=Sha256(sha256),
        size_bytes=size,
        mtime_ns=mtime,
        inode=inode,
        git=oid,
    )
    assert parse_record(format_record(record)) == record


@given(st.text(max_size=200))
def test_no_text_breaks_a_reader_of_records(text: str) -> None:
    record = parse_record(text)
    assert record is None or parse_record(format_record(record)) == record


def test_the_layout_is_as_promised(tmp_path: Path) -> None:
    root, file = tmp_path / "caches" / "store", git_file(DATA)
    blob = put(DirectoryStore(root), file)
    found = blob.path.stat()
    assert root.stat().st_mode & 0o077 == 0
    assert (root / "CACHEDIR.TAG").read_bytes().startswith(b"Signature: 8a477f597d28d172789f06886806bc55\n")
    files = {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}
    b3, sha, git = blob.blake3, blob.sha256, str(file.git)
    record, by_sha, by_git = (
        f"{kind}/{name[:2]}/{name}" for kind, name in (("records", b3), ("sha256", sha), ("git", git))
    )
    assert set(files) == {"CACHEDIR.TAG", f"blobs/{b3[:2]}/{b3}", record, by_sha, by_git}
    assert files[record].read_text() == f"{b3} {sha} {len(DATA)} {found.st_mtime_ns} {found.st_ino} {git}\n"
    assert files[by_sha].samefile(files[record])
    assert files[by_git].samefile(files[record])


@pytest.mark.parametrize("lost", ["records", "sha256", "git"])
def test_what_is_lost_beside_a_blob_comes_back(tmp_path: Path, lost: str) -> None:
    store, file = DirectoryStore(tmp_path), git_file(DATA)
    blob = put(store, file)
    (record,) = tmp_path.glob(f"{lost}/*/*")
    text = record.read_text()
    record.unlink()
    assert put(store, lfs_file(DATA) if lost == "sha256" else file) == blob
    assert record.read_text() == text


@pytest.mark.parametrize("torn", [b"", b"00", b"\xff" * 64, b"0" * 64])
def test_a_torn_record_is_written_again(tmp_path: Path, torn: bytes) -> None:
    store, file = DirectoryStore(tmp_path), git_file(DATA)
    blob = put(store, file)
    for kind in ("records", "git"):
        (path,) = tmp_path.glob(f"{kind}/*/*")
        path.write_bytes(torn)
    assert put(store, file) == blob
    assert store.find(file) == blob


def test_a_record_that_leads_to_another_blob_is_set_right(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    put(store, git_file(b"other"), b"other")
    (wrong,) = tmp_path.glob("git/*/*")
    oid = str(git_file(DATA).git)
    (tmp_path / "git" / oid[:2]).mkdir(exist_ok=True)
    os.link(wrong, tmp_path / "git" / oid[:2] / oid)
    assert store.find(git_file(DATA)) is None
    blob = put(store, git_file(DATA))
    assert store.find(git_file(DATA)) == blob
    assert store.find(git_file(b"other")) is not None


def test_a_spent_deposit_cannot_touch_its_blob(tmp_path: Path) -> None:
    with DirectoryStore(tmp_path).deposit(git_file(DATA)) as deposit:
        deposit.write(DATA)
        blob = deposit.commit()
        for again in (deposit.restart, deposit.commit, lambda: deposit.write(b"x")):
            with pytest.raises(ValueError, match="spent"):
                again()
    assert blob.path.read_bytes() == DATA


def test_an_unchanged_blob_is_not_read_again(tmp_path: Path) -> None:
    store, file = DirectoryStore(tmp_path), lfs_file(DATA)
    blob = put(store, file)
    stat = blob.path.stat()
    blob.path.chmod(0o644)
    blob.path.write_bytes(b"X" + DATA[1:])
    os.utime(blob.path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert store.find(file) == blob  # what only `verify` can see: same size, time and inode


def test_a_blob_with_new_bytes_goes_to_quarantine(tmp_path: Path) -> None:
    store, file = DirectoryStore(tmp_path), lfs_file(DATA)
    blob = put(store, file)
    blob.path.chmod(0o644)
    blob.path.write_bytes(b"edited")
    assert store.find(file) is None
    assert not blob.path.exists()
    assert (tmp_path / "quarantine" / blob.blake3).read_bytes() == b"edited"


def test_links_and_modes_are_no_change(tmp_path: Path) -> None:
    store, file = DirectoryStore(tmp_path), git_file(DATA)
    blob = put(store, file)
    (record,) = tmp_path.glob("records/*/*")
    before = record.stat().st_mtime_ns
    os.link(blob.path, tmp_path / "workspace")
    time.sleep(0.01)
    assert store.find(file) == blob
    assert record.stat().st_mtime_ns == before


def test_something_else_in_a_blobs_place_is_told(tmp_path: Path) -> None:
    store, file = DirectoryStore(tmp_path), git_file(DATA)
    blob = put(store, file)
    blob.path.unlink()
    blob.path.mkdir()
    with pytest.raises(StoreError, match="is not a file"):
        store.find(file)


def test_the_git_id_of_a_blob_that_came_as_lfs_is_learnt(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    blob = put(store, lfs_file(DATA))
    both = git_file(DATA).with_seen(sha256=blob.sha256, blake3=blob.blake3)
    assert store.find(both) == blob
    assert store.find(git_file(DATA)) == blob


def test_looking_into_a_store_that_is_not_there_makes_none(tmp_path: Path) -> None:
    assert DirectoryStore(tmp_path / "store").find(git_file(DATA)) is None
    assert not (tmp_path / "store").exists()


def test_a_store_below_a_file_is_a_disk_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = DirectoryStore(tmp_path / "file" / "store")
    with pytest.raises(DiskError):
        put(store, git_file(DATA))
