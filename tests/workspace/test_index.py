"""The stat index: it remembers what is certain, forgets what is racy, and no garbage in it does harm."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlxlock.errors import DiskError
from mlxlock.spec.digest import EMPTY_BLAKE3, Blake3
from mlxlock.workspace.index import (
    Entry,
    Stamp,
    StatIndex,
    index_path,
    load_index,
    save_index,
    settled,
)

EMPTY = Blake3(EMPTY_BLAKE3)
LONG_AGO_NS = 1_600_000_000_123_456_789
NOW_NS = LONG_AGO_NS + 3_600_000_000_000

stamps = st.builds(
    Stamp,
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**63),
    st.integers(-(2**62), 2**62),
    st.integers(-(2**62), 2**62),
)
entries = st.builds(Entry, stamps, st.binary(min_size=32, max_size=32).map(lambda raw: Blake3(raw.hex())))
names = st.text(st.characters(codec="utf-8"), min_size=1)
indexes = st.builds(StatIndex, entries=st.dictionaries(names, entries, max_size=5))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store") / "workspaces" / "w.index"


def _sample(mtime_ns: int = LONG_AGO_NS) -> dict[str, Entry]:
    return {"m/a": Entry(Stamp(1, 2, mtime_ns, 4), EMPTY)}


@given(indexes)
def test_what_was_saved_is_loaded(place: Path, index: StatIndex) -> None:
    save_index(place, index)
    assert load_index(place) == index


@given(indexes, st.data())
def test_garbage_is_an_empty_index_and_no_error(place: Path, index: StatIndex, data: st.DataObject) -> None:
    save_index(place, index)
    packed = bytearray(place.read_bytes())
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))
    place.write_bytes(packed)
    assert load_index(place) == StatIndex()
    place.write_bytes(packed[:at])
    assert load_index(place) == StatIndex()


@given(st.binary(max_size=200))
def test_a_foreign_file_is_an_empty_index(place: Path, foreign: bytes) -> None:
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(foreign)
    assert load_index(place) == StatIndex()


def test_a_missing_index_and_a_directory_in_its_place_are_empty(tmp_path: Path) -> None:
    assert load_index(tmp_path / "none") == StatIndex()
    assert load_index(tmp_path) == StatIndex()


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(DiskError):
        save_index(tmp_path / "store" / "w.index", StatIndex())


def test_only_the_very_stamp_that_was_seen_is_trusted() -> None:
    index = StatIndex(entries=_sample())
    assert index.trusted("m/a", Stamp(1, 2, LONG_AGO_NS, 4)) == EMPTY
    assert index.trusted("m/b", Stamp(1, 2, LONG_AGO_NS, 4)) is None
    for other in (
        Stamp(9, 2, LONG_AGO_NS, 4),
        Stamp(1, 9, LONG_AGO_NS, 4),
        Stamp(1, 2, 9, 4),
        Stamp(1, 2, LONG_AGO_NS, 9),
    ):
        assert index.trusted("m/a", other) is None


@pytest.mark.parametrize(
    ("mtime_ns", "kept"),
    [
        (LONG_AGO_NS, True),
        (NOW_NS - 21_000_000, True),
        (NOW_NS - 19_000_000, False),
        (NOW_NS, False),
        (NOW_NS + 10**15, False),
        (NOW_NS // 10**9 * 10**9 - 10**9, False),
        (NOW_NS // 10**9 * 10**9 - 2 * 10**9, True),
    ],
)
def test_what_is_as_new_as_the_look_at_it_is_not_remembered(mtime_ns: int, *, kept: bool) -> None:
    assert bool(settled(_sample(mtime_ns), NOW_NS).entries) is kept


def test_a_write_within_one_tick_of_the_clock_is_never_missed(tmp_path: Path) -> None:
    file = tmp_path / "f"
    missed = 0
    for _ in range(200):
        file.write_bytes(b"a")
        index = settled({"f": Entry(Stamp.of(file.lstat()), EMPTY)}, time.time_ns())
        with file.open("r+b") as stream:
            stream.write(b"b")
        missed += index.trusted("f", Stamp.of(file.lstat())) is not None
    assert missed == 0


def test_another_name_of_a_linked_file_does_not_make_it_suspect(tmp_path: Path) -> None:
    file = tmp_path / "blob"
    file.write_bytes(b"bytes")
    os.link(file, tmp_path / "one")
    before = Stamp.of(file.lstat())
    time.sleep(0.02)
    os.link(file, tmp_path / "two")
    assert Stamp.of(file.lstat()) == before
    (tmp_path / "one").write_bytes(b"other")
    assert Stamp.of(file.lstat()) != before


def test_a_lone_file_whose_mtime_was_set_back_is_suspect(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"a")
    before, status = Stamp.of(file.lstat()), file.stat()
    time.sleep(0.02)
    file.write_bytes(b"b")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert Stamp.of(file.lstat()) != before


def test_each_workspace_has_its_own_index(tmp_path: Path) -> None:
    assert index_path(tmp_path, Path("/a/models")) != index_path(tmp_path, Path("/b/models"))
    assert index_path(tmp_path, Path("/a/models")).parent == tmp_path
