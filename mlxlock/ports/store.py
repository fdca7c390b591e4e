"""The blobs of a user, shared by all projects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mlxlock.ports.progress import ignore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from mlxlock.ports.progress import OnEvent
    from mlxlock.spec.digest import Blake3, Sha256
    from mlxlock.spec.resolution import FileEntry, RemoteFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """Bytes that the store holds and has hashed itself.

    Attributes:
        path: Where they are; mode 0444, never to be written.
    """

    blake3: Blake3
    sha256: Sha256
    size_bytes: int
    path: Path


class Deposit(Protocol):
    """One blob on its way into the store: bytes in order, hashed as they come."""

    @property
    def offset(self) -> int:
        """How many bytes are already there (from an interrupted run), and hashed."""
        ...

    @property
    def path(self) -> Path:
        """Where the first `offset` bytes can be read, by whoever opens it before `commit`."""
        ...

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append bytes.

        Raises:
            MismatchError: More bytes than the expected size.
            DiskError: The disk refuses.
        """
        ...

    def restart(self) -> None:
        """Forget what is there and begin at zero."""
        ...

    def verify(self) -> None:
        """Compare size and every asserted hash with what was written.

        Raises:
            MismatchError: Something differs; the bytes are gone, so that the next try starts clean.
        """
        ...

    def commit(self) -> Blob:
        """Compare as `verify` does, then give the blob its name. The deposit is spent.

        Raises:
            MismatchError: Something differs; the bytes are gone, so that the next try starts clean.
        """
        ...


class Intake(Protocol):
    """Bytes on their way into the store whose identity nobody knows yet."""

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append bytes.

        Raises:
            DiskError: The disk refuses.
        """
        ...

    def commit(self) -> Blob:
        """Give the bytes the name that follows from them. The intake is spent."""
        ...


class BlobStore(Protocol):
    """Content-addressed bytes, shared by all projects of a user."""

    def find(self, file: FileEntry) -> Blob | None:
        """The blob with this identity (blake3, else sha256, else git id), if its bytes did not change."""
        ...

    def deposit(self, file: FileEntry) -> AbstractContextManager[Deposit]:
        """Open the one deposit for this identity; a second process waits.

        Leaving early keeps the bytes, so that the next deposit resumes.

        Raises:
            DiskError: The disk refuses.
            BusyError: Another process does not let go.
        """
        ...

    def adopt(self, files: Sequence[RemoteFile], on_event: OnEvent = ignore) -> tuple[RemoteFile, ...]:
        """Take what the user's Hugging Face cache already has, verified; return what is still missing."""
        ...


class IntakeStore(BlobStore, Protocol):
    """A store that also takes bytes of which nobody promised anything: what is fetched for the first time."""

    def intake(self) -> AbstractContextManager[Intake]:
        """Open a place for them; left without `commit`, they are gone.

        Raises:
            DiskError: The disk refuses.
        """
        ...


class SharedStore(IntakeStore, Protocol):
    """The store as all projects of a user share it: it knows whose blobs must stay."""

    def register(self, lockfile: Path) -> None:
        """Remember that a lockfile uses this store, so that what it names stays; once is enough.

        Raises:
            DiskError: The disk refuses.
        """
        ...
