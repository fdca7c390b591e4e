"""The parent's half of the handover with `stub`: order out, listeners in, then the word to go.

Owns the exchange over the socketpair and what can go wrong in it. Never starts a process.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from socket import recv_fds, socket
from typing import Any, Final

from mlxlock.capture.confinement import Confinement

_MAX_ANSWER_BYTES: Final = 1 << 16
_MAX_FDS: Final = 16


class HandoffError(Exception):
    """The stub did not get as far as being ready.

    Attributes:
        reason: What the stub said; None when it said nothing, so that the sandbox around it is to blame.
    """

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the stub is to do.

    Attributes:
        ports: The loopback ports to listen on in there, by service.
        memory_bytes: How much memory of its own the child may have, or None.
        own_processes: Whether the inside has process ids of its own, so that its number 1 can be waited for.
        guarded: Whether the stub stays to end the child with all that it started.
        mark: What tells the processes of this run from all others on macOS.
        confinement: What the stub puts around the child; None when the sandbox around it is enough.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    ports: Mapping[str, int]
    memory_bytes: int | None
    own_processes: bool
    guarded: bool
    mark: str | None
    confinement: Confinement | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What the stub handed out; the receiver closes all of it.

    Attributes:
        listeners: The listening sockets made inside, by service.
        init: A pidfd of the process whose end is the end of everything inside.
    """

    listeners: Mapping[str, int]
    init: int | None


def exchange(control: socket, order: Order, *, timeout_s: float) -> Handed:
    """Give the order and take what comes back; the stub then waits for `release`.

    Raises:
        HandoffError: The stub refused, or was gone or silent.
    """
    control.settimeout(timeout_s)
    try:
        control.sendall(json.dumps(asdict(order)).encode() + b"\n")
        answer, descriptors = _receive(control)
    except TimeoutError as error:
        raise HandoffError(f"it was not ready after {timeout_s:.0f} s") from error
    except OSError as error:
        raise HandoffError from error
    if "error" in answer:
        raise HandoffError(str(answer["error"]))
    init = descriptors.pop() if answer["init"] else None
    return Handed(listeners=dict(zip(answer["listeners"], descriptors, strict=True)), init=init)


def release(control: socket) -> None:
    """Let the stub become the child."""
    control.sendall(b"\n")


def _receive(control: socket) -> tuple[dict[str, Any], list[int]]:
    text, descriptors = b"", list[int]()
    while not text.endswith(b"\n"):
        chunk, received, _, _ = recv_fds(control, _MAX_ANSWER_BYTES, _MAX_FDS)
        descriptors += received
        if not chunk:
            raise HandoffError
        text += chunk
    return json.loads(text), descriptors
