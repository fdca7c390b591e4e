"""Fakes of the ports, for suites whose subject is something else; `tests/contracts` holds them to their word.

`MemoryStore` keeps what it knows in memory. Its bytes lie in a directory, since a `Blob` has a path.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from mlxlock.errors import MismatchError
from mlxlock.fs import Digests, Hasher, hash_file
from mlxlock.ports import Advanced, Blob, Finished, Note, OnEvent, Started, ignore
from mlxlock.spec.resolution import FileEntry, RemoteFile


def digests_of(data: bytes) -> Digests:
    hasher = Hasher(len(data))
    hasher.update(data)
    return hasher.digests()


def _agree(file: FileEntry, seen: Digests) -> bool:
    pairs = ((file.git, seen.git), (file.sha256, seen.sha256), (file.blake3, seen.blake3))
    return file.size_bytes == seen.size_bytes and all(known in {None, actual} for known, actual in pairs)


class MemoryDeposit:
    """A `Deposit` whose bytes are in memory until they are committed, with a copy on disk for readers."""

    def __init__(self, store: "MemoryStore", file: FileEntry) -> None:
        self._store = store
        self._file = file
        self._there = store.find(file)
        self._bytes = store.partial.setdefault(file.etag, bytearray())
        self._copy = store.directory / f"partial-{file.etag}"

    @property
    def offset(self) -> int:
        return self._there.size_bytes if self._there else len(self._bytes)

    @property
    def path(self) -> Path:
        if self._there:
            return self._there.path
        self._copy.write_bytes(self._bytes)
        return self._copy

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        if self.offset + len(chunk) > self._file.size_bytes:
            raise self._mismatch("more bytes")
        self._bytes += chunk
        if self._copy.exists():
            self._copy.write_bytes(self._bytes)

    def restart(self) -> None:
        self._there = None
        self._bytes.clear()

    def verify(self) -> None:
        seen = digests_of(bytes(self._bytes))
        if not self._there and not _agree(self._file, seen):
            raise self._mismatch(f"{self._file.etag[:6]}: {seen}")

    def commit(self) -> Blob:
        if self._there:
            return self._there
        self.verify()
        data = bytes(self._bytes)
        self._copy.unlink(missing_ok=True)
        self._bytes.clear()
        return self._store.put(data)

    def _mismatch(self, actual: str) -> MismatchError:
        self._bytes.clear()
        details = (f"expected: {self._file}", f"actual: {actual}")
        return MismatchError(f"the bytes of `{self._file.path}` are other ones", details=details)


class MemoryIntake:
    """An `Intake` whose bytes are a list until they are committed."""

    def __init__(self, store: "MemoryStore") -> None:
        self._store = store
        self._bytes = bytearray()

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        self._bytes += chunk

    def commit(self) -> Blob:
        return self._store.put(bytes(self._bytes))


class MemoryStore:
    """A `BlobStore` for one process.

    Attributes:
        partial: The bytes of deposits that were left early, by etag.
        adoptable: What a Hugging Face cache would have, by etag.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._blobs: dict[str, Blob] = {}
        self._locks: dict[str, Lock] = {}
        self.partial: dict[str, bytearray] = {}
        self.adoptable: dict[str, bytes] = {}

    def put(self, data: bytes) -> Blob:
        """Have these bytes."""
        seen = digests_of(data)
        assert seen.blake3 is not None
        assert seen.sha256 is not None
        path = self.directory / seen.blake3
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        path.chmod(0o444)
        blob = Blob(blake3=seen.blake3, sha256=seen.sha256, size_bytes=len(data), path=path)
        self._blobs.update({name: blob for name in (seen.blake3, seen.sha256, seen.git) if name})
        return blob

    def find(self, file: FileEntry) -> Blob | None:
        blob = self._blobs.get(file.blake3 or file.sha256 or file.etag)
        return blob if blob and _agree(file, hash_file(blob.path)) else None

    @contextmanager
    def deposit(self, file: FileEntry) -> Iterator[MemoryDeposit]:
        with self._locks.setdefault(file.etag, Lock()):
            yield MemoryDeposit(self, file)

    @contextmanager
    def intake(self) -> Iterator[MemoryIntake]:
        yield MemoryIntake(self)

    def adopt(self, files: Sequence[RemoteFile], on_event: OnEvent = ignore) -> tuple[RemoteFile, ...]:
        missing = tuple(remote for remote in files if self.find(remote.file) is None)
        there = [remote for remote in missing if remote.file.etag in self.adoptable]
        if there:
            total = sum(remote.file.size_bytes for remote in there)
            on_event(Started(task="adopt", label="Adopting", total=total))
        for remote in there:
            self._adopt_one(remote.file, on_event)
        if there:
            on_event(Finished(task="adopt"))
        return tuple(remote for remote in missing if self.find(remote.file) is None)

    def _adopt_one(self, file: FileEntry, on_event: OnEvent) -> None:
        data = self.adoptable[file.etag]
        if _agree(file, digests_of(data)):
            self.put(data)
            on_event(Advanced(task="adopt", amount=len(data)))
        else:
            on_event(Note(text=f"`{file.path}` is not adopted: other bytes", level="warning"))
