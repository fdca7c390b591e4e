"""Hosts of the internet, stood in for on loopback, and the company proxy through which they are reached.

Owns a TLS server that is every host of its pages at once, and a CONNECT proxy that leads to it by name: a
user behind a corporate proxy has just that, so nothing of mlxlock has to be patched to believe in the names.
"""

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.certificates import make_authority


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a URL answers.

    Attributes:
        cut: After so many bytes the connection ends, each time; None sends all of them.
        framed: Whether `Content-Length` is said.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    framed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that a stand-in saw."""

    method: str
    url: str
    headers: Mapping[str, str]


class StandIns:
    """Pages by URL, and who asked for them.

    Attributes:
        pages: By `https://host/path?query`; may be changed at any time.
        asked: Every request, in order.
    """

    def __init__(self, folder: Path, pages: Mapping[str, Page]) -> None:
        self.pages = dict(pages)
        self.asked: list[Asked] = []
        hosts = sorted({urlsplit(url).hostname or "" for url in pages})
        self._authority = make_authority(folder, hosts)
        self._origin = _Server(("127.0.0.1", 0), _Origin)
        self._origin.socket = self._authority.server.wrap_socket(
            self._origin.socket, server_side=True, do_handshake_on_connect=False
        )
        self._proxy = _Server(("127.0.0.1", 0), _Proxy)
        self._origin.owner = self._proxy.owner = self
        self.hosts = frozenset(hosts)

    @property
    def proxy_url(self) -> str:
        """What `HTTPS_PROXY` has to be."""
        return f"http://127.0.0.1:{self._proxy.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a user behind such a proxy has."""
        return {"HTTPS_PROXY": self.proxy_url, "SSL_CERT_FILE": str(self._authority.ca)}

    @property
    def origin(self) -> tuple[str, int]:
        """Where the hosts really are."""
        return "127.0.0.1", self._origin.server_port

    def urls(self, method: str = "GET") -> list[str]:
        """What was asked for by this method, in order."""
        return [asked.url for asked in self.asked if asked.method == method]

    def __enter__(self) -> Self:
        for server in (self._origin, self._proxy):
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in (self._proxy, self._origin):
            server.shutdown()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    owner: StandIns

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of the play."""


class _Origin(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        owner = self.server.owner
        url = f"https://{self.headers['Host']}{self.path}"
        owner.asked.append(Asked(method=self.command, url=url, headers=dict(self.headers.items())))
        self._send(owner.pages.get(url, Page(status=404, body=b"not here\n")))

    do_HEAD = do_POST = do_GET  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""

    def _send(self, page: Page) -> None:
        first = self._first(page)
        body = page.body[first:]
        self.send_response(206 if first else page.status)
        for name, value in page.headers.items():
            self.send_header(name, value)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(page.body) - 1}/{len(page.body)}")
        if page.framed:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.close_connection = not page.framed or page.cut is not None
        if self.command == "GET":
            self.wfile.write(body[: page.cut])

    def _first(self, page: Page) -> int:
        said = self.headers.get("Range", "")
        resumable = page.status == 200 and page.headers.get("Accept-Ranges") == "bytes"
        return int(said.removeprefix("bytes=").partition("-")[0]) if said and resumable else 0


class _Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_CONNECT(self) -> None:
        host = self.path.rpartition(":")[0]
        self.close_connection = True
        if host not in self.server.owner.hosts:
            self.send_error(502, "no such host")
            return
        with socket.create_connection(self.server.owner.origin) as upstream:
            self.send_response_only(200)
            self.end_headers()
            back = threading.Thread(target=_pump, args=(upstream, self.connection), daemon=True)
            back.start()
            _pump(self.connection, upstream)
            back.join(5)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(1 << 16):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
