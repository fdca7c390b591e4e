"""An HTTP proxy on a loopback listener that someone made: absolute URLs, and CONNECT with TLS ended here.

Owns tunnels, and who may ask. What a request means is the business of `Rules`. Whoever connects may be
hostile: they name the password first, and are so many at most.
"""

import socket
import ssl
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler
from typing import Final, Protocol

from mlxlock.loopback import LoopbackServer, answering

_MAX_CONNECTIONS: Final = 64
_IDLE_S: Final = 600.0


class Client(Protocol):
    """Whoever asked, until the answer is over."""

    def begin(self, status: int, headers: Mapping[str, str], *, length: int | None) -> None:
        """Send the head of the answer.

        Args:
            status: The HTTP status.
            headers: Without those that say how long the body is.
            length: How many bytes follow, for `HEAD` would follow; None when nobody knows.
        """
        ...

    def send(self, chunk: bytes) -> None:
        """Send bytes of the body."""
        ...

    def refuse(self, status: int, text: str) -> None:
        """Send a whole answer of one line, and hang up."""
        ...


class Rules(Protocol):
    """What becomes of what is asked."""

    def answer(self, method: str, url: str, headers: Mapping[str, str], client: Client) -> None:
        """Answer one request; called by many threads at once. What it raises ends the connection."""
        ...

    def distrusted(self, host: str, port: int, why: str) -> None:
        """Hear of a client that will not speak TLS with us."""
        ...


def proxying(
    listener: socket.socket, rules: Rules, *, login: str, context: Callable[[str], ssl.SSLContext]
) -> AbstractContextManager[None]:
    """Answer on a listener until the context is left; then every connection is cut.

    Args:
        listener: Stays the caller's to close.
        rules: What becomes of what is asked.
        login: `user:password` that every client has to name.
        context: What makes us a host, for the inside of tunnels.

    Raises:
        BaseException: What a thread raised that was not the client's doing.
    """
    return answering(_Server(listener, rules, login, context))


class _Server(LoopbackServer):
    def __init__(
        self, listener: socket.socket, rules: Rules, login: str, context: Callable[[str], ssl.SSLContext]
    ) -> None:
        super().__init__(listener, _Handler, name="egress", max_connections=_MAX_CONNECTIONS, idle_s=_IDLE_S)
        self.rules = rules
        self.login = b"Basic " + b64encode(login.encode())
        self.context = context


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "mlxlock"
    sys_version = ""
    disable_nagle_algorithm = True
    tunnel: tuple[str, int] | None = None
    chunked = False

    def do_CONNECT(self) -> None:
        """End the client's TLS here, and go on with what is asked inside."""
        if self.tunnel is None and not self._knows_the_login():
            return
        target = _host_and_port(self.path)
        if target is None or self.tunnel is not None:
            self.refuse(400, "not a host and a port")
            return
        self.send_response_only(200, "Connection established")
        self.end_headers()
        self._enter(*target)

    def _enter(self, host: str, port: int) -> None:
        try:
            self.connection = self.server.context(host).wrap_socket(self.connection, server_side=True)
        except (OSError, ValueError) as problem:
            self.server.rules.distrusted(host, port, getattr(problem, "reason", None) or str(problem))
            self.close_connection = True
            return
        self.tunnel = host, port
        self.close_connection = False  # HTTP/1.0 asks for tunnels too
        self.rfile = self.connection.makefile("rb", -1)
        self.wfile = self.connection.makefile("wb", 0)

    def do_GET(self) -> None:
        """Ask the rules."""
        if self.tunnel is None and not self._knows_the_login():
            return
        url = self._url()
        if url is None:
            self.refuse(400, "a proxy takes absolute URLs")
            return
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # a body that nobody reads
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.rules.answer(self.command, url, headers, self)
        if self.chunked:
            self.wfile.write(b"0\r\n\r\n")
            self.chunked = False

    do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_GET  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing: the proxy keeps its own record."""

    def finish(self) -> None:
        """Close what `setup` or a tunnel opened."""
        try:
            super().finish()
        finally:
            self.connection.close()

    # --- a `Client`

    def begin(self, status: int, headers: Mapping[str, str], *, length: int | None) -> None:
        """Send the head of the answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        elif self.request_version == "HTTP/1.1" and self.command != "HEAD":
            self.chunked = True
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.close_connection = True
        self.end_headers()

    def send(self, chunk: bytes) -> None:
        """Send bytes of the body."""
        if not chunk:
            return  # it would end a chunked body
        if self.chunked:
            chunk = b"%x\r\n%s\r\n" % (len(chunk), chunk)
        self.wfile.write(chunk)

    def refuse(self, status: int, text: str) -> None:
        """Send a whole answer of one line, and hang up."""
        body = f"mlxlock: {text}\n".encode()
        self.close_connection = True
        headers = {"Content-Type": "text/plain; charset=utf-8", "Connection": "close"}
        if status == 407:
            headers["Proxy-Authenticate"] = 'Basic realm="mlxlock"'
        self.begin(status, headers, length=len(body))
        if self.command != "HEAD":
            self.wfile.write(body)

    # --- what was asked

    def _knows_the_login(self) -> bool:
        told = self.headers.get("Proxy-Authorization", "").encode("utf-8", "replace")
        if compare_digest(told, self.server.login):
            return True
        self.refuse(407, "this proxy is for one first run")
        return False

    def _url(self) -> str | None:
        """The absolute URL of the request."""
        if self.tunnel is None:
            return self.path if self.path.startswith("http://") else None
        host, port = self.tunnel
        name = f"[{host}]" if ":" in host else host
        at = name if port == 443 else f"{name}:{port}"
        return f"https://{at}{self.path}" if self.path.startswith("/") else None


def _host_and_port(target: str) -> tuple[str, int] | None:
    host, _, port = target.rpartition(":")
    known = host and port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536
    return (host.strip("[]").lower(), int(port)) if known else None
