"""HTTP/1.1 on a loopback listener that someone else made.

Owns request bodies of bounded size and ranges of files as they go out. It knows nothing of the Hub: a
`Respond` turns each request into a reply. Whoever connects may be hostile.
"""

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import MappingProxyType
from typing import IO, Final, Protocol

from mlxlock.loopback import LoopbackServer, answering

MAX_BODY_BYTES: Final = 1 << 20
_MAX_CONNECTIONS: Final = 128
_PATIENCE_S: Final = 0.5
_PIECE_BYTES: Final = 1 << 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request.

    Attributes:
        method: In capitals.
        target: As it stands in the request line.
        headers: By lower-case name.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """`size_bytes` bytes of a file, from `offset`."""

    path: Path
    offset: int
    size_bytes: int


class Growing(Protocol):
    """A file that is still being written."""

    @property
    def size_bytes(self) -> int:
        """Of the whole file, as the client is told."""
        ...

    def open(self) -> IO[bytes] | None:
        """The file; None when it will never be whole."""
        ...

    def wait(self, sent: int, timeout_s: float) -> int | None:
        """How many bytes may have been sent by now, `sent` after the timeout; None when no more ever will."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer; its length is known before its first byte.

    Attributes:
        headers: Without `Content-Length`.
        body: Bytes, part of a file, or a file that grows; one that stops growing ends the connection.
        length: What `Content-Length` says when that is not the body's own length (for `HEAD`).
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    body: bytes | Slice | Growing = b""
    length: int | None = None

    @property
    def content_length(self) -> int:
        """What the client is told."""
        if self.length is not None:
            return self.length
        return len(self.body) if isinstance(self.body, bytes) else self.body.size_bytes


Respond = Callable[[Request], Reply]


def serving(listener: socket.socket, respond: Respond) -> AbstractContextManager[None]:
    """Answer on a listener until the context is left; then every connection is cut.

    Args:
        listener: Stays the caller's to close.
        respond: Called by many threads at once.

    Raises:
        BaseException: What a thread raised that was not the client's doing.
    """
    return answering(_Server(listener, respond))


class _Server(LoopbackServer):
    def __init__(self, listener: socket.socket, respond: Respond) -> None:
        super().__init__(listener, _Handler, name="mirror", max_connections=_MAX_CONNECTIONS)
        self.respond = respond


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "mlxlock"
    sys_version = ""
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        body = self._body()
        if body is None:
            self.close_connection = True
            self._send(Reply(status=413, headers={"Connection": "close"}))
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(method=self.command, target=self.path, headers=headers, body=body)
        self._send(self.server.respond(request))

    do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_CONNECT = do_GET  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing: the mirror keeps its own record."""

    def _body(self) -> bytes | None:
        """The request's body; None when it is too long, or of unknown length."""
        stated = self.headers.get("Content-Length", "0")
        known = stated.isascii() and stated.isdigit() and "Transfer-Encoding" not in self.headers
        if not known or int(stated) > MAX_BODY_BYTES:
            return None
        return self.rfile.read(int(stated))

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(reply.content_length))
        self.end_headers()
        if self.command == "HEAD":
            return
        match reply.body:
            case bytes():
                self.wfile.write(reply.body)
            case Slice():
                self._send_slice(reply.body)
            case _:
                self.close_connection = not self._send_growing(reply.body)

    def _send_slice(self, part: Slice) -> None:
        """Send part of a file. One that became shorter ends the connection: nobody shall trust it."""
        with part.path.open("rb", buffering=0) as file:
            if not self._pump(file.fileno(), part.offset, part.offset + part.size_bytes):
                self.close_connection = True

    def _send_growing(self, body: Growing) -> bool:
        """Send what may be sent as it comes; False when that was not all."""
        file = body.open()
        if file is None:
            return False
        sent = 0
        with file:
            while sent < body.size_bytes:
                ready = body.wait(sent, _PATIENCE_S)
                if ready is None or self.server.stopping or not self._pump(file.fileno(), sent, ready):
                    return False
                sent = ready
        return True

    def _pump(self, fd: int, start: int, stop: int) -> bool:
        """Send some bytes of a file, whose own position others may use; False when they are not there.

        Not by `sendfile`, which is cheap here and dear to the client: it receives page by page then.
        """
        while start < stop:
            piece = os.pread(fd, min(_PIECE_BYTES, stop - start), start)
            if not piece:
                return False
            self.connection.sendall(piece)
            start += len(piece)
        return True
