"""Files out of archives: found by their size, compared with the lock, and never trusted."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mlxlock.capture.archives import PackedFiles
from mlxlock.errors import MismatchError
from mlxlock.ports import Blob
from mlxlock.spec.effects import Member
from mlxlock.spec.names import RepoPath
from mlxlock.store import DirectoryStore

FILES = {"en/meta.json": b"{}", "en/vocab.txt": b"words" * 1000, "en/empty": b""}


def zipped(files: Mapping[str, bytes] = FILES, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        archive.mkdir("en")
        for name, data in files.items():
            archive.writestr(name, data)
    return target.getvalue()


def tarred(files: Mapping[str, bytes] = FILES) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        link = tarfile.TarInfo("en/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return target.getvalue()


KINDS: dict[str, Callable[[Mapping[str, bytes]], bytes]] = {
    "zip": zipped,
    "stored": lambda files: zipped(files, zipfile.ZIP_STORED),
    "tar": tarred,
    "tar.gz": lambda files: gzip.compress(tarred(files)),
    "tar.bz2": lambda files: bz2.compress(tarred(files)),
    "tar.xz": lambda files: lzma.compress(tarred(files)),
}


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


def put(store: DirectoryStore, data: bytes) -> Blob:
    with store.intake() as intake:
        intake.write(data)
        return intake.commit()


def found(store: DirectoryStore, archive: bytes, *sizes: int) -> dict[str, bytes]:
    members = PackedFiles().find(put(store, archive), sizes, store)
    return {name: blob.path.read_bytes() for name, blob in members}


def member(name: str, data: bytes, store: DirectoryStore) -> Member:
    blob = put(DirectoryStore(store.root.parent / "aside"), data)
    return Member(name=name, path=RepoPath("x"), size_bytes=len(data), sha256=blob.sha256, blake3=blob.blake3)


@pytest.mark.parametrize("kind", KINDS)
def test_members_are_found_by_size(store: DirectoryStore, kind: str) -> None:
    archive = KINDS[kind](FILES)
    assert found(store, archive, 2, 5000) == {
        "en/meta.json": FILES["en/meta.json"],
        "en/vocab.txt": FILES["en/vocab.txt"],
    }
    assert found(store, archive, 0) == {"en/empty": b""}
    assert found(store, archive, 7) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_members_come_back_compared(store: DirectoryStore, kind: str) -> None:
    archive = put(store, KINDS[kind](FILES))
    wanted = [member(name, data, store) for name, data in FILES.items()]
    PackedFiles().unpack(archive, wanted, store)
    for each, data in zip(wanted, FILES.values(), strict=True):
        blob = store.find(each.file)
        assert blob is not None
        assert blob.path.read_bytes() == data


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_of_one_name_counts(store: DirectoryStore, kind: str) -> None:
    if kind in {"zip", "stored"}:
        target = io.BytesIO(zipped({"a": b"first"}))
        with zipfile.ZipFile(target, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a", b"again")
        data = target.getvalue()
    else:
        target = io.BytesIO(tarred({"a": b"first"}))
        with tarfile.open(fileobj=target, mode="a") as more:
            info = tarfile.TarInfo("a")
            info.size = 5
            more.addfile(info, io.BytesIO(b"again"))
        data = target.getvalue()
    assert found(store, data, 5) == {"a": b"again"}
    PackedFiles().unpack(put(store, data), [member("a", b"again", store)], store)
    with pytest.raises(MismatchError, match="does not have the `a`"):
        PackedFiles().unpack(put(store, data), [member("a", b"first", store)], store)


@pytest.mark.parametrize(
    "data",
    [b"", b"plain text", b"PK\x03\x04 no zip", zipped()[:-30], gzip.compress(b"no tar")],
    ids=["empty", "plain text", "only a zip's first bytes", "cut zip", "gzip of no tar"],
)
def test_what_is_no_archive_has_no_members(store: DirectoryStore, data: bytes) -> None:
    assert found(store, data, *range(6000)) == {}


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.xz"])
def test_a_damaged_member_is_none(store: DirectoryStore, kind: str) -> None:
    whole = bytearray(KINDS[kind]({"a": bytes(range(256)) * 4, "b": b"later"}))
    middle = len(whole) // 3
    whole[middle : middle + 8] = bytes(byte ^ 0x55 for byte in whole[middle : middle + 8])
    assert bytes(range(256)) * 4 not in found(store, bytes(whole), 1024).values()


def test_a_member_that_says_to_be_longer_is_none(store: DirectoryStore) -> None:
    whole = tarred({"a": b"a" * 5000})[:4096]
    assert found(store, whole, 5000) == {}


def test_what_was_locked_and_is_not_there_is_told(store: DirectoryStore) -> None:
    archive = put(store, zipped())
    for name, data in {"en/none": b"{}", "en/meta.json": b"[]", "en/vocab.txt": b"!"}.items():
        with pytest.raises(MismatchError, match=f"does not have the `{name}` that was locked"):
            PackedFiles().unpack(archive, [member(name, data, store)], store)
        assert store.find(member(name, data, store).file) is None


def test_what_the_store_has_is_not_read(store: DirectoryStore) -> None:
    wanted = member("en/meta.json", b"{}", store)
    put(store, b"{}")
    gone = Blob(blake3=wanted.blake3, sha256=wanted.sha256, size_bytes=1, path=store.root / "gone")
    PackedFiles().unpack(gone, [wanted], store)
