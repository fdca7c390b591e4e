"""Adopting takes verified bytes from a Hugging Face cache, and leaves that cache as it was."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlxlock.errors import DiskError
from mlxlock.fs import same_filesystem
from mlxlock.ports import Advanced, Event, Note
from mlxlock.spec.resolution import FileEntry
from mlxlock.store import DirectoryStore
from mlxlock.store.adopt import AdoptMode, _link
from tests.store_files import DATA, git_file, lfs_file, remote

BIG = os.urandom(3 << 20)
Shape = Callable[[Path, FileEntry, bytes], Path]


def as_blob(cache: Path, file: FileEntry, data: bytes) -> Path:
    path = cache / "models--org--name" / "blobs" / file.etag
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    return path


def as_shared_blob(cache: Path, file: FileEntry, data: bytes) -> Path:
    """The store that huggingface_hub shares between repos since 1.32: the repo's blob is a symlink there."""
    path = cache / "blobs" / "ab" / ("ab" * 32)
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    path.chmod(0o444)
    link = cache / "models--org--name" / "blobs" / file.etag
    link.parent.mkdir(parents=True)
    link.symlink_to("../../blobs/ab/" + "ab" * 32)
    return path


def as_snapshot_file(cache: Path, file: FileEntry, data: bytes) -> Path:
    """What HF_HUB_DISABLE_SYMLINKS makes."""
    path = cache / "models--org--name" / "snapshots" / ("a" * 40) / file.path
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    return path


def picture(cache: Path) -> dict[str, tuple[int, ...]]:
    """All that could be seen of a modification, but for the number of links."""
    stats = {str(path): path.lstat() for path in sorted(cache.rglob("*"))}
    return {
        path: (stat.st_ino, stat.st_mode, stat.st_size, stat.st_mtime_ns, stat.st_uid)
        for path, stat in stats.items()
    }


@pytest.mark.parametrize("shape", [as_blob, as_shared_blob, as_snapshot_file])
@pytest.mark.parametrize("mode", ["copy", "link"])
@pytest.mark.parametrize("make", [git_file, lfs_file])
def test_every_shape_of_cache_is_adopted_and_left_as_it_was(
    tmp_path: Path, shape: Shape, mode: AdoptMode, make: Callable[[bytes], FileEntry]
) -> None:
    cache, file = tmp_path / "hub", make(BIG)
    source = shape(cache, file, BIG)
    before = picture(cache)
    store = DirectoryStore(tmp_path / "store", adopt_from=[cache], adopt_mode=mode)
    assert store.adopt([remote(file)]) == ()
    blob = store.find(file)
    assert blob is not None
    assert blob.path.read_bytes() == BIG
    assert blob.path.samefile(source) == (mode == "link")
    assert picture(cache) == before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets an owner read without a trace")
def test_reading_leaves_no_trace_in_the_cache(tmp_path: Path) -> None:
    file = lfs_file(DATA)
    source = as_blob(tmp_path / "hub", file, DATA)
    os.utime(source, ns=(1, source.stat().st_mtime_ns))
    store = DirectoryStore(tmp_path / "store", adopt_from=[tmp_path / "hub"])
    assert store.adopt([remote(file)]) == ()
    assert source.stat().st_atime_ns == 1


@pytest.mark.parametrize("mode", ["copy", "link"])
def test_a_flipped_byte_is_reported_and_never_adopted(tmp_path: Path, mode: AdoptMode) -> None:
    file, events = lfs_file(BIG), list[Event]()
    source = as_blob(tmp_path / "hub", file, BIG[:-1] + bytes([BIG[-1] ^ 1]))
    before = (picture(tmp_path / "hub"), source.read_bytes())
    store = DirectoryStore(tmp_path / "store", adopt_from=[tmp_path / "hub"], adopt_mode=mode)
    assert store.adopt([remote(file)], events.append) == (remote(file),)
    assert store.find(file) is None
    (note,) = [event for event in events if isinstance(event, Note)]
    assert note.text.startswith("`model.safetensors` of `org/name` in your Hugging Face cache is not adopted")
    assert not [path for path in store.root.rglob("*") if path.is_file() and path.name != "CACHEDIR.TAG"]
    assert (picture(tmp_path / "hub"), source.read_bytes()) == before


def test_a_damaged_blob_is_read_and_told_once_though_its_snapshot_leads_to_it_too(tmp_path: Path) -> None:
    file, events = lfs_file(BIG), list[Event]()
    blob = as_blob(tmp_path / "hub", file, BIG[:-1] + bytes([BIG[-1] ^ 1]))
    link = blob.parents[1] / "snapshots" / ("a" * 40) / file.path
    link.parent.mkdir(parents=True)
    link.symlink_to(blob)
    store = DirectoryStore(tmp_path / "store", adopt_from=[tmp_path / "hub"])
    assert store.adopt([remote(file)], events.append) == (remote(file),)
    assert len([event for event in events if isinstance(event, Note)]) == 1


def test_a_second_cache_helps_where_the_first_is_damaged(tmp_path: Path) -> None:
    file = lfs_file(DATA)
    as_blob(tmp_path / "bad", file, b"X" + DATA[1:])
    as_blob(tmp_path / "good", file, DATA)
    store = DirectoryStore(tmp_path / "store", adopt_from=[tmp_path / "bad", tmp_path / "good"])
    assert store.adopt([remote(file)]) == ()
    assert store.find(file) is not None


@pytest.mark.parametrize("replacement", ["other-file", "rewritten"])
def test_what_is_swapped_underneath_does_not_get_in(tmp_path: Path, replacement: str) -> None:
    file = lfs_file(BIG)
    source = as_blob(tmp_path / "hub", file, BIG)

    def swap(event: Event) -> None:
        if isinstance(event, Advanced) and source.read_bytes() == BIG:
            if replacement == "other-file":
                source.rename(tmp_path / "moved")
            source.write_bytes(bytes(len(BIG)))

    store = DirectoryStore(tmp_path / "store", adopt_from=[tmp_path / "hub"])
    missing = store.adopt([remote(file)], swap)
    blob = store.find(file)
    assert (blob is None) == (missing == (remote(file),))
    assert blob is None or blob.path.read_bytes() == BIG


def test_a_link_is_refused_when_the_path_means_another_file_by_then(tmp_path: Path) -> None:
    (tmp_path / "opened").write_bytes(b"good")
    (tmp_path / "swapped").write_bytes(b"evil")
    with (tmp_path / "opened").open("rb") as stream:
        assert not _link(tmp_path / "swapped", stream.fileno(), tmp_path / "new")
        (tmp_path / "new").unlink()
        assert _link(tmp_path / "opened", stream.fileno(), tmp_path / "new")


def test_a_linked_blob_that_the_cache_rewrites_is_found_no_more(tmp_path: Path) -> None:
    file = lfs_file(DATA)
    source = as_blob(tmp_path / "hub", file, DATA)
    store = DirectoryStore(tmp_path / "store", adopt_from=[tmp_path / "hub"], adopt_mode="link")
    assert store.adopt([remote(file)]) == ()
    time.sleep(0.02)  # so that the write has another time, by which it is told
    source.write_bytes(b"X" + DATA[1:])
    assert store.find(file) is None
    assert source.read_bytes() == b"X" + DATA[1:]


def test_a_linked_file_that_is_written_after_it_was_hashed_does_not_get_in(tmp_path: Path) -> None:
    file, told = lfs_file(BIG), list[int]()
    source = as_blob(tmp_path / "hub", file, BIG)

    def rewrite_at_the_end(event: Event) -> None:
        if isinstance(event, Advanced):
            told.append(event.amount)
            if sum(told) == len(BIG):
                source.write_bytes(bytes(len(BIG)))

    store = DirectoryStore(tmp_path / "store", adopt_from=[tmp_path / "hub"], adopt_mode="link")
    time.sleep(0.02)  # so that the write has another time, by which it is told
    assert store.adopt([remote(file)], rewrite_at_the_end) == (remote(file),)
    assert not list(store.root.glob("blobs/*/*"))


def test_a_link_across_disks_is_not_turned_into_a_copy(tmp_path: Path) -> None:
    shared = Path("/dev/shm")  # noqa: S108 - a second filesystem where there is one
    if not shared.is_dir() or same_filesystem(shared, tmp_path):
        pytest.skip("this machine has one filesystem only")
    file, events = lfs_file(DATA), list[Event]()
    cache = shared / f"mlxk-test-{os.getpid()}"
    source = as_blob(cache, file, DATA)
    try:
        store = DirectoryStore(tmp_path / "store", adopt_from=[cache], adopt_mode="link")
        assert store.adopt([remote(file)], events.append) == (remote(file),)
    finally:
        source.unlink()
        for directory in (source.parent, source.parent.parent, cache):
            directory.rmdir()
    assert ["hard-linked" in event.text for event in events if isinstance(event, Note)] == [True]
    assert not list(store.root.glob("blobs/*/*"))


@pytest.mark.parametrize("thing", ["directory", "pipe", "other-size", "dangling"])
def test_what_cannot_be_the_file_is_not_even_opened(tmp_path: Path, thing: str) -> None:
    file, events = lfs_file(DATA), list[Event]()
    path = tmp_path / "hub" / "models--org--name" / "blobs" / file.etag
    path.parent.mkdir(parents=True)
    make: dict[str, Callable[[], object]] = {
        "directory": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "other-size": lambda: path.write_bytes(DATA[:-1]),
        "dangling": lambda: path.symlink_to("nowhere"),
    }
    make[thing]()
    store = DirectoryStore(tmp_path / "store", adopt_from=[tmp_path / "hub"])
    assert store.adopt([remote(file)], events.append) == (remote(file),)
    assert events == []


def test_the_rest_of_an_interrupted_download_may_come_from_the_cache(tmp_path: Path) -> None:
    file = lfs_file(BIG)
    store = DirectoryStore(tmp_path / "store", adopt_from=[tmp_path / "hub"])
    with store.deposit(file) as deposit:
        deposit.write(BIG[:1000])
    as_blob(tmp_path / "hub", file, BIG)
    assert store.adopt([remote(file)]) == ()
    assert store.find(file) is not None
    assert not list(store.root.glob("partial/*"))


def test_two_paths_of_the_same_bytes_are_adopted_once(tmp_path: Path) -> None:
    one, two, events = lfs_file(DATA, "a.bin"), lfs_file(DATA, "b.bin"), list[Event]()
    as_blob(tmp_path / "hub", one, DATA)
    store = DirectoryStore(tmp_path / "store", adopt_from=[tmp_path / "hub"])
    assert store.adopt([remote(one), remote(two)], events.append) == ()
    assert sum(event.amount for event in events if isinstance(event, Advanced)) == len(DATA)


def test_a_store_that_refuses_stops_the_adoption(tmp_path: Path) -> None:
    files = [lfs_file(bytes([index]) * 10) for index in range(9)]
    blobs = tmp_path / "hub" / "models--org--name" / "blobs"
    blobs.mkdir(parents=True)
    for index, file in enumerate(files):
        (blobs / file.etag).write_bytes(bytes([index]) * 10)
    store = DirectoryStore(tmp_path / "store", adopt_from=[tmp_path / "hub"])
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "blobs").write_bytes(b"in the way")
    with pytest.raises(DiskError):
        store.adopt([remote(file) for file in files])
