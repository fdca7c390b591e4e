"""New files on their way into a workspace: all of them complete before the first one gets its name.

Owns `.hf_cache/.mlxk_stage` and how bytes get there from the store: clone, hard link, else a copy that is
hashed while it is made. Never touches anything outside that directory.
"""

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlxlock.errors import DiskError
from mlxlock.fs import Root, disk_errors, free_bytes, write_all
from mlxlock.planning.layout import CACHE_DIR
from mlxlock.ports import LinkMode
from mlxlock.spec.digest import Blake3
from mlxlock.spec.names import RepoPath
from mlxlock.workspace.index import Entry, Stamp

STAGE_PATH: Final = RepoPath(f"{CACHE_DIR}/.mlxk_stage")
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_SYMLINK: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
_BLOCK_BYTES: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytes:
    """A file that exists somewhere, complete and not to be written.

    Attributes:
        large: Worth a hard link where a clone is not to be had; people edit the others, which would write
            through the link.
    """

    path: Path
    identity: Blake3
    size_bytes: int
    large: bool


@contextmanager
def staging(root: Root, link_mode: LinkMode) -> Iterator["Stage"]:
    """An empty stage, gone at the end; what a killed run left in it goes first.

    Raises:
        DiskError: The disk refuses.
    """
    root.make_dirs(STAGE_PATH)
    with root.below(STAGE_PATH) as directory:
        _empty(directory)
        try:
            yield Stage(directory, root.path, link_mode)
        finally:
            with suppress(DiskError):  # the next run empties it
                _empty(directory)
                root.rmdir(STAGE_PATH)


def _empty(directory: Root) -> None:
    with disk_errors(directory.path, doing="empty"):
        for entry in directory.entries():
            os.unlink(entry.name, dir_fd=directory.fd)


class Stage:
    """What an apply will put, under numbers.

    Attributes:
        directory: Where they are.
        names: The number of each path.
        entries: What each path that is a regular file will hold, with its stamp in here.
        links: Where each path that is a symlink will point.
    """

    def __init__(self, directory: Root, workspace: Path, link_mode: LinkMode) -> None:
        self.directory = directory
        self._workspace = workspace
        self.names: dict[RepoPath, RepoPath] = {}
        self.entries: dict[RepoPath, Entry] = {}
        self.links: dict[RepoPath, str] = {}
        self._link_mode = link_mode
        self._may_clone = link_mode in {"auto", "clone"}
        self._may_link = link_mode in {"auto", "hardlink"}

    def add_files(self, sources: Mapping[RepoPath, Bytes], on_file: Callable[[], None]) -> None:
        """Bring files in: what costs no space first, then what has to be copied, if that much space is there.

        Args:
            sources: The bytes of each path.
            on_file: Called after each.

        Raises:
            DiskError: There is too little space, or the link mode cannot be had here.
            MismatchError: A source is not what it should be.
        """
        rest: dict[RepoPath, Bytes] = {}
        for path, source in sources.items():
            if self._share(path, source):
                on_file()
            else:
                rest[path] = source
        self._copy(rest, on_file)

    def add_bytes(self, path: RepoPath, data: bytes, identity: Blake3) -> None:
        """Write a small file."""
        with self._created(self._next(path)) as fd:
            write_all(fd, data)
        self._note(path, identity)

    def replace(self, root: Root, path: RepoPath, data: bytes) -> None:
        """Give a file of the workspace new bytes at once; a kill leaves the old ones, and no litter."""
        name = RepoPath("replacement")
        with self._created(name) as fd:
            write_all(fd, data)
            os.fsync(fd)
        root.rename(STAGE_PATH / name, path)

    def add_link(self, path: RepoPath, target: str) -> bool:
        """Make a symlink; False where the filesystem has none."""
        name = self._next(path)
        with disk_errors(self.directory.path, doing="make a link in"):
            try:
                os.symlink(target, name, dir_fd=self.directory.fd)
            except OSError as error:
                if error.errno not in _NO_SYMLINK:
                    raise
                return False
        self.links[path] = target
        return True

    def add_stand_ins(self, sources: Mapping[RepoPath, Bytes]) -> None:
        """Give files second names inside the workspace, or copy them where there are no hard links either.

        Raises:
            DiskError: There is too little space for the copies.
        """
        self._copy(
            {path: source for path, source in sources.items() if not self._link(path, source)}, _unheard
        )

    def source_of(self, path: RepoPath) -> Path | None:
        """Where the bytes of a staged file are until it gets its name."""
        return self.directory.path / self.names[path] if path in self.entries else None

    def _require_space(self, need_bytes: int) -> None:
        """Refuse to begin what cannot be finished.

        Raises:
            DiskError: Less than `need_bytes` is free; says how much of both.
        """
        free = free_bytes(self.directory.path)
        if need_bytes > free:
            has = f"`{self._workspace}` has {_readable(free)} free"
            raise DiskError(
                f"building the workspace needs {_readable(need_bytes)}, and {has}",
                hint="free some space there, or put the store on the same disk so that files can be shared",
            )

    def _copy(self, sources: Mapping[RepoPath, Bytes], on_file: Callable[[], None]) -> None:
        self._require_space(sum(map(_blocks, sources.values())))
        for path, source in sources.items():
            self.directory.copy(source.path, self._next(path), source.identity)
            self._note(path, source.identity)
            on_file()

    def _share(self, path: RepoPath, source: Bytes) -> bool:
        """Bring a file in without copying its bytes, if the link mode allows and the filesystem can."""
        if self._may_clone and self._clone(path, source):
            return True
        self._may_clone = False
        if self._link_mode == "clone":
            raise self._cannot("clone", source)
        if not self._may_link or not (source.large or self._link_mode == "hardlink"):
            return False
        if not self._link(path, source):
            if self._link_mode == "hardlink":
                raise self._cannot("hard-link", source)
            return False
        return True

    def _clone(self, path: RepoPath, source: Bytes) -> bool:
        done = self.directory.clone(source.path, self._next(path))
        if done:
            self._note(path, source.identity)
        return done

    def _link(self, path: RepoPath, source: Bytes) -> bool:
        done = self.directory.hardlink(source.path, self._next(path))
        if done:
            self._note(path, source.identity)
        return done

    def _cannot(self, verb: str, source: Bytes) -> DiskError:
        reason = f"cannot {verb} `{source.path}` into `{self._workspace}`: these disks do not allow it"
        return DiskError(reason, hint="use `--link-mode=copy`, or `--link-mode=auto` for the best that works")

    @contextmanager
    def _created(self, name: RepoPath) -> Iterator[int]:
        with disk_errors(self.directory.path):
            fd = os.open(name, _CREATE, 0o644, dir_fd=self.directory.fd)
            try:
                yield fd
            finally:
                os.close(fd)

    def _next(self, path: RepoPath) -> RepoPath:
        return self.names.setdefault(path, RepoPath(str(len(self.names))))

    def _note(self, path: RepoPath, identity: Blake3) -> None:
        with disk_errors(self.directory.path, doing="look into"):
            status = os.stat(self.names[path], dir_fd=self.directory.fd, follow_symlinks=False)
        self.entries[path] = Entry(Stamp.of(status), identity)


class TreeStage(Stage):
    """A stage whose files have their own names already: it becomes a directory of its own as a whole."""

    def _next(self, path: RepoPath) -> RepoPath:
        if path not in self.names and "/" in path:
            self.directory.make_dirs(RepoPath(path.rpartition("/")[0]))
        return self.names.setdefault(path, path)


def _unheard() -> None:
    pass


def _blocks(source: Bytes) -> int:
    return -(-source.size_bytes // _BLOCK_BYTES) * _BLOCK_BYTES


def _readable(size_bytes: int) -> str:
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size_bytes >= scale:
            return f"{size_bytes / scale:.1f} {unit}"
    return f"{size_bytes} bytes"
