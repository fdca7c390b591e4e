"""The seams to what is not the Hub: URLs, the proxy through which a first run may ask for them, archives.

`Web` asks in our own name, `Egress` on behalf of a sandboxed child and with a record, `Archives` takes files
out of what either brought. Like `ports`, of which this is the smaller half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:  # as in `ports`: whoever shows progress needs none of these
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path
    from socket import socket

    from mlxlock.errors import MismatchError
    from mlxlock.ports import Blob, BlobStore, IntakeStore, OnEvent
    from mlxlock.spec.effects import Download, Member
    from mlxlock.spec.record import Body, Exchange

Read = Literal["GET", "HEAD"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAnswer:
    """What one server answered.

    Attributes:
        headers: By lower-case name.
        location: Where it redirects to, absolute and with its query; None when it does not.
        chunks: The body as it arrives. Raises `DownloadError` when it breaks off.
    """

    status: int
    headers: Mapping[str, str]
    location: str | None
    chunks: Iterator[bytes]


class Web(Protocol):
    """Plain HTTP in our own name: by the user's proxies, certificates really verified."""

    def open(self, method: Read, url: str, headers: Mapping[str, str]) -> AbstractContextManager[WebAnswer]:
        """Ask one server once; redirects are answers.

        Args:
            method: `GET` or `HEAD`.
            url: Absolute.
            headers: Besides those that every request has.

        Raises:
            DownloadError: It does not answer, or cannot be trusted.
        """
        ...

    def fetch(self, downloads: Sequence[Download], store: BlobStore, on_event: OnEvent) -> None:
        """Bring each into the store: hashed as it arrives, compared with the lock before it gets a name.

        What the store has costs nothing, what was interrupted continues.

        Raises:
            MismatchError: The bytes are not the locked ones.
            DownloadError: The server does not give any.
            OfflineMissingError: Nobody may be asked.
            DiskError: The store's disk refuses.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """Where a child finds its way out.

    Attributes:
        url: With user, password and the port's placeholder.
        certificate: A PEM file of the authority to trust, where the child sees it.
    """

    url: str
    certificate: Path


class Egress(Protocol):
    """The proxy by which a child reaches what is not the Hub: denied and noted, unless a host is allowed."""

    @property
    def login(self) -> str:
        """`user:password` that a client has to name."""
        ...

    @property
    def certificate(self) -> bytes:
        """PEM of the authority that a client has to trust."""
        ...

    def serve(self, listener: socket) -> AbstractContextManager[None]:
        """Answer on `listener` until the context is left."""
        ...

    def exchanges(self) -> tuple[Exchange, ...]:
        """Every request so far, in the order of the answers."""
        ...

    def bodies(self) -> tuple[Body, ...]:
        """What came whole, and is in the store."""
        ...

    def failures(self) -> tuple[MismatchError, ...]:
        """Each URL that gave other bytes than it has to give, which nobody has got whole."""
        ...


class Archives(Protocol):
    """Files packed into one: zip (and so wheels), and tar by whatever compression this Python can read."""

    def find(self, archive: Blob, sizes: Collection[int], store: IntakeStore) -> Iterator[tuple[str, Blob]]:
        """The members of these sizes, by name, each brought into the store; none when it is no archive."""
        ...

    def unpack(self, archive: Blob, members: Sequence[Member], store: BlobStore) -> None:
        """Bring members into the store, compared with the lock before they get a name.

        Raises:
            MismatchError: One is missing, or has other bytes.
            DiskError: The store's disk refuses.
        """
        ...
