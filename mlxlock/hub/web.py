"""URLs that are not the Hub's: asked in our own name, by the machine's proxies, certificates verified.

Owns how such a server's refusals are told, and the resuming of what a lock names. It has no token to give.
"""

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from mlxlock.errors import DownloadError, HubError, MismatchError
from mlxlock.hub.endpoint import Endpoint
from mlxlock.hub.retry import PATIENCE, Patience, Persistence, TransientError, Wait, transient
from mlxlock.hub.transport import Answer, Live, Transport, absolute
from mlxlock.ports import Advanced, BlobStore, Deposit, Finished, OnEvent, Started, ignore
from mlxlock.ports.outside import Read, WebAnswer
from mlxlock.spec.effects import Download

HASTE: Final = Patience(tries=3, connects=2, total_s=15.0)
"""For a child that waits at the other end, and has a patience of its own."""
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,20})-\d+/(\d+|\*)")


class HttpWeb:
    """A `Web` over the network.

    Args:
        on_event: Hears when a server has to be waited for.
        wait: How pauses pass.
        patience: How many and how long, for `fetch`.
        haste: The same, for `open`.
        read_s: How long a server may be silent.
    """

    def __init__(
        self,
        *,
        on_event: OnEvent = ignore,
        wait: Wait = threading.Event.wait,
        patience: Patience = PATIENCE,
        haste: Patience = HASTE,
        read_s: float = 60.0,
    ) -> None:
        # The endpoint is only whose origin gets the token, and there is none.
        self._transport = Transport(Endpoint(), jobs=4, read_s=read_s)
        stop = threading.Event()
        self._persist = Persistence(stop=stop, wait=wait, on_event=on_event, patience=patience)
        self._hurry = Persistence(stop=stop, wait=wait, on_event=on_event, patience=haste)

    @contextmanager
    def open(self, method: Read, url: str, headers: Mapping[str, str]) -> Iterator[WebAnswer]:
        """Ask one server once; redirects are answers.

        Raises:
            DownloadError: It does not answer, or cannot be trusted.
        """
        with ExitStack() as stack:
            with _told(url):
                answer = self._hurry(lambda: self._ask(stack, method, url, headers))
                location = _location(answer)
            yield WebAnswer(
                status=answer.status,
                headers={name.lower(): value for name, value in answer.headers.items()},
                location=location,
                chunks=_chunks(answer, url),
            )

    def _ask(self, stack: ExitStack, method: Read, url: str, headers: Mapping[str, str]) -> Answer:
        answer = stack.enter_context(self._transport.once(method, url, headers))
        trouble = transient(answer.shown, answer.status, answer.headers)
        if trouble is not None:
            stack.close()
            raise trouble
        return answer

    def fetch(self, downloads: Sequence[Download], store: BlobStore, on_event: OnEvent) -> None:
        """Bring each into the store, compared with the lock before it gets a name.

        Raises:
            MismatchError: The bytes are not the locked ones.
            DownloadError: The server does not give any.
            DiskError: The store's disk refuses.
        """
        for download in downloads:
            if store.find(download.file) is None:
                self._bring(download, store, on_event)

    def _bring(self, download: Download, store: BlobStore, on_event: OnEvent) -> None:
        task = download.url
        on_event(Started(task=task, label=download.url.name, total=download.size_bytes))
        with store.deposit(download.file) as deposit, _told(download.url):
            on_event(Advanced(task=task, amount=deposit.offset))
            errand = _Errand(download=download, deposit=deposit, transport=self._transport, on_event=on_event)
            self._complete(errand)
        on_event(Finished(task=task))

    def _complete(self, errand: "_Errand") -> None:
        """Take what is missing; what an earlier run left may be of another file, and gets one more try."""
        resumed = errand.deposit.offset > 0
        try:
            self._persist(errand.attempt)
            errand.deposit.commit()
        except MismatchError:
            if not resumed:
                raise
            errand.restart()
            self._persist(errand.attempt)
            errand.deposit.commit()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Errand:
    """One locked URL on its way into its deposit."""

    download: Download
    deposit: Deposit
    transport: Transport
    on_event: OnEvent

    def restart(self) -> None:
        """Begin at zero."""
        self._advance(-self.deposit.offset)
        self.deposit.restart()

    def attempt(self) -> None:
        """Take what is missing, in one request.

        Raises:
            TransientError: It may work the next time.
            MismatchError: Another length than the lock's.
            DownloadError: The server refuses.
        """
        offset = self.deposit.offset
        if offset == self.download.size_bytes:
            return
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        with self.transport.get(self.download.url, headers, inspect=_accept_any, live=Live()) as answer:
            self._accept(answer)
            for chunk in answer.chunks():
                self.deposit.write(chunk)
                self._advance(len(chunk))
        if self.deposit.offset < self.download.size_bytes and not answer.framed:
            raise TransientError(f"`{answer.shown}` hung up early", progressed=self.deposit.offset > offset)

    def _advance(self, amount: int) -> None:
        self.on_event(Advanced(task=self.download.url, amount=amount))

    def _accept(self, answer: Answer) -> None:
        """Make the deposit ready for this answer's body, or say why there is none."""
        trouble = transient(answer.shown, answer.status, answer.headers)
        if trouble is not None:
            raise trouble
        if answer.status == 200 and self.deposit.offset:
            self.restart()
        elif answer.status == 416 or (answer.status == 206 and not self._continues(answer)):
            self.restart()
            raise TransientError(f"`{answer.shown}` has no such range", status=416, asked_s=0)
        elif answer.status not in {200, 206}:
            raise _refused(self.download.url, answer.status)
        self._check_length(answer)

    def _continues(self, answer: Answer) -> bool:
        found = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
        return found is not None and int(found[1]) == self.deposit.offset

    def _check_length(self, answer: Answer) -> None:
        left = self.download.size_bytes - self.deposit.offset
        said = answer.headers.get("content-length", "")
        if said.isdecimal() and said.lstrip("0") != str(left or ""):
            raise MismatchError(
                f"`{self.download.url}` is not the file that was locked",
                details=(f"expected: {left} bytes", f"actual: {said} bytes"),
                hint="the file behind it changed; run `mlxk lock --upgrade` to lock what it is now",
            )


def _accept_any(_answer: Answer) -> None:
    """Every redirect is followed: the bytes are compared, whoever sends them."""


def _location(answer: Answer) -> str | None:
    target = answer.headers.get("location")
    return absolute(answer, target) if answer.status in _REDIRECTS and target is not None else None


def _chunks(answer: Answer, url: str) -> Iterator[bytes]:
    with _told(url):
        yield from answer.chunks()


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Say whose fault it is: the trouble is not the Hub's."""
    try:
        yield
    except (HubError, TransientError) as problem:
        shown = url.partition("?")[0]
        reason = problem.reason if isinstance(problem, HubError) else problem.what
        raise DownloadError(
            f"`{shown}` cannot be fetched: {reason}", hint="check the network and the proxy"
        ) from problem


def _refused(url: str, status: int) -> DownloadError:
    return DownloadError(
        f"`{url}` answers {status}",
        hint="what was locked is not there any more; run `mlxk lock --upgrade` to lock what there is now",
    )
