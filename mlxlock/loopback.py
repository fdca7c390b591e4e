"""A threaded server on a loopback listener that someone else made, for clients that may be hostile.

Owns connections: a thread each, so many at most, and the end of all of them. What is said over one is the
business of a `BaseHTTPRequestHandler`.
"""

import socket
import socketserver
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from typing import Final

_POLL_S: Final = 0.02
_ACCEPT_S: Final = 5.0
_FAREWELL_S: Final = 5.0


class LoopbackServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """One server, for one run.

    Args:
        listener: Stays the caller's to close.
        handler: Speaks with one client; finds this server as its `server`.
        name: Of the threads.
        max_connections: How many clients are served at once; the others wait.
        idle_s: How long a client may be silent; for ever without it.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(
        self,
        listener: socket.socket,
        handler: type[BaseHTTPRequestHandler],
        *,
        name: str,
        max_connections: int,
        idle_s: float | None = None,
    ) -> None:
        super().__init__(listener.getsockname(), handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener.dup()
        # A client that is gone between select and accept must not hold up the others.
        self.socket.settimeout(_ACCEPT_S)
        self.name = name
        self.crashes: list[BaseException] = []
        self._idle_s = idle_s
        # Second descriptors of the connections: a handler may make the first ones TLS sockets of its own.
        self._open: dict[socket.socket, tuple[socket.socket, threading.Thread]] = {}
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(max_connections)
        self._stopping = False

    @property
    def stopping(self) -> bool:
        """Whether nobody is served any more."""
        return self._stopping

    def stop(self) -> None:
        """Cut every connection, and give the threads a moment to see it."""
        with self._lock:
            self._stopping = True
            threads = [thread for _, thread in self._open.values()]
            for connection, _ in self._open.values():
                _cut(connection)
        self.shutdown()
        self.server_close()
        # A thread that still has something to do is left to it: nobody hears of it any more.
        end = time.monotonic() + _FAREWELL_S
        for thread in threads:
            thread.join(max(end - time.monotonic(), 0))

    def process_request(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Give a connection a thread of its own, when there is room for it."""
        if not isinstance(request, socket.socket):
            raise TypeError("a stream server was given a datagram")
        self._places.acquire()
        request.settimeout(self._idle_s)
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            name=f"{self.name}-client",
            daemon=True,
        )
        with self._lock:
            self._open[request] = request.dup(), thread
            if self._stopping:
                _cut(request)
        thread.start()

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close a connection whose thread is done with it."""
        if isinstance(request, socket.socket):
            with self._lock:
                second, _ = self._open.pop(request, (request, None))
                second.close()
        super().shutdown_request(request)
        self._places.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep what went wrong here; a client that left is no error."""
        del request, client_address
        problem = sys.exception()
        if problem is not None and not isinstance(problem, OSError):
            self.crashes.append(problem)


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):  # it may not be connected any more
        connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def answering(server: LoopbackServer) -> Iterator[None]:
    """Let a server answer until the context is left; then every connection is cut.

    Raises:
        BaseException: What a thread raised that was not the client's doing.
    """
    loop = threading.Thread(target=server.serve_forever, args=(_POLL_S,), name=server.name, daemon=True)
    loop.start()
    try:
        yield
    finally:
        server.stop()
        loop.join(_FAREWELL_S)
    if server.crashes:
        raise server.crashes[0]
