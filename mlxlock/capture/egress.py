"""The egress proxy: what a sandboxed child wants from outside the Hub, refused and noted, or fetched for it.

Owns who is answered: reads of hosts that the manifest allows, and redirects from them to hosts that it allows
too. TLS ends here in either case, so that a refusal names the whole URL. Bytes go by as they come, hashed
into a blob on the way, in constant memory. The child meets no redirect; the network is behind a `Web`.

What an allowed host says is not there (404, 410) is an answer, as a file is that a commit does not have: who
asks for it offline misses it, and that is told then. Any other error of a host is a denial.
"""

import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from socket import socket
from typing import Final

from mlxlock.capture.authority import Authority
from mlxlock.capture.proxying import Client, proxying
from mlxlock.errors import DownloadError, MismatchError, OfflineMissingError
from mlxlock.fs import CHUNK_BYTES, Algorithm, Digests, Hasher
from mlxlock.ports import Blob, IntakeStore, Note, OnEvent, ignore
from mlxlock.ports.outside import Read, Web, WebAnswer
from mlxlock.spec.effects import Download
from mlxlock.spec.names import printable
from mlxlock.spec.phases import Phase
from mlxlock.spec.record import Body, Exchange
from mlxlock.spec.urls import Url, is_signed

_MAX_REDIRECTS: Final = 8
_LOCKED: Final[tuple[Algorithm, ...]] = ("blake3", "sha256")
_NOT_THERE: Final = frozenset({404, 410})
_PASSED_ON: Final = ("content-type", "content-disposition", "content-encoding", "etag", "last-modified")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What no honest first run needs more of.

    Attributes:
        requests: Of one run.
        body_bytes: Of one answer.
    """

    requests: int = 20_000
    body_bytes: int = 64 << 30


class EgressProxy:
    """An `outside.Egress`, and the `Rules` of its own server.

    Args:
        web: Who really asks.
        store: Where bodies go.
        allow_hosts: Hosts that may be asked.
        pinned: What a URL has to give; asked again only when the store has lost it, and then compared.
        phase: Tells what the child is doing.
        limits: What no honest first run needs more of.
        on_event: Hears of each file that came.
    """

    def __init__(  # noqa: PLR0913 - all but two have a default, and each is named
        self,
        *,
        web: Web,
        store: IntakeStore,
        allow_hosts: Iterable[str] = (),
        pinned: Callable[[Url], Download | None] = lambda _url: None,
        phase: Callable[[], Phase | None] = lambda: None,
        limits: Limits | None = None,
        on_event: OnEvent = ignore,
    ) -> None:
        self._web = web
        self._store = store
        self._allowed = frozenset(host.lower().rstrip(".") for host in allow_hosts)
        self._pinned = pinned
        self._phase = phase
        self._on_event = on_event
        self._limits = limits or Limits()
        self._authority = Authority()
        self._password = secrets.token_hex(16)
        self._exchanges: list[Exchange] = []
        self._bodies: dict[tuple[str, str], Body] = {}
        self._failures: dict[str, MismatchError] = {}
        self._lock = threading.Lock()

    @property
    def login(self) -> str:
        """`user:password` that a client has to name: on some systems others reach the port too."""
        return f"mlxk:{self._password}"

    @property
    def certificate(self) -> bytes:
        """PEM of the authority that a client has to trust."""
        return self._authority.certificate

    def serve(self, listener: socket) -> AbstractContextManager[None]:
        """Answer on `listener` until the context is left."""
        return proxying(listener, self, login=self.login, context=self._authority.context)

    def exchanges(self) -> tuple[Exchange, ...]:
        """Every request so far, in the order of the answers."""
        with self._lock:
            return tuple(self._exchanges)

    def bodies(self) -> tuple[Body, ...]:
        """What came whole, and is in the store."""
        with self._lock:
            return tuple(self._bodies.values())

    def failures(self) -> tuple[MismatchError, ...]:
        """Each URL that gave other bytes than it has to give, which nobody has got whole."""
        with self._lock:
            return tuple(self._failures.values())

    # --- the rules

    def distrusted(self, host: str, port: int, why: str) -> None:
        """Note that a client would not have us for the host."""
        name = f"[{host}]" if ":" in host else host
        at = name if port == 443 else f"{name}:{port}"
        self._note(
            "CONNECT", f"https://{at}/", 0, f"the program does not trust mlxlock's certificate ({why})"
        )

    def answer(self, method: str, url: str, headers: Mapping[str, str], client: Client) -> None:
        """Answer one request."""
        if len(self._exchanges) >= self._limits.requests:
            client.refuse(403, "too many requests for one run")
            return
        why = self._why_not(method, url)
        if why is not None:
            self._refuse(method, url, client, 403, why)
        elif method == "HEAD":
            self._relay("HEAD", url, headers, client)
        elif (blob := self._known(url)) is not None:
            self._serve(url, blob, client)
        else:
            self._relay("GET", url, headers, client)

    def _known(self, url: str) -> Blob | None:
        download = self._pin(url)
        return None if download is None else self._store.find(download.file)

    def _pin(self, url: str) -> Download | None:
        return None if is_signed(url) else self._pinned(Url(url))

    def _serve(self, url: str, blob: Blob, client: Client) -> None:
        """Give what the URL gave before."""
        self._note("GET", url, 200, None)
        self._keep(url, blob)
        client.begin(200, {"content-type": "application/octet-stream"}, length=blob.size_bytes)
        with blob.path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                client.send(chunk)

    def _why_not(self, method: str, url: str) -> str | None:
        try:
            host = Url(url).host
        except ValueError:
            return "it is not a URL that a lock could name"
        if host not in self._allowed:
            return f"`{host}` is not in `allow-hosts`"
        return None if method in {"GET", "HEAD"} else f"`{method}` is not a read"

    def _refuse(
        self, method: str, url: str, client: Client, status: int, why: str, *, led_to: str | None = None
    ) -> None:
        self._note(method, url, status, why, led_to)
        client.refuse(status, why)

    def _relay(self, method: Read, url: str, headers: Mapping[str, str], client: Client) -> None:
        """Ask in the child's place, as far as redirects lead."""
        sent = {"Accept": headers["accept"]} if printable(headers.get("accept", "\0")) else {}
        target = url
        for _ in range(_MAX_REDIRECTS):
            try:
                with self._web.open(method, target, sent) as answer:
                    if answer.location is None:
                        self._pass_on(method, url, answer, client)
                        return
                    target = answer.location
            except (DownloadError, OfflineMissingError) as problem:
                self._refuse(method, url, client, 502, problem.reason)
                return
            why = self._why_not(method, target)
            if why is not None:
                self._refuse(
                    method, url, client, 403, f"it redirects to another host, and {why}", led_to=_host(target)
                )
                return
        self._refuse(method, url, client, 502, "it redirects in circles")

    def _pass_on(self, method: Read, url: str, answer: WebAnswer, client: Client) -> None:
        self._note(method, url, answer.status, self._denied(method, url, answer.status))
        said = answer.headers.get("content-length", "")
        length = int(said) if said.isdecimal() and len(said) < 20 else None
        headers = {
            name: answer.headers[name] for name in _PASSED_ON if printable(answer.headers.get(name, "\0"))
        }
        bare = answer.status in {204, 304}
        client.begin(answer.status, headers, length=0 if bare else length)
        if method == "GET" and not bare:
            self._pour(url, answer, client)

    def _denied(self, method: Read, url: str, status: int) -> str | None:
        """What an answer keeps from the child; None when it is one."""
        host = Url(url).host
        if status >= 400 and status not in _NOT_THERE:
            return f"`{host}` answers {status}"
        if method == "GET" and status != 200 and self._pin(url) is not None:
            return f"`{host}` answers {status}, and the lock has a file that it gave"
        return None

    def _pour(self, url: str, answer: WebAnswer, client: Client) -> None:
        """Send the body, its last bytes once it is kept: who has all of it may be gone the next moment."""
        held, hasher = b"", Hasher(0, _LOCKED)
        pin = self._pin(url) if answer.status == 200 else None
        with self._store.intake() as intake:
            for chunk in self._checked(url, answer):
                intake.write(chunk)
                if pin is not None:
                    hasher.update(chunk)
                client.send(held)
                held = chunk
            if pin is not None:
                self._compare(pin, hasher.digests())
            if answer.status == 200:
                self._keep(url, intake.commit())
        client.send(held)

    def _compare(self, pin: Download, seen: Digests) -> None:
        """Let nobody have the end of bytes that are not the locked ones, nor the store any of them."""
        if (seen.size_bytes, seen.sha256, seen.blake3) == (pin.size_bytes, pin.sha256, pin.blake3):
            return
        problem = MismatchError(
            f"`{pin.url}` is not the file that was locked",
            details=(f"expected: sha256:{pin.sha256}", f"actual: sha256:{seen.sha256}"),
            hint="the file behind it changed; to lock what it is now, run `mlxk lock --upgrade`, or "
            "`--upgrade-model` with each model that has it",
        )
        with self._lock:
            self._failures.setdefault(pin.url, problem)
        self._note("GET", pin.url, 502, "it is not the file that was locked")
        raise ConnectionAbortedError from problem

    def _checked(self, url: str, answer: WebAnswer) -> Iterator[bytes]:
        """The body; one that does not come whole ends the connection, so that nobody takes it for whole."""
        left = self._limits.body_bytes
        try:
            for chunk in answer.chunks:
                left -= len(chunk)
                if left < 0:
                    break
                yield chunk
        except DownloadError as problem:
            self._note("GET", url, 502, problem.reason)
            raise ConnectionAbortedError from problem
        if left < 0:
            self._note("GET", url, 502, f"it sends more than {self._limits.body_bytes} bytes")
            raise ConnectionAbortedError

    def _keep(self, url: str, blob: Blob) -> None:
        body = Body(
            url=Url(url),
            size_bytes=blob.size_bytes,
            sha256=blob.sha256,
            blake3=blob.blake3,
            when=self._phase(),
            signed=is_signed(url),
        )
        with self._lock:
            self._bodies.setdefault((body.url, body.blake3), body)
            self._on_event(Note(text=f"gave `{body.url}` to the first run", level="detail"))

    def _note(
        self, method: str, url: str, status: int, denied: str | None, led_to: str | None = None
    ) -> None:
        try:
            shown = str(Url(url))
        except ValueError:
            shown = ascii(url[:200])
        exchange = Exchange(
            method=method[:20],
            url=shown,
            status=status,
            phase=self._phase(),
            denied=denied,
            led_to=led_to,
        )
        with self._lock:
            self._exchanges.append(exchange)


def _host(url: str) -> str | None:
    """A URL without all that comes after its host; None for what no lock could name."""
    try:
        return f"{Url(url).scheme}://{Url(url).host}/"
    except ValueError:
        return None
