"""A store that lets somebody watch one file arrive.

Owns what the watcher is told, and when: bytes once they are written, the end once they are verified, and
that bytes count no more before anything else happens to them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from mlxlock.errors import MismatchError
from mlxlock.ports import Blob, BlobStore, Deposit, OnEvent, ignore
from mlxlock.spec.resolution import FileEntry, RemoteFile


class Watcher(Protocol):
    """Who is told."""

    def follow(self, path: Path) -> None:
        """An empty file is there; what arrives can be read from it."""
        ...

    def grow(self, written: int) -> None:
        """So many bytes are in it."""
        ...

    def spoil(self, why: MismatchError) -> None:
        """What is in it counts no more."""
        ...

    def verify(self) -> None:
        """All of it is there, and right."""
        ...


class Tap:
    """A `ports.BlobStore` for the fetch of one file.

    Args:
        inner: The store.
        watcher: Told of the one deposit.
    """

    def __init__(self, inner: BlobStore, watcher: Watcher) -> None:
        self._inner = inner
        self._watcher = watcher

    def find(self, file: FileEntry) -> Blob | None:
        """As the store does."""
        return self._inner.find(file)

    def adopt(self, files: Sequence[RemoteFile], on_event: OnEvent = ignore) -> tuple[RemoteFile, ...]:
        """As the store does."""
        return self._inner.adopt(files, on_event)

    @contextmanager
    def deposit(self, file: FileEntry) -> Iterator[Deposit]:
        """As the store does; a deposit that has bytes of an earlier run is not watched."""
        with self._inner.deposit(file) as inner:
            if inner.offset:
                yield inner
                return
            self._watcher.follow(inner.path)
            yield _Watched(inner, self._watcher, file)


class _Watched:
    """A `ports.Deposit` that tells."""

    def __init__(self, inner: Deposit, watcher: Watcher, file: FileEntry) -> None:
        self._inner = inner
        self._watcher = watcher
        self._file = file

    @property
    def offset(self) -> int:
        return self._inner.offset

    @property
    def path(self) -> Path:
        return self._inner.path

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        with self._spoiling():
            self._inner.write(chunk)
        self._watcher.grow(self._inner.offset)

    def restart(self) -> None:
        self._watcher.spoil(MismatchError(f"`{self._file.path}` was begun again after some of it was sent"))
        self._inner.restart()
        self._watcher.follow(self._inner.path)

    def verify(self) -> None:
        with self._spoiling():
            self._inner.verify()

    def commit(self) -> Blob:
        self.verify()
        self._watcher.verify()
        return self._inner.commit()

    @contextmanager
    def _spoiling(self) -> Iterator[None]:
        try:
            yield
        except MismatchError as error:
            self._watcher.spoil(error)
            raise
