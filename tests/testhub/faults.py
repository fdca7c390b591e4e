"""What can go wrong on purpose, as values, and the book of what is still to go wrong.

Owns how a fault bends a reply. Never touches a socket: cutting, pacing and hanging are described in a
`Delivery`, and the server carries them out.
"""

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal, assert_never
from urllib.parse import unquote

from tests.testhub.content import Cut, Flipped, InMemory
from tests.testhub.messages import Incoming, Reply, Server, compress, cut_to_range, text_reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrupt:
    """Flip one bit of the file's byte at `offset`; the length stays right."""

    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncate:
    """Promise the whole body, send `at` bytes of it, drop the connection."""

    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Short:
    """Serve a file that lacks its last `by` bytes, with headers that agree."""

    by: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Answer with this status instead."""

    code: int
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    body: bytes = b'{"error": "injected"}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Close the connection without a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hang:
    """Say nothing more, until the client leaves or the Hub closes.

    Attributes:
        at: Bytes of the body that still arrive; None hangs before the status line.
        until: Once this is set, the Hub hangs up.
    """

    at: int | None = None
    until: threading.Event | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """Answer after `delay_s`, at `bytes_per_s`; None is as fast as it goes."""

    delay_s: float = 0.0
    bytes_per_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Hold the body back after `at` bytes until a test, which has seen what it waited for, sets `until`."""

    at: int
    until: threading.Event


@dataclass(frozen=True, slots=True, kw_only=True)
class NoRange:
    """Ignore `Range` and send everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongEtag:
    """Announce another ETag, in `ETag` and `X-Linked-Etag` alike."""

    etag: str = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """Refuse a signed URL as one whose time is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRef:
    """Answer as if nothing happened, and let a ref point elsewhere before the client can ask again.

    Attributes:
        ref: Full name, as `refs/heads/main`.
        commit: A commit the repo has already; see `Repo.commit(..., ref=None)`.
    """

    repo: str
    commit: str
    ref: str = "refs/heads/main"


Fault = (
    Corrupt | Truncate | Short | Status | Drop | Hang | Slow | Held | NoRange | WrongEtag | Expired | MoveRef
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A reply and how it travels.

    Attributes:
        delay_s: Wait before the status line.
        bytes_per_s: Pace of the body; None is unlimited.
        held: Where and until when the body is held back.
        stop_at: Bytes of the body after which the connection fails; -1 fails before the status line.
        failure: How it fails there.
        until: Ends a hang.
    """

    reply: Reply
    delay_s: float = 0.0
    bytes_per_s: int | None = None
    held: Held | None = None
    stop_at: int | None = None
    failure: Literal["drop", "hang"] = "drop"
    until: threading.Event | None = None


@dataclass(slots=True, kw_only=True)
class _Entry:
    pattern: re.Pattern[str]
    faults: tuple[Fault, ...]
    server: Server | None
    method: str | None
    left: int | None

    def hits(self, incoming: Incoming) -> bool:
        return (
            self.left != 0
            and self.server in {None, incoming.server}
            and self.method in {None, incoming.method}
            and self.pattern.search(unquote(incoming.target)) is not None
        )


class FaultBook:
    """The faults that wait for their request; each request takes at most one entry, oldest first."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._lock = threading.Lock()

    def add(
        self,
        match: str,
        faults: tuple[Fault, ...],
        *,
        server: Server | None,
        method: str | None,
        times: int | None,
    ) -> None:
        """Note faults for the next `times` requests whose unquoted path and query match a regex."""
        entry = _Entry(pattern=re.compile(match), faults=faults, server=server, method=method, left=times)
        with self._lock:
            self._entries.append(entry)

    def take(self, incoming: Incoming) -> tuple[Fault, ...]:
        """Return the faults for this request and count them as used."""
        with self._lock:
            for entry in self._entries:
                if entry.hits(incoming):
                    entry.left = None if entry.left is None else entry.left - 1
                    return entry.faults
        return ()

    def clear(self) -> None:
        """Forget everything that has not happened yet."""
        with self._lock:
            self._entries.clear()


def deliver(incoming: Incoming, faults: Sequence[Fault], route: Callable[[Incoming], Reply]) -> Delivery:
    """Answer a request by `route`, as far as `faults` let it."""
    if any(isinstance(fault, NoRange) for fault in faults):
        incoming = incoming.without("range")
    delivery = Delivery(reply=_canned(faults) or route(incoming))
    for fault in faults:
        delivery = _bend(delivery, fault)
    whole = delivery.reply if faults else compress(delivery.reply, incoming)
    reply = cut_to_range(whole, incoming)
    return replace(delivery, reply=reply)


def _canned(faults: Sequence[Fault]) -> Reply | None:
    for fault in faults:
        match fault:
            case Status(code=code, headers=headers, body=body):
                return Reply(status=code, headers=headers, body=InMemory(body))
            case Expired():
                return text_reply("<Error><Code>AccessDenied</Code></Error>", status=403)
            case _:
                continue
    return None


def _bend(delivery: Delivery, fault: Fault) -> Delivery:
    reply = delivery.reply
    match fault:
        case Corrupt(offset=offset):
            return replace(delivery, reply=replace(reply, body=Flipped(inner=reply.body, offset=offset)))
        case Short(by=by):
            size = max(reply.body.size - by, 0)
            return replace(delivery, reply=replace(reply, body=Cut(inner=reply.body, size=size)))
        case WrongEtag(etag=etag):
            return replace(delivery, reply=_relabel(reply, etag))
        case Truncate() | Drop() | Hang() | Slow() | Held():
            return _hamper(delivery, fault)
        case Status() | NoRange() | Expired() | MoveRef():
            return delivery
        case _:
            assert_never(fault)


def _hamper(delivery: Delivery, fault: Truncate | Drop | Hang | Slow | Held) -> Delivery:
    match fault:
        case Truncate(at=at):
            return replace(delivery, stop_at=at, failure="drop")
        case Drop():
            return replace(delivery, stop_at=-1, failure="drop")
        case Hang(at=at, until=until):
            return replace(delivery, stop_at=-1 if at is None else at, failure="hang", until=until)
        case Slow(delay_s=delay_s, bytes_per_s=bytes_per_s):
            return replace(delivery, delay_s=delay_s, bytes_per_s=bytes_per_s)
        case Held():
            return replace(delivery, held=fault)
        case _:
            assert_never(fault)


def _relabel(reply: Reply, etag: str) -> Reply:
    wrong = {name: f'"{etag}"' for name in ("ETag", "X-Linked-Etag") if name in reply.headers}
    return reply.having(wrong)
