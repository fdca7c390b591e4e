"""One blob on its way into the store: hashed as it comes, compared before it gets a name.

Owns the files in `partial/`. Each is its own lock: a lock file beside it would be made and removed for every
blob, and after so many removals ext4 makes files several times slower for a while.
"""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlxlock.errors import MismatchError, StoreError
from mlxlock.fs import ALGORITHMS, Algorithm, Digests, Hasher, disk_errors, read_chunks, write_all
from mlxlock.ports import Blob
from mlxlock.spec.resolution import FileEntry
from mlxlock.store.shelves import Shelves

# A blob that a power cut takes back has another stat than its record and is hashed again, so that only what
# is dear to fetch again is worth waiting for the disk. Git weighs its loose objects the same way.
_SYNC_BYTES: Final = 8 << 20
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def partial_key(file: FileEntry) -> str:
    """The name of a download: by what the Hub asserts, which is known before the bytes are.

    Raises:
        ValueError: No hash but blake3 is known.
    """
    return f"git-{file.git}" if file.git else f"sha256-{file.etag}"


def _ignore(_count: int) -> None:
    """What is told how many bytes were hashed, when nobody listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """A file that was brought whole, in `tmp`: perhaps one that others can write."""

    path: Path
    fd: int
    mtime_ns: int


class FileDeposit:
    """A `Deposit` in a `DirectoryStore`, as long as the lock of its partial file is held.

    Args:
        shelves: The store.
        file: Whose bytes they are.
        fd: The locked partial file, for reading and writing; closed by who locked it.
        existing: The blob, when the store has it: then all bytes are there already.

    Raises:
        DiskError: The disk refuses.
        StoreError: The partial file is not ours alone.
    """

    def __init__(self, shelves: Shelves, file: FileEntry, fd: int, existing: Blob | None) -> None:
        self._shelves = shelves
        self._file = file
        self._path = shelves.partial(partial_key(file))
        self._fd: int | None = fd
        self._existing = existing
        self._taken: _Taken | None = None
        self._hasher = self._new_hasher()
        self._refuse_foreign(fd)
        if existing is None:
            self._resume(fd)

    def _new_hasher(self) -> Hasher:
        algorithms: tuple[Algorithm, ...] = ALGORITHMS if self._file.git else ("blake3", "sha256")
        return Hasher(self._file.size_bytes, algorithms)

    @property
    def offset(self) -> int:
        """How many bytes are there, and hashed."""
        return self._existing.size_bytes if self._existing else self._hasher.count

    @property
    def path(self) -> Path:
        """Where the first `offset` bytes are, until `commit` gives the file another name."""
        if self._existing is not None:
            return self._existing.path
        return self._path if self._taken is None else self._taken.path

    # --- the file

    def _refuse_foreign(self, fd: int) -> None:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise StoreError(f"`{self._path}` is not a file of this store alone", hint="remove it")

    def _resume(self, fd: int) -> None:
        too_long = os.fstat(fd).st_size > self._file.size_bytes
        if not too_long:
            self._hash_what_is_there(fd, _ignore)
        complete = self._hasher.count == self._file.size_bytes
        if too_long or (complete and _differences(self._file, self._hasher.digests())):
            self.restart()

    def _hash_what_is_there(self, fd: int, on_bytes: Callable[[int], None]) -> None:
        self._hasher = self._new_hasher()
        with disk_errors(self._path, doing="read"):
            for chunk in read_chunks(fd):
                self._hasher.update(chunk)
                on_bytes(len(chunk))

    def restart(self) -> None:
        """Forget what is there and begin at zero."""
        fd = self._descriptor()
        self._drop_taken()
        self._existing = None
        self._hasher = self._new_hasher()
        with disk_errors(self._path):
            os.ftruncate(fd, 0)

    def _drop_taken(self) -> None:
        if self._taken is not None:
            os.close(self._taken.fd)
            self._taken.path.unlink(missing_ok=True)
            self._taken = None

    def close(self) -> None:
        """Leave: the bytes stay for the next deposit, if there are any."""
        self._drop_taken()
        if self._fd is not None and os.fstat(self._fd).st_size == 0:
            self._path.unlink(missing_ok=True)
        self._fd = None

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
        fd = self._descriptor()
        if self.offset + len(chunk) > self._file.size_bytes:
            self.restart()
            raise self._mismatch((f"expected: {self._file.size_bytes} bytes", "actual: more"))
        with disk_errors(self._path):
            os.lseek(fd, self._hasher.count, os.SEEK_SET)  # over what a refused write left behind
            write_all(fd, chunk)
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
        path = self._shelves.temporary()
        try:
            if not place(path):
                return False
            with disk_errors(path):
                fd = os.open(path, _READ)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self.restart()
        self._taken = _Taken(path=path, fd=fd, mtime_ns=os.fstat(fd).st_mtime_ns)
        self._hash_what_is_there(fd, on_bytes)
        return True

    # --- the end

    def verify(self) -> None:
        """Compare size and every known hash.

        Raises:
            MismatchError: Something differs; the bytes are gone, so that the next try starts clean.
        """
        if self._existing:
            return
        differences = _differences(self._file, self._hasher.digests()) or self._changed_meanwhile()
        if differences:
            self.restart()
            raise self._mismatch(differences)

    def commit(self) -> Blob:
        """Compare size and every known hash, then give the blob its name. The deposit is spent.

        Raises:
            MismatchError: Something differs; the bytes are gone, so that the next try starts clean.
            DiskError: The disk refuses; the bytes stay.
        """
        fd = self._descriptor()
        if self._existing:
            return self._existing
        self.verify()
        source = self._taken or _Taken(path=self._path, fd=fd, mtime_ns=0)
        with disk_errors(source.path):
            found = seal(source.fd)
        blob = self._shelves.shelve(source.path, self._hasher.digests(), found)
        if self._taken is None:
            self._fd = None  # it is the blob's now: nobody may write it any more
        return blob

    def _changed_meanwhile(self) -> tuple[str, ...]:
        """A file that was taken by link may be written by its other owner, also after it was hashed."""
        if self._taken is None or os.fstat(self._taken.fd).st_mtime_ns == self._taken.mtime_ns:
            return ()
        return ("it was written while it was hashed",)

    def _mismatch(self, details: tuple[str, ...]) -> MismatchError:
        return MismatchError(
            f"the bytes of `{self._file.path}` are not those that were promised",
            hint="run the command again; if it happens again, something on the way to the Hub changes them",
            details=details,
        )


def seal(fd: int) -> os.stat_result:
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
