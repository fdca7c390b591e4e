"""The HTTP server itself, under clients that do not behave."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlxlock import loopback
from mlxlock.hub.loopback import MAX_BODY_BYTES, Reply, Request, Respond, Slice, serving


@contextmanager
def served(respond: Respond) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener, serving(listener, respond):
        yield listener.getsockname()[1]


def echo(request: Request) -> Reply:
    return Reply(status=200, body=f"{request.method} {request.target} {len(request.body)}".encode())


def raw(port: int, sent: bytes) -> bytes:
    """Everything that comes back to who says no more, until the server closes."""
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        got = b""
        while chunk := connection.recv(1 << 16):
            got += chunk
        return got


def test_connections_are_kept() -> None:
    with served(echo) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=240)
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            connection.request(method, "/x", body=b"12")
            assert connection.getresponse().read() == f"{method} /x 2".encode()
        connection.close()


def test_a_body_that_is_too_long_is_not_read() -> None:
    with served(echo) as port:
        got = raw(port, b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1))
    assert got.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("header", ["Content-Length: -1", "Content-Length: x", "Transfer-Encoding: chunked"])
def test_a_body_of_unknown_length_is_not_read(header: str) -> None:
    with served(echo) as port:
        assert raw(port, f"POST / HTTP/1.1\r\n{header}\r\n\r\n".encode()).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"BREW / HTTP/1.1\r\n\r\n",
        b"\r\n" * 99,
    ],
)
def test_nonsense_hurts_nobody(sent: bytes) -> None:
    with served(echo) as port:
        raw(port, sent)
        assert raw(port, b"GET / HTTP/1.0\r\n\r\n").endswith(b"GET / 0")


def test_more_connections_than_there_is_room_for_wait() -> None:
    with served(echo) as port:
        idle = [socket.create_connection(("127.0.0.1", port), 60) for _ in range(150)]
        time.sleep(0.3)
        assert threading.active_count() < 140
        for connection in idle:
            connection.close()
        assert raw(port, b"GET / HTTP/1.0\r\n\r\n").endswith(b"GET / 0")


def test_leaving_cuts_those_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loopback, "_FAREWELL_S", 60.0)  # so that whoever is waited for is no mere slowness
    with served(echo) as port:
        idle = [socket.create_connection(("127.0.0.1", port), 60) for _ in range(150)]
        time.sleep(0.3)
        began = time.monotonic()
    assert time.monotonic() - began < 30
    for connection in idle:
        connection.close()


def test_our_own_mistake_is_not_swallowed() -> None:
    def broken(_request: Request) -> Reply:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), served(broken) as port:
        assert raw(port, b"GET / HTTP/1.0\r\n\r\n") == b""


def test_a_file_that_became_shorter_is_never_whole(tmp_path: Path) -> None:
    file = tmp_path / "blob"
    file.write_bytes(b"12345")
    reply = Reply(status=200, body=Slice(path=file, offset=0, size_bytes=10))
    with served(lambda _request: reply) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=240)
        connection.request("GET", "/")
        with pytest.raises(http.client.IncompleteRead):
            connection.getresponse().read()
        connection.close()
