"""A directory held open, below which no symlink is ever followed.

Whoever swaps a directory for a symlink while we work gets a `DiskError`, not our writes somewhere else.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from mlxlock.fs.atomic import write_at
from mlxlock.fs.copying import clone_at, copy_at, hardlink_at
from mlxlock.fs.hashing import ALGORITHMS, Algorithm, Digests, hash_file, open_regular
from mlxlock.fs.refusals import disk_errors
from mlxlock.spec.digest import Blake3
from mlxlock.spec.names import RepoPath

_ROOT: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_BELOW: Final = _ROOT | os.O_NOFOLLOW
_ABSENT: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class Root:
    """A directory and its descriptor; every path is relative to it, component by component, without symlinks.

    Use it as a context manager. All methods but those that say otherwise raise `DiskError` when the
    filesystem refuses, also for a component that is a symlink or a file.

    Attributes:
        path: For messages; the descriptor is what counts.
        fd: Valid until the context is left.
    """

    __slots__ = ("fd", "path")

    def __init__(self, path: Path, *, fd: int | None = None) -> None:
        """Open a directory (`path` itself may lead through symlinks), or take over a descriptor of it.

        Raises:
            DiskError: It cannot be opened.
        """
        self.path = path
        with disk_errors(path, doing="open"):
            self.fd = os.open(path, _ROOT) if fd is None else fd

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.fd)

    def below(self, path: RepoPath) -> "Root":
        """Open a directory below this one as a root of its own."""
        with disk_errors(self.path / path, doing="open"):
            return Root(self.path / path, fd=_walk(self.fd, path))

    @contextmanager
    def _parent(self, path: RepoPath, doing: str) -> Iterator[tuple[int, str]]:
        """The descriptor of the directory that holds `path`, and its name there."""
        head, _, name = path.rpartition("/")
        with disk_errors(self.path / path, doing=doing):
            fd = _walk(self.fd, head)
            try:
                yield fd, name
            finally:
                os.close(fd)

    # --- looking

    def lstat(self, path: RepoPath) -> os.stat_result | None:
        """What is at `path`, or None: also when a parent is missing, a file or a symlink."""
        with disk_errors(self.path / path, doing="look at"):
            try:
                return self._lstat(path)
            except OSError as error:
                if error.errno in _ABSENT:
                    return None
                raise

    def _lstat(self, path: RepoPath) -> os.stat_result:
        head, _, name = path.rpartition("/")
        fd = _walk(self.fd, head)
        try:
            return os.stat(name, dir_fd=fd, follow_symlinks=False)
        finally:
            os.close(fd)

    def entries(self) -> tuple[os.DirEntry[str], ...]:
        """What is directly in this directory; an entry's `stat` works until the root is closed."""
        with disk_errors(self.path, doing="list"), os.scandir(self.fd) as listing:
            return tuple(listing)

    def readlink(self, path: RepoPath) -> str:
        """Where the symlink at `path` points."""
        with self._parent(path, "read") as (fd, name):
            return os.readlink(name, dir_fd=fd)

    @contextmanager
    def opened(self, path: RepoPath) -> Iterator[int]:
        """A descriptor of the regular file at `path`, for reading."""
        with self._parent(path, "read") as (parent, name), open_regular(name, dir_fd=parent) as fd:
            yield fd

    def read(self, path: RepoPath) -> bytes:
        """All bytes of a small file."""
        with self.opened(path) as fd, open(fd, "rb", closefd=False) as stream:
            return stream.read()

    def hash(
        self, path: RepoPath, algorithms: tuple[Algorithm, ...] = ALGORITHMS
    ) -> tuple[Digests, os.stat_result]:
        """The digests of the file at `path`, with the stat it had then."""
        with self.opened(path) as fd:
            return hash_file(fd, algorithms), os.fstat(fd)

    # --- changing

    def make_dirs(self, path: RepoPath, mode: int = 0o777) -> None:
        """Make a directory and every one above it; those that exist are left as they are."""
        with disk_errors(self.path / path, doing="make"):
            os.close(_walk(self.fd, path, make_mode=mode))

    def write(self, path: RepoPath, data: bytes, *, mode: int = 0o644) -> bool:
        """`write_atomic` below this root; its directory must exist."""
        with self._parent(path, "write") as (fd, name):
            return write_at(fd, name, data, mode)

    def symlink(self, path: RepoPath, target: str) -> None:
        """Make a symlink; nothing may be at `path`."""
        with self._parent(path, "make the link") as (fd, name):
            os.symlink(target, name, dir_fd=fd)

    def clone(self, src: Path | int, path: RepoPath, *, mode: int = 0o644) -> bool:
        """`fs.clone` to a path below this root."""
        with self._parent(path, "clone to") as (fd, name):
            return clone_at(src, name, mode, fd)

    def hardlink(self, src: Path, path: RepoPath) -> bool:
        """`fs.hardlink` to a path below this root."""
        with self._parent(path, "link to") as (fd, name):
            return hardlink_at(src, name, fd)

    def copy(self, src: Path, path: RepoPath, expected: Blake3, *, mode: int = 0o644) -> None:
        """`fs.copy_hashed` to a path below this root."""
        with self._parent(path, f"copy `{src}` to") as (fd, name):
            copy_at(src, name, expected, mode, fd)

    def rename(self, old: RepoPath, new: RepoPath) -> None:
        """Move `old` to `new`, in place of a file that is there."""
        with self._parent(old, "move") as (source, name), self._parent(new, "move to") as (target, new_name):
            os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)

    def unlink(self, path: RepoPath) -> bool:
        """Remove a file or symlink; False when nothing is there."""
        found = self.lstat(path)
        if found is None:
            return False
        with self._parent(path, "remove") as (fd, name):
            os.unlink(name, dir_fd=fd)
        return True

    def rmdir(self, path: RepoPath) -> bool:
        """Remove a directory; False when it is not empty, missing or no directory."""
        found = self.lstat(path)
        if found is None or not stat.S_ISDIR(found.st_mode):
            return False
        with self._parent(path, "remove") as (fd, name):
            try:
                os.rmdir(name, dir_fd=fd)
            except OSError as error:
                if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
                    return False
                raise
        return True

    def sync(self) -> None:
        """Bring this directory's names to the disk."""
        with disk_errors(self.path):
            os.fsync(self.fd)


def _walk(fd: int, path: str, *, make_mode: int | None = None) -> int:
    """A new descriptor of the directory `path` (empty: `fd` itself), reached without a symlink."""
    current = os.dup(fd)
    for part in filter(None, path.split("/")):
        try:
            if make_mode is not None:
                _make_one(part, make_mode, current)
            following = os.open(part, _BELOW, dir_fd=current)
        finally:
            os.close(current)
        current = following
    return current


def _make_one(name: str, mode: int, dir_fd: int) -> None:
    try:
        os.mkdir(name, mode, dir_fd=dir_fd)
    except FileExistsError:
        return
