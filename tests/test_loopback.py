"""The server below the mirror and the egress proxy: who is served, and for how long."""

import socket
import threading
from http.server import BaseHTTPRequestHandler

import pytest

from mlxlock import loopback
from mlxlock.loopback import LoopbackServer, answering

GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


class _Slow(BaseHTTPRequestHandler):
    """Answers `204` once it is let."""

    protocol_version = "HTTP/1.1"
    asked = threading.Event()
    let = threading.Event()
    ended = threading.Event()

    def do_GET(self) -> None:
        self.asked.set()
        self.let.wait(60)
        self.ended.set()
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


class _Prompt(_Slow):
    """Answers at once."""

    asked, let, ended = threading.Event(), threading.Event(), threading.Event()
    let.set()


def _listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def _client(listener: socket.socket) -> socket.socket:
    return socket.create_connection(listener.getsockname(), timeout=60)


def test_a_silent_client_is_hung_up_on() -> None:
    with _listener() as listener:
        server = LoopbackServer(listener, _Prompt, name="it", max_connections=4, idle_s=0.05)
        with answering(server), _client(listener) as client:
            assert client.recv(1) == b""


def test_one_client_too_many_waits_until_another_is_gone() -> None:
    with _listener() as listener:
        server = LoopbackServer(listener, _Prompt, name="it", max_connections=1)
        with answering(server), _client(listener) as first, _client(listener) as second:
            first.sendall(GET)
            assert first.recv(100).startswith(b"HTTP/1.1 204")
            second.sendall(GET)
            second.settimeout(0.3)
            try:
                early = second.recv(100)
            except TimeoutError:
                early = b""
            assert early == b""
            first.close()
            second.settimeout(60)
            assert second.recv(100).startswith(b"HTTP/1.1 204")


def test_who_leaves_waits_for_what_is_being_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loopback, "_FAREWELL_S", 60.0)  # however late the timer is
    with _listener() as listener:
        with answering(LoopbackServer(listener, _Slow, name="it", max_connections=4)):
            with _client(listener) as client:
                client.sendall(GET)
                assert _Slow.asked.wait(60)
            threading.Timer(0.3, _Slow.let.set).start()
        assert _Slow.ended.is_set()
