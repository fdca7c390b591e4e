"""The loopback Hub that records."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from socket import socket

    from mlxlock.errors import MlxlockError
    from mlxlock.spec.names import RepoPath
    from mlxlock.spec.record import Exchange, Pin


Withhold = Callable[["RepoPath"], str | None]
"""Says why a file of a repo is not given to a child; None when it is."""


def withhold_nothing(_path: RepoPath) -> None:
    """A `Withhold` for children that may have everything."""


class Mirror(Protocol):
    """The loopback Hub: serves pinned commits to a sandboxed child and records what it asks for."""

    @property
    def prefix(self) -> str:
        """The secret path that comes before every request, e.g. `/3f9c…`."""
        ...

    def serve(self, listener: socket) -> AbstractContextManager[None]:
        """Answer on `listener` until the context is left."""
        ...

    def exchanges(self) -> tuple[Exchange, ...]:
        """Every request so far, in order."""
        ...

    def pins(self) -> tuple[Pin, ...]:
        """Every symbolic revision asked for so far, with what it meant."""
        ...

    def fetching_s(self) -> float:
        """For how many seconds, so far, something was being fetched for a child."""
        ...

    def failures(self) -> tuple[MlxlockError, ...]:
        """What kept the mirror from serving, such as bytes that are not what they should be."""
        ...
