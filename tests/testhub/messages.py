"""Requests and replies as plain values, between the sockets and the handlers.

Owns what HTTP means for any server: queries, JSON, byte ranges, compression. Never knows a repo.
"""

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from tests.testhub.content import Content, InMemory, read_all

Server = Literal["hub", "cdn"]
_COMPRESSIBLE = re.compile(r"application/json|text/.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A request as it arrived; header names in lower case, `target` is the raw path and query."""

    server: Server
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """The raw, still quoted path."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        """The parameters, unquoted."""
        return parse_qs(urlsplit(self.target).query)

    def first(self, name: str, default: str = "") -> str:
        """Return the first value of a parameter."""
        return self.query.get(name, [default])[0]

    def flag(self, name: str) -> bool:
        """Return whether a parameter says yes, as either `true` or `1`."""
        return self.first(name).lower() in {"true", "1"}

    def without(self, header: str) -> "Incoming":
        """Return the same request, lacking one header."""
        return replace(self, headers={name: value for name, value in self.headers.items() if name != header})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A line of the Hub's log.

    Attributes:
        path: Unquoted, without the query.
        query: Raw.
        status: 0 when the connection was dropped or left hanging before any answer.
        range: The `Range` header.
        authorized: Whether an `Authorization` header came along.
        headers: All of them, names in lower case.
    """

    server: Server
    method: str
    path: str
    query: str
    status: int
    range: str | None
    authorized: bool
    user_agent: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer, before it is cut to a range.

    Attributes:
        body: The whole content, also when a part was asked for.
        ranged: Whether a `Range` header is honoured.
        span: First byte and the one after the last, when only a part is sent.
        chunked: Whether the body is framed in chunks, without a length.
    """

    status: int
    headers: Mapping[str, str]
    body: Content
    ranged: bool = False
    span: tuple[int, int] | None = None
    chunked: bool = False

    def having(self, headers: Mapping[str, str]) -> "Reply":
        """Return the same reply with more headers."""
        return replace(self, headers={**self.headers, **headers})

    def lacking(self, *names: str) -> "Reply":
        """Return the same reply without some headers."""
        kept = {name: value for name, value in self.headers.items() if name not in names}
        return replace(self, headers=kept)


class RefusalError(Exception):
    """Carries the reply that ends the handling of a request early."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"answered {reply.status}")
        self.reply = reply


def json_reply(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Answer with JSON."""
    kind = {"Content-Type": "application/json; charset=utf-8"}
    return Reply(
        status=status, headers={**kind, **(headers or {})}, body=InMemory(json.dumps(value).encode())
    )


def text_reply(text: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Answer with plain text."""
    kind = {"Content-Type": "text/plain; charset=utf-8"}
    return Reply(status=status, headers={**kind, **(headers or {})}, body=InMemory(text.encode()))


def log_line(incoming: Incoming, status: int) -> Request:
    """Describe a request and what it got."""
    parts = urlsplit(incoming.target)
    return Request(
        server=incoming.server,
        method=incoming.method,
        path=unquote(parts.path),
        query=parts.query,
        status=status,
        range=incoming.headers.get("range"),
        authorized="authorization" in incoming.headers,
        user_agent=incoming.headers.get("user-agent", ""),
        headers=incoming.headers,
    )


def cut_to_range(reply: Reply, incoming: Incoming) -> Reply:
    """Honour `Range`, or leave the reply whole where HTTP says so (several ranges, a stale `If-Range`)."""
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", incoming.headers.get("range", ""))
    fresh = incoming.headers.get("if-range") in {None, reply.headers.get("ETag")}
    size = reply.body.size
    # The Hub answers even a range with the whole of an empty file, which has no byte to name.
    if not reply.ranged or asked is None or not any(asked.groups()) or not fresh or size == 0:
        return reply
    start, stop = _span(asked[1], asked[2], size)
    if start >= min(stop, size):
        refusal = text_reply("Requested Range Not Satisfiable", status=416)
        return refusal.having({"Content-Range": f"bytes */{size}"})
    part = {"Content-Range": f"bytes {start}-{stop - 1}/{size}"}
    return replace(reply.having(part), status=206, span=(start, stop))


def compress(reply: Reply, incoming: Incoming) -> Reply:
    """Gzip text for a client that takes it, losing the length and weakening the ETag as the Hub does."""
    accepted = "gzip" in incoming.headers.get("accept-encoding", "") and "range" not in incoming.headers
    textual = _COMPRESSIBLE.match(reply.headers.get("Content-Type", ""))
    if not accepted or not textual or reply.status != 200 or reply.body.size < 1024:
        return reply
    packed = replace(reply, body=InMemory(gzip.compress(read_all(reply.body), mtime=0)), chunked=True)
    weak = {"ETag": f"W/{reply.headers['ETag']}"} if "ETag" in reply.headers else {}
    return packed.having({"Content-Encoding": "gzip", "Vary": "Accept-Encoding", **weak})


def _span(first: str, last: str, size: int) -> tuple[int, int]:
    if not first:
        return max(size - int(last), 0), size
    return int(first), min(int(last) + 1, size) if last else size
