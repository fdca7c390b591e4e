"""The two listeners and how bytes leave them.

Owns sockets, threads and their end: keep-alive connections, pacing, dropping, hanging, shutdown. Never
looks into a URL.
"""

import socket
import socketserver
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Final

from tests.testhub.faults import Delivery
from tests.testhub.messages import Incoming, Reply, Server

_IDLE_TIMEOUT_S: Final = 300.0
_POLL_S: Final = 0.02
_PACE_S: Final = 0.05
Answer = Callable[[Incoming], Delivery]


class Listener(socketserver.ThreadingTCPServer):
    """One listening socket on 127.0.0.1 with a thread a connection.

    Attributes:
        name: Which of the two servers it is.
        stopping: Set once the Hub closes; whatever waits, stops waiting.
        crashes: What went wrong in a handler and is not the client's doing.
    """

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, name: Server, answer: Answer, *, port: int, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.name: Server = name
        self.answer = answer
        self.stopping = threading.Event()
        self.crashes: list[BaseException] = []
        self._tls = tls
        self._open = set[socket.socket]()
        self._lock = threading.Lock()
        self._loop = threading.Thread(target=self.serve_forever, args=(_POLL_S,), name=f"testhub-{name}")

    @property
    def port(self) -> int:
        """The port that the kernel, or the caller, chose."""
        return int(self.server_address[1])

    def start(self) -> None:
        """Begin to accept connections."""
        self._loop.start()

    def close(self) -> None:
        """Hang up on everyone and wait for every thread to end."""
        self.stopping.set()
        self.shutdown()
        self._loop.join()
        with self._lock:
            for connection in self._open:
                hang_up(connection)
        self.server_close()

    def get_request(self) -> tuple[socket.socket, object]:
        """Accept; the TLS handshake waits for the connection's own thread."""
        connection, address = self.socket.accept()
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close a connection whose thread is done with it."""
        assert isinstance(request, socket.socket)
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Note a crash; a client that left is none."""
        del request, client_address
        problem = sys.exception()
        if problem is not None and not isinstance(problem, OSError):
            self.crashes.append(problem)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "LoopbackHub"
    timeout = _IDLE_TIMEOUT_S
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: Listener

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        delivery = self.server.answer(self._incoming())
        self.server.stopping.wait(delivery.delay_s)
        if delivery.stop_at != -1:
            self._send(delivery)
        if delivery.stop_at is not None:
            self._fail(delivery)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Stay quiet: the Hub keeps its own log."""

    def _incoming(self) -> Incoming:
        headers = {name.lower(): value for name, value in self.headers.items()}
        chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        body = self._chunks() if chunked else self.rfile.read(int(headers.get("content-length", "0")))
        return Incoming(
            server=self.server.name, method=self.command, target=self.path, headers=headers, body=body
        )

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _send(self, delivery: Delivery) -> None:
        reply = delivery.reply
        start, stop = reply.span or (0, reply.body.size)
        self.send_response(reply.status)
        framing = ("Transfer-Encoding", "chunked") if reply.chunked else ("Content-Length", str(stop - start))
        for name, value in (framing, *reply.headers.items()):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            last = stop if delivery.stop_at is None else min(start + delivery.stop_at, stop)
            hold = last if delivery.held is None else min(start + delivery.held.at, last)
            self._send_body(reply, start, hold, delivery.bytes_per_s)
            if delivery.held is not None:
                self.wfile.flush()
                self._wait_for(delivery.held.until)
                self._send_body(reply, hold, last, delivery.bytes_per_s)
            if reply.chunked:
                self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _send_body(self, reply: Reply, start: int, stop: int, bytes_per_s: int | None) -> None:
        for piece in self._paced(reply.body.chunks(start, stop), bytes_per_s):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if reply.chunked else piece)

    def _wait_for(self, event: threading.Event) -> None:
        while not event.wait(_POLL_S) and not self.server.stopping.is_set():
            pass

    def _paced(self, pieces: Iterator[bytes], bytes_per_s: int | None) -> Iterator[bytes]:
        if bytes_per_s is None:
            yield from pieces
            return
        step, begin, sent = max(int(bytes_per_s * _PACE_S), 1), time.monotonic(), 0
        for piece in pieces:
            for place in range(0, len(piece), step):
                yield piece[place : place + step]
                self.wfile.flush()
                sent += len(piece[place : place + step])
                self.server.stopping.wait(max(begin + sent / bytes_per_s - time.monotonic(), 0))

    def _fail(self, delivery: Delivery) -> None:
        self.close_connection = True
        if delivery.failure == "hang":
            self._wait_for_client_to_leave(delivery.until)
        hang_up(self.connection)

    def _wait_for_client_to_leave(self, until: threading.Event | None) -> None:
        self.connection.settimeout(_PACE_S)
        while not self.server.stopping.is_set() and not (until is not None and until.is_set()):
            try:
                if not self.connection.recv(1 << 16):
                    return
            except TimeoutError:
                continue


def hang_up(connection: socket.socket) -> None:
    """End a connection in both directions, whether or not the other side is still there."""
    try:
        # Not the TLS socket's own method, which takes the connection from under the thread that reads it.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError:
        return
