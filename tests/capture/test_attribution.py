"""What a run left, read as a stranger's: each file seen, nothing followed out, nothing hung on."""

import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3

from mlxlock.capture.attribution import list_left
from mlxlock.errors import DiskError
from mlxlock.planning.attribution import Expected
from mlxlock.spec.digest import Blake3

COMMIT, ETAG = "a" * 40, "b" * 40
REPO = "hub/models--org--m"
SNAPSHOT = f"{REPO}/snapshots/{COMMIT}/config.json"


NO_NAMES = [b"a\nb", b"a\\b", b"con", b"a:b", b"\x1b[31m"]
if sys.platform == "linux":
    NO_NAMES.append(b"a\xff")  # which macOS does not let anybody write


def digest(data: bytes) -> Blake3:
    return Blake3(blake3(data).hexdigest())


NOTHING = Expected(laid_out={}, blobs={}, snapshots=frozenset())
KNOWN = Expected(laid_out={"home/kept": digest(b"kept")}, blobs={ETAG: 4}, snapshots=frozenset({SNAPSHOT}))


def put(cache: Path, path: str, data: bytes = b"data") -> Path:
    place = cache / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return place


def listed(cache: Path, expected: Expected = NOTHING) -> dict[str, str]:
    """Each path and its BLAKE3, or what is against it."""
    found = list_left(cache, expected)
    return {left.path: (left.file.blake3 or "") if left.file else (left.problem or "") for left in found}


def test_each_file_is_seen_and_in_order(tmp_path: Path) -> None:
    put(tmp_path, "nltk_data/b", b"bb")
    put(tmp_path, "home/.cache/a/deep/x", b"x")
    put(tmp_path, "home/empty", b"")
    found = list_left(tmp_path, NOTHING)
    assert [left.path for left in found] == ["home/.cache/a/deep/x", "home/empty", "nltk_data/b"]
    assert [left.file.size_bytes for left in found if left.file] == [1, 0, 2]
    assert all(left.file and left.file.sha256 and left.file.path == left.path for left in found)


def test_what_is_derived_or_ours_needs_no_word(tmp_path: Path) -> None:
    for path in ("python/t/__pycache__/t.pyc", ".mlxk_files", "hub/.locks/a.lock", "xdg/pip/x"):
        put(tmp_path, path)
    assert listed(tmp_path) == {}


def test_what_was_laid_out_is_passed_over_unless_it_changed(tmp_path: Path) -> None:
    kept = put(tmp_path, "home/kept", b"kept")
    assert listed(tmp_path, KNOWN) == {}
    kept.write_bytes(b"Kept")
    assert listed(tmp_path, KNOWN) == {"home/kept": digest(b"Kept")}


def test_the_hubs_own_cache_is_passed_over_and_what_is_not_the_hubs_in_it_is_not(tmp_path: Path) -> None:
    put(tmp_path, f"{REPO}/blobs/{ETAG}")
    put(tmp_path, f"{REPO}/refs/main")
    put(tmp_path, f"{REPO}/.no_exist/{COMMIT}/x")
    put(tmp_path, SNAPSHOT)
    assert listed(tmp_path, KNOWN) == {}
    put(tmp_path, f"{REPO}/blobs/{ETAG}", b"longer")
    put(tmp_path, f"{REPO}/blobs/{'c' * 40}")
    put(tmp_path, f"{REPO}/snapshots/{COMMIT}/converted.npz")
    put(tmp_path, f"{REPO}/other/x")
    put(tmp_path, "hub/stray")
    assert list(listed(tmp_path, KNOWN)) == [
        f"{REPO}/blobs/{ETAG}",
        f"{REPO}/blobs/{'c' * 40}",
        f"{REPO}/other/x",
        f"{REPO}/snapshots/{COMMIT}/converted.npz",
        "hub/stray",
    ]


def test_a_link_within_the_cache_is_as_good_as_its_file(tmp_path: Path) -> None:
    put(tmp_path, f"{REPO}/blobs/{ETAG}")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "voice").symlink_to(f"../{REPO}/blobs/{ETAG}")
    assert listed(tmp_path, KNOWN) == {"home/voice": digest(b"data")}


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "nowhere", "folder", "self"])
def test_any_other_link_is_told_and_not_followed(tmp_path: Path, target: str) -> None:
    put(tmp_path, "outside", b"secret")
    cache = tmp_path / "cache"
    (cache / "folder").mkdir(parents=True)
    (cache / "self").symlink_to(target)
    assert listed(cache) == {"self": "it is a link that leads to no file of `.hf_cache`"}


def test_a_folder_that_is_a_link_is_not_entered(tmp_path: Path) -> None:
    put(tmp_path, "outside/secret", b"secret")
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "folder").symlink_to("../outside", target_is_directory=True)
    assert list(listed(cache)) == ["folder"]


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_name_that_no_lock_could_hold_is_told_fit_to_be_shown(tmp_path: Path, name: bytes) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"x")
    ((path, problem),) = listed(tmp_path).items()
    assert problem == "no lock could hold its name"
    assert path.isprintable()
    assert path.isascii()


def test_what_is_no_file_is_nothing_and_nothing_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)  # the address of a socket has to be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        assert listed(tmp_path) == {}


def test_what_can_be_no_known_file_by_its_size_is_not_read(tmp_path: Path) -> None:
    for path in ("home/kept", "home/huge"):
        put(tmp_path, path, b"")
        os.truncate(tmp_path / path, 1 << 40)
    (tmp_path / "home" / "link").symlink_to("huge")
    put(tmp_path, "home/known", b"data")
    found = list_left(tmp_path, replace(KNOWN, sizes=frozenset({4})))
    files = {left.path: left.file for left in found if left.file}
    assert {path: (file.size_bytes, file.blake3) for path, file in files.items()} == {
        "home/huge": (1 << 40, None),
        "home/kept": (1 << 40, None),
        "home/known": (4, digest(b"data")),
        "home/link": (1 << 40, None),
    }


def test_more_than_anybody_would_lock_stops_it(tmp_path: Path) -> None:
    for number in range(4):
        put(tmp_path, f"home/{number}")
    assert len(list_left(tmp_path, NOTHING, limit=4)) == 4
    with pytest.raises(DiskError, match="more than 3 files"):
        list_left(tmp_path, NOTHING, limit=3)
