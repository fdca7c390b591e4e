"""Plain HTTP for the bytes of files: one pool of connections, streams, redirects followed by hand.

Owns proxies, TLS and timeouts of downloads, and that the token stays with its own origin. Never interprets
what a file is.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
)

import mlxlock
from mlxlock.errors import HubError
from mlxlock.hub.endpoint import Endpoint, origin
from mlxlock.hub.retry import TransientError, unsupported_proxy
from mlxlock.hub.tls import distrusted, tls_context, untrusted

CHUNK_BYTES: Final = 1 << 20
_MAX_REDIRECTS: Final = 8
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SMALL_BODY_BYTES: Final = 1 << 16
_HEADERS: Final = {"User-Agent": f"mlxlock/{mlxlock.__version__}", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A status and headers; the body comes from `chunks`.

    Attributes:
        url: Who answered; with its query, so never to be shown.
        headers: Names in any case.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: urllib3.BaseHTTPResponse

    @property
    def shown(self) -> str:
        """The server, fit to be shown: a signed URL is a secret."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    @property
    def framed(self) -> bool:
        """Whether the server said how long the body is, so that a short one is noticed by its end."""
        return "content-length" in self.headers or "chunked" in self.headers.get("transfer-encoding", "")

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it arrives.

        Raises:
            TransientError: It broke off.
        """
        while chunk := self._read():
            yield chunk

    def _read(self) -> bytes:
        try:
            return self.body.read(CHUNK_BYTES, decode_content=False)
        # ValueError: the socket was shut down under a waiting TLS read.
        except (HTTPError, OSError, ValueError) as problem:
            late = isinstance(problem, ReadTimeoutError)
            what = "stopped sending" if late else "broke off in the middle of a file"
            raise TransientError(f"`{self.shown}` {what}") from problem


Inspect = Callable[[Answer], None]


class Live:
    """The answers that one errand is reading, so that another thread can end them."""

    def __init__(self) -> None:
        self._bodies: set[urllib3.BaseHTTPResponse] = set()
        self._lock = threading.Lock()

    @contextmanager
    def holding(self, body: urllib3.BaseHTTPResponse) -> Iterator[None]:
        """Count an answer as being read."""
        with self._lock:
            self._bodies.add(body)
        try:
            yield
        finally:
            with self._lock:
                self._bodies.discard(body)

    def abort(self) -> None:
        """End every answer that is being read; its reader sees it break off."""
        with self._lock:
            bodies = tuple(self._bodies)
        for body in bodies:
            # It may have ended by itself meanwhile.
            with suppress(OSError, RuntimeError, ValueError):
                body.shutdown()


class Transport:
    """GET with redirects, for several threads.

    Args:
        endpoint: Whose origin gets the token.
        jobs: Connections kept to each host.
        connect_s: How long making a connection may take.
        read_s: How long a server may be silent.
    """

    def __init__(
        self, endpoint: Endpoint, *, jobs: int, connect_s: float = 10.0, read_s: float = 60.0
    ) -> None:
        self._endpoint = endpoint
        self._jobs = jobs
        self._timeout = urllib3.Timeout(connect=connect_s, read=read_s)
        self._proxies = getproxies()
        self._routes: dict[tuple[str, str], str | None] = {}
        self._pools: dict[str | None, urllib3.PoolManager] = {}
        self._lock = threading.Lock()

    @contextmanager
    def get(self, url: str, headers: Mapping[str, str], *, inspect: Inspect, live: Live) -> Iterator[Answer]:
        """Ask, follow redirects, and yield the last answer, whatever its status.

        Args:
            url: Absolute.
            headers: Besides those that every request has.
            inspect: Sees every answer, redirects too, before anything else happens.
            live: Counts the answer until the caller is done with it.

        Raises:
            TransientError: It may work the next time.
            HubUnreachableError: The server cannot be trusted or understood.
            HubError: It redirects in circles or to nowhere.
        """
        for _ in range(_MAX_REDIRECTS):
            answer = self._ask(url, headers)
            try:
                inspect(answer)
                target = answer.headers.get("location")
                if answer.status not in _REDIRECTS or target is None:
                    with live.holding(answer.body):
                        yield answer
                    return
                url = absolute(answer, target)
            finally:
                self._release(answer)
        raise HubError(f"`{self._endpoint.url}` redirects in circles")

    @contextmanager
    def once(self, method: Literal["GET", "HEAD"], url: str, headers: Mapping[str, str]) -> Iterator[Answer]:
        """Ask one server, and yield what it answers, be it a redirect.

        Raises:
            TransientError: It may work the next time.
            HubError: And its children; the server may be no Hub.
        """
        answer = self._ask(url, headers, method)
        try:
            yield answer
        finally:
            self._release(answer)

    def close(self) -> None:
        """Hang up."""
        for pool in self._pools.values():
            pool.clear()

    def _ask(self, url: str, headers: Mapping[str, str], method: Literal["GET", "HEAD"] = "GET") -> Answer:
        sent = {**_HEADERS, **headers, **self._endpoint.authorization(url)}
        shown = "://".join(urlsplit(url)[:2])
        try:
            body = self._pool(url).request(
                method,
                url,
                headers=sent,
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=self._timeout,
            )
        except (HTTPError, OSError) as problem:
            raise _trouble(problem, shown) from problem
        return Answer(url=url, status=body.status, headers=body.headers, body=body)

    @staticmethod
    def _release(answer: Answer) -> None:
        """Keep the connection if the answer is over, else hang up on it."""
        if answer.status in _REDIRECTS:
            with suppress(HTTPError, OSError):
                answer.body.read(_SMALL_BODY_BYTES, decode_content=False)
        answer.body.close()

    def _pool(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        server = parts.scheme, parts.netloc
        with self._lock:
            if server not in self._routes:
                # Kept, because looking through the environment takes as long as sending a request.
                self._routes[server] = self._proxy(*server)
            proxy = self._routes[server]
            if proxy not in self._pools:
                self._pools[proxy] = self._new_pool(proxy)
            return self._pools[proxy]

    def _proxy(self, scheme: str, netloc: str) -> str | None:
        if proxy_bypass(netloc.rpartition("@")[2]):
            return None
        proxy = self._proxies.get(scheme) or self._proxies.get("all")
        return proxy if proxy is None or "://" in proxy else f"http://{proxy}"

    def _new_pool(self, proxy: str | None) -> urllib3.PoolManager:
        context = tls_context(os.environ)
        if proxy is None:
            return urllib3.PoolManager(maxsize=self._jobs, ssl_context=context)
        user = urlsplit(proxy)
        login = f"{unquote(user.username)}:{unquote(user.password or '')}" if user.username else None
        try:
            return urllib3.ProxyManager(
                proxy,
                proxy_headers=urllib3.make_headers(proxy_basic_auth=login),
                maxsize=self._jobs,
                ssl_context=context,
            )
        except HTTPError as problem:
            raise unsupported_proxy(f"its scheme is `{user.scheme}`") from problem


def absolute(answer: Answer, target: str) -> str:
    """Where a redirect leads.

    Raises:
        HubError: To nowhere.
    """
    try:
        url = urljoin(answer.url, target)
        origin(url)
    except ValueError as problem:
        raise HubError(f"`{answer.shown}` redirects to what is not an http or https URL") from problem
    return url


def _trouble(problem: Exception, shown: str) -> Exception:
    if distrusted(problem):
        return untrusted(shown)
    if isinstance(problem, NewConnectionError | ConnectTimeoutError | ProxyError):
        return TransientError(f"no connection to `{shown}`", kind="connect")
    if isinstance(problem, LocationValueError):
        return HubError(f"`{shown}` is not a server")
    late = isinstance(problem, ReadTimeoutError)
    return TransientError(f"`{shown}` {'does not answer in time' if late else 'broke off the answer'}")
