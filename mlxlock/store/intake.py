"""Bytes on their way into the store whose identity nobody knows yet: hashed as they come, then named by it.

Owns one file in `tmp/`. There is nothing to compare them with, so nothing may be taken for granted of them
but that they are these bytes.
"""

import os
from typing import Final

from mlxlock.fs import Algorithm, Hasher, disk_errors, write_all
from mlxlock.ports import Blob
from mlxlock.store.deposit import seal
from mlxlock.store.shelves import Shelves

_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SEEN: Final[tuple[Algorithm, ...]] = ("blake3", "sha256")


class FileIntake:
    """An `Intake` of a `DirectoryStore`.

    Args:
        shelves: The store.

    Raises:
        DiskError: The disk refuses.
    """

    def __init__(self, shelves: Shelves) -> None:
        self._shelves = shelves
        self._path = shelves.temporary()
        self._hasher = Hasher(0, _SEEN)
        with disk_errors(self._path):
            self._fd = os.open(self._path, _NEW, 0o600)

    @property
    def size_bytes(self) -> int:
        """How many bytes have come."""
        return self._hasher.count

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append bytes.

        Raises:
            DiskError: The disk refuses.
        """
        with disk_errors(self._path):
            write_all(self._fd, chunk)
        self._hasher.update(chunk)

    def commit(self) -> Blob:
        """Give the bytes the name that follows from them. The intake is spent.

        Raises:
            DiskError: The disk refuses.
        """
        with disk_errors(self._path):
            found = seal(self._fd)
        return self._shelves.shelve(self._path, self._hasher.digests(), found)

    def close(self) -> None:
        """Leave; without `commit`, the bytes are gone."""
        os.close(self._fd)
        self._path.unlink(missing_ok=True)
