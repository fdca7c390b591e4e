"""One blob on its way in: appended to a partial file, hashed as it comes, compared before it gets a name.

Owns the partial file. What a killed process left there is hashed again once, and continued.
"""

import os
from collections.abc import Callable
from pathlib import Path

from mlxlock.errors import MismatchError
from mlxlock.fs import Digests, Hasher, disk_errors, read_chunks, write_all
from mlxlock.fs.hashing import ALGORITHMS, Algorithm
from mlxlock.ports import Blob
from mlxlock.spec.resolution import FileEntry
from mlxlock.spec.toml_text import shown


class PartialDeposit:
    """A `ports.Deposit` into a partial file."""

    def __init__(self, file: FileEntry, path: Path, enter: Callable[[Path, Digests], Blob]) -> None:
        self._file = file
        self._path = path
        self._enter = enter
        self._algorithms: tuple[Algorithm, ...] = ALGORITHMS if file.git else ("blake3", "sha256")
        with disk_errors(path):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._fd = os.open(path, flags, 0o600)
            self._hasher = self._hash_what_is_there()

    def _hash_what_is_there(self) -> Hasher:
        hasher = Hasher(self._file.size_bytes, self._algorithms)
        if os.fstat(self._fd).st_size > self._file.size_bytes:
            os.ftruncate(self._fd, 0)
        for chunk in read_chunks(self._fd):
            hasher.update(chunk)
        os.lseek(self._fd, hasher.count, os.SEEK_SET)
        return hasher

    @property
    def offset(self) -> int:
        """How many bytes are there, and hashed."""
        return self._hasher.count

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append bytes.

        Raises:
            MismatchError: More than the expected size.
            DiskError: The disk refuses.
        """
        if self.offset + len(chunk) > self._file.size_bytes:
            self.restart()
            raise self._mismatch(f"size: {self._file.size_bytes} bytes", "more bytes than that")
        with disk_errors(self._path):
            write_all(self._fd, chunk)
        self._hasher.update(chunk)

    def restart(self) -> None:
        """Forget what is there.

        Raises:
            DiskError: The disk refuses.
        """
        with disk_errors(self._path):
            os.ftruncate(self._fd, 0)
            os.lseek(self._fd, 0, os.SEEK_SET)
        self._hasher = Hasher(self._file.size_bytes, self._algorithms)

    def commit(self) -> Blob:
        """Compare, then give the bytes their name.

        Raises:
            MismatchError: Something differs; the bytes are gone.
            DiskError: The disk refuses.
        """
        seen = self._hasher.digests()
        for expected, actual in self._compared(seen):
            if expected != actual:
                self.restart()
                raise self._mismatch(expected, actual)
        with disk_errors(self._path):
            os.fsync(self._fd)
            os.fchmod(self._fd, 0o444)
        return self._enter(self._path, seen)

    def _compared(self, seen: Digests) -> list[tuple[str, str]]:
        file = self._file
        pairs = [(f"size: {file.size_bytes} bytes", f"size: {seen.size_bytes} bytes")]
        for name, expected, actual in (
            ("git", file.git, seen.git),
            ("sha256", file.sha256, seen.sha256),
            ("blake3", file.blake3, seen.blake3),
        ):
            if expected is not None:
                pairs.append((f"{name}: {expected}", f"{name}: {actual}"))
        return pairs

    def _mismatch(self, expected: str, actual: str) -> MismatchError:
        return MismatchError(
            f"the bytes of `{shown(self._file.path)}` are not what they should be",
            details=(f"expected {expected}", f"actual   {actual}"),
            hint="nothing was kept; try again, and if it stays so, do not trust that source",
        )

    def close(self) -> None:
        """Let go; bytes that were not committed stay for the next deposit."""
        os.close(self._fd)


class SpentDeposit:
    """A `ports.Deposit` for a blob that is in the store already."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob

    @property
    def offset(self) -> int:
        """All of it."""
        return self._blob.size_bytes

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Nothing more belongs to it.

        Raises:
            MismatchError: There are more bytes.
        """
        if len(chunk):
            raise MismatchError("more bytes came for a blob that is complete")

    def restart(self) -> None:
        """Nothing to forget."""

    def commit(self) -> Blob:
        """The blob."""
        return self._blob
