"""One blob on its way into the store: hashed as it comes, compared before it gets a name.

Owns the files in `partial/`. Appends to its own and never changes another: what it finds there may be a hard
link to somebody else's file.
"""

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from mlxlock.errors import MismatchError
from mlxlock.fs import Algorithm, Digests, Hasher, disk_errors, read_chunks, write_all
from mlxlock.ports import Blob
from mlxlock.spec.resolution import FileEntry
from mlxlock.store.shelves import Shelves

# A blob that a power cut takes back has another stat than its record and is hashed again, so that only what
# is dear to fetch again is worth waiting for the disk. Git weighs its loose objects the same way.
_SYNC_BYTES: Final = 8 << 20
_OPEN: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW: Final = _OPEN | os.O_CREAT | os.O_EXCL
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def partial_key(file: FileEntry) -> str:
    """The name of a download: by what the Hub asserts, which is known before the bytes are.

    Raises:
        ValueError: No hash but blake3 is known.
    """
    return f"git-{file.git}" if file.git else f"sha256-{file.etag}"


def _ignore(_count: int) -> None:
    """What is told how many bytes were hashed, when nobody listens."""


class FileDeposit:
    """A `Deposit` in a `DirectoryStore`. Whoever makes one holds the lock of its key, and closes it.

    Args:
        shelves: The store.
        file: Whose bytes they are.
    """

    def __init__(self, shelves: Shelves, file: FileEntry) -> None:
        self._shelves = shelves
        self._file = file
        self._existing: Blob | None = None
        self._path = shelves.partial(partial_key(file))
        self._fd: int | None = None
        self._hasher = self._new_hasher()
        self._hashed_mtime_ns: int | None = None

    def _new_hasher(self) -> Hasher:
        algorithms: tuple[Algorithm, ...] = (
            ("blake3", "sha256", "git") if self._file.git else ("blake3", "sha256")
        )
        return Hasher(self._file.size_bytes, algorithms)

    @property
    def offset(self) -> int:
        """How many bytes are there, and hashed."""
        return self._existing.size_bytes if self._existing else self._hasher.count

    # --- the file

    def resume(self, existing: Blob | None) -> None:
        """Begin with what is there.

        Args:
            existing: The blob, when the store has it: then all bytes are there already.

        Raises:
            DiskError: The disk refuses.
        """
        self._existing = existing
        if existing is None:
            self._resume_partial()

    def _resume_partial(self) -> None:
        with disk_errors(self._path, doing="read"):
            self._fd = self._open_partial()
        if self._fd is None:
            self.restart()
            return
        self._hash_what_is_there(self._fd, _ignore)
        complete = self._hasher.count == self._file.size_bytes
        if complete and _differences(self._file, self._hasher.digests()):
            self.restart()

    def _open_partial(self) -> int | None:
        """What an earlier run left, if it is ours alone and not too long."""
        try:
            fd = os.open(self._path, _OPEN)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ELOOP}:
                return None
            raise
        found = os.fstat(fd)
        if stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_size <= self._file.size_bytes:
            return fd
        os.close(fd)
        return None

    def _hash_what_is_there(self, fd: int, on_bytes: Callable[[int], None]) -> None:
        with disk_errors(self._path, doing="read"):
            self._hashed_mtime_ns = os.fstat(fd).st_mtime_ns
            self._hasher = self._new_hasher()
            for chunk in read_chunks(fd):
                self._hasher.update(chunk)
                on_bytes(len(chunk))

    def restart(self) -> None:
        """Forget what is there and begin at zero."""
        self._discard()
        self._existing = None
        self._hasher = self._new_hasher()
        with disk_errors(self._path, doing="make"):
            self._fd = os.open(self._path, _NEW, 0o600)

    def _discard(self) -> None:
        self._close_descriptor()
        with disk_errors(self._path, doing="remove"):
            self._path.unlink(missing_ok=True)

    def _close_descriptor(self) -> None:
        self._hashed_mtime_ns = None
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def close(self) -> None:
        """Leave: the bytes stay for the next deposit, if there are any."""
        self._close_descriptor()
        if self.offset == 0:
            self._discard()

    def _descriptor(self) -> int:
        if self._fd is None:
            raise ValueError(f"the deposit of {self._file.path!r} is spent")
        return self._fd

    # --- the bytes

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append bytes.

        Raises:
            MismatchError: More bytes than the expected size; all of them are gone.
            DiskError: The disk refuses; what was written before stays.
        """
        if not chunk:
            return
        if self.offset + len(chunk) > self._file.size_bytes:
            self._discard()
            raise self._mismatch((f"expected: {self._file.size_bytes} bytes", "actual: more"))
        fd = self._descriptor()
        with disk_errors(self._path):
            os.lseek(fd, self._hasher.count, os.SEEK_SET)  # over what a refused write left behind
            write_all(fd, chunk)
        self._hashed_mtime_ns = None
        self._hasher.update(chunk)

    def take(self, place: Callable[[Path], bool], on_bytes: Callable[[int], None] = _ignore) -> bool:
        """Take a whole file instead: brought by `place`, then hashed through our own descriptor of it.

        Args:
            place: Makes a file at a path in the store by clone or link; False when it cannot.
            on_bytes: Told how many bytes more were hashed.

        Returns:
            Whether it was brought; `commit` says whether it is right.

        Raises:
            DiskError: The disk refuses.
        """
        temporary = self._shelves.temporary()
        try:
            if not place(temporary):
                return False
            self._close_descriptor()
            with disk_errors(self._path):
                temporary.replace(self._path)
                self._fd = os.open(self._path, _READ)
        finally:
            temporary.unlink(missing_ok=True)
        self._existing = None
        self._hash_what_is_there(self._fd, on_bytes)
        return True

    # --- the end

    def commit(self) -> Blob:
        """Compare size and every known hash, then give the blob its name. The deposit is spent.

        Raises:
            MismatchError: Something differs; the bytes are gone, so that the next try starts clean.
            DiskError: The disk refuses; the bytes stay.
        """
        if self._existing:
            return self._existing
        fd = self._descriptor()
        differences = _differences(self._file, self._hasher.digests()) or self._changed_meanwhile(fd)
        if differences:
            self._discard()
            raise self._mismatch(differences)
        with disk_errors(self._path):
            found = _seal(fd)
        blob = self._shelves.shelve(self._path, self._hasher.digests(), found)
        self._close_descriptor()
        return blob

    def _changed_meanwhile(self, fd: int) -> tuple[str, ...]:
        """A file that was taken by link may be written by its other owner, after it was hashed too."""
        now_ns = os.fstat(fd).st_mtime_ns
        return () if self._hashed_mtime_ns in {None, now_ns} else ("it was written while it was hashed",)

    def _mismatch(self, details: tuple[str, ...]) -> MismatchError:
        return MismatchError(
            f"the bytes of `{self._file.path}` are not those that were promised",
            hint="run the command again; if it happens again, something on the way to the Hub changes them",
            details=details,
        )


def _seal(fd: int) -> os.stat_result:
    """Make the file what a blob is; a file with other names keeps its mode, which is theirs too."""
    found = os.fstat(fd)
    if found.st_nlink == 1:
        os.fchmod(fd, 0o444)
    if found.st_size >= _SYNC_BYTES:
        os.fsync(fd)
    return found


def _differences(file: FileEntry, digests: Digests) -> tuple[str, ...]:
    """`expected` and `actual` of each thing that is known of `file` and differs."""
    if digests.size_bytes != file.size_bytes:
        return (f"expected: {file.size_bytes} bytes", f"actual: {digests.size_bytes} bytes")
    pairs = {
        "git": (file.git, digests.git),
        "sha256": (file.sha256, digests.sha256),
        "blake3": (file.blake3, digests.blake3),
    }
    lines: list[str] = []
    for name, (expected, actual) in pairs.items():
        if expected is not None and expected != actual:
            lines += [f"expected: {name}:{expected}", f"actual: {name}:{actual}"]
    return tuple(lines)


def remove_lock(shelves: Shelves, key: str) -> None:
    """Remove a lock file, by who holds it."""
    with suppress(OSError):  # it may stay: the next holder takes it as it is
        shelves.lock(key).unlink()
