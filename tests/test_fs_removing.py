"""Scratch directories are listed and removed, whatever a stranger's program left in them."""

import os
import sys
from pathlib import Path

from mlxlock.fs import files_below, remove_tree, scratch_directory, temporary_directory


def nest(root: Path, depth: int) -> None:
    """Directories in one another, each with a file; deeper than any path and any stack."""
    here = os.open(root, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=below))
        os.close(here)
        here = below
    os.close(here)


def test_depth_does_not_matter_neither_to_its_holder_nor_to_the_next_one(tmp_path: Path) -> None:
    parent, abandoned = tmp_path / "scratch", tmp_path / "scratch" / "abandoned"
    abandoned.mkdir(parents=True)
    depth = sys.getrecursionlimit() * 3
    nest(abandoned, depth)
    with scratch_directory(parent) as place:
        assert not abandoned.exists()
        nest(place, depth)
    with temporary_directory("mlxlock-") as other:
        nest(other, depth)
    assert not other.exists()
    assert [path.name for path in parent.iterdir()] == [".lock"]


def test_no_link_is_followed_and_closed_directories_are_opened(tmp_path: Path) -> None:
    kept, root = tmp_path / "kept", tmp_path / "root"
    (kept / "sub").mkdir(parents=True)
    (kept / "sub" / "file").write_text("mine")
    (root / "closed" / "inner" / "last").mkdir(parents=True)
    for place in (root, root / "closed", root / "closed" / "inner"):
        (place / "directory").symlink_to(kept)
        (place / "file").symlink_to(kept / "sub" / "file")
        os.mkfifo(place / "pipe")
    for place in (root / "closed" / "inner", root / "closed"):
        place.chmod(0)
    remove_tree(root)
    assert not root.exists()
    assert (kept / "sub" / "file").read_text() == "mine"
    assert kept.stat().st_mode & 0o700 == 0o700


def test_what_is_a_link_itself_or_nothing_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    remove_tree(tmp_path / "link")
    remove_tree(tmp_path / "nothing")
    assert (tmp_path / "link" / "file").exists()


def test_files_are_listed_at_any_depth_and_through_no_link(tmp_path: Path) -> None:
    depth = sys.getrecursionlimit() + 200
    nest(tmp_path, depth)
    (tmp_path / "link").symlink_to("d")
    (tmp_path / "but" / "this").mkdir(parents=True)
    (tmp_path / "but" / "this" / "file").touch()
    found = list(files_below(tmp_path, but=("but",)))
    assert found == ["link", *("d/" * level + "file" for level in range(1, depth + 1))]
    assert list(files_below(tmp_path / "nothing")) == []
    remove_tree(tmp_path / "d")
