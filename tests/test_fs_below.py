"""Guards `fs.Root`: nothing below a root is ever reached through a symlink."""

from collections.abc import Callable
from pathlib import Path

import pytest
from blake3 import blake3

from mlxlock.errors import DiskError
from mlxlock.fs import Root
from mlxlock.spec.digest import Blake3
from mlxlock.spec.names import RepoPath

DEEP = RepoPath("a/b/file.txt")


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    directory = tmp_path / "inside"
    directory.mkdir()
    (tmp_path / "outside" / "b").mkdir(parents=True)
    (tmp_path / "outside" / "b" / "file.txt").write_bytes(b"theirs")
    return directory


def test_directories_files_links_and_moves(inside: Path) -> None:
    with Root(inside) as root:
        root.make_dirs(RepoPath("a/b"))
        root.make_dirs(RepoPath("a/b"))
        assert root.write(DEEP, b"bytes")
        assert not root.write(DEEP, b"bytes")
        assert root.read(DEEP) == b"bytes"
        root.symlink(RepoPath("a/link"), "b/file.txt")
        assert root.readlink(RepoPath("a/link")) == "b/file.txt"
        root.rename(DEEP, RepoPath("a/moved"))
        root.sync()
    assert (inside / "a/moved").read_bytes() == b"bytes"
    assert not (inside / "a/b/file.txt").exists()


def test_a_directory_below_is_a_root_of_its_own(inside: Path) -> None:
    with Root(inside) as root:
        root.make_dirs(RepoPath("a/b"))
        with root.below(RepoPath("a")) as a:
            a.write(RepoPath("b/x"), b"x")
            assert [entry.name for entry in a.entries()] == ["b"]
            assert [entry.name for entry in a.entries()] == ["b"]
    assert (inside / "a/b/x").read_bytes() == b"x"


def test_removing_says_whether_there_was_anything(inside: Path) -> None:
    with Root(inside) as root:
        root.make_dirs(RepoPath("a/b"))
        root.write(DEEP, b"x")
        assert not root.rmdir(RepoPath("a/b"))
        assert root.unlink(DEEP)
        assert not root.unlink(DEEP)
        assert root.rmdir(RepoPath("a/b"))
        assert not root.rmdir(RepoPath("a/b"))


def test_bytes_come_in_by_link_copy_and_clone(inside: Path, tmp_path: Path) -> None:
    blob = tmp_path / "blob"
    blob.write_bytes(b"blob")
    with Root(inside) as root:
        root.make_dirs(RepoPath("a"))
        assert root.hardlink(blob, RepoPath("a/linked"))
        root.copy(blob, RepoPath("a/copied"), Blake3(blake3(b"blob").hexdigest()))
        cloned = root.clone(blob, RepoPath("a/cloned"))
        digests, stat = root.hash(RepoPath("a/copied"), ("blake3",))
    assert (inside / "a/linked").samefile(blob)
    assert digests.blake3 == blake3(b"blob").hexdigest()
    assert stat.st_size == 4
    assert (inside / "a/cloned").exists() == cloned


WRITES: list[Callable[[Root, Path], object]] = [
    lambda root, _: root.make_dirs(RepoPath("a/new")),
    lambda root, _: root.write(DEEP, b"ours"),
    lambda root, _: root.symlink(RepoPath("a/b/link"), "x"),
    lambda root, _: root.rename(RepoPath("own"), DEEP),
    lambda root, _: root.rename(DEEP, RepoPath("stolen")),
    lambda root, blob: root.hardlink(blob, RepoPath("a/b/new")),
    lambda root, blob: root.clone(blob, RepoPath("a/b/new")),
    lambda root, blob: root.copy(blob, RepoPath("a/b/new"), Blake3(blake3(b"ours").hexdigest())),
    lambda root, _: root.read(DEEP),
    lambda root, _: root.readlink(DEEP),
    lambda root, _: root.hash(DEEP),
    lambda root, _: root.below(RepoPath("a/b")),
]


@pytest.mark.parametrize("write", WRITES)
def test_a_symlinked_directory_is_never_entered(
    inside: Path, tmp_path: Path, write: Callable[[Root, Path], object]
) -> None:
    (inside / "a").symlink_to(tmp_path / "outside")
    (inside / "own").write_bytes(b"ours")
    with Root(inside) as root, pytest.raises(DiskError) as caught:
        write(root, inside / "own")
    assert f"`{inside}/" in caught.value.reason
    assert "symlink" in caught.value.reason
    assert names(tmp_path / "outside") == ["b"]
    assert names(tmp_path / "outside" / "b") == ["file.txt"]
    assert (tmp_path / "outside" / "b" / "file.txt").read_bytes() == b"theirs"


def test_through_a_symlink_there_is_nothing_to_see_or_remove(inside: Path, tmp_path: Path) -> None:
    (inside / "a").symlink_to(tmp_path / "outside")
    with Root(inside) as root:
        assert root.lstat(DEEP) is None
        assert not root.unlink(DEEP)
        assert not root.rmdir(RepoPath("a/b"))
        assert not root.rmdir(RepoPath("a"))
        assert root.lstat(RepoPath("a")) is not None
    assert (tmp_path / "outside" / "b" / "file.txt").exists()


def test_a_directory_swapped_after_opening_does_not_move_the_root(inside: Path, tmp_path: Path) -> None:
    with Root(inside) as root:
        inside.rename(tmp_path / "moved")
        inside.symlink_to(tmp_path / "outside")
        root.write(RepoPath("file.txt"), b"ours")
    assert (tmp_path / "moved" / "file.txt").read_bytes() == b"ours"
    assert not (tmp_path / "outside" / "file.txt").exists()


def test_no_descriptor_is_left_open(inside: Path, tmp_path: Path) -> None:
    descriptors = Path("/dev/fd")
    before = len(names(descriptors))
    (inside / "a").symlink_to(tmp_path / "outside")
    with Root(inside) as root:
        for write in WRITES:
            with pytest.raises(DiskError):
                write(root, inside / "a")
        root.make_dirs(RepoPath("c/d"))
        root.write(RepoPath("c/d/e"), b"x")
    assert len(names(descriptors)) == before
