"""One file from the Hub into its deposit: one request, resumed where it broke.

Owns what the headers must say before a byte is taken: the commit, the hash, the range, the length. The
deposit compares the bytes themselves.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Final

from mlxlock.errors import HubError, MismatchError
from mlxlock.hub.endpoint import Endpoint, origin
from mlxlock.hub.refusals import Subject, refusal, shown
from mlxlock.hub.retry import StoppedError, TransientError, transient
from mlxlock.hub.transport import Answer, Live, Transport
from mlxlock.ports import Deposit
from mlxlock.spec.resolution import RemoteFile

_HASH: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,20})-\d+/(\d+|\*)")
# What a CDN says when a signed URL is over.
_EXPIRED: Final = frozenset({400, 401, 403, 404, 410})


@dataclass(slots=True, kw_only=True)
class Download:
    """The state of one file's way into the store, over all tries.

    Attributes:
        deposit: Where the bytes go; it may have some already.
        stop: Ends the download between two pieces.
        advance: Told how many bytes came, or (negative) were thrown away.
        resumed: Whether the bytes are from more than one answer.
        furthest: The most bytes that any try reached.
        told: How many bytes `advance` believes to be there.
    """

    endpoint: Endpoint
    remote: RemoteFile
    deposit: Deposit
    transport: Transport
    live: Live
    stop: Event
    advance: Callable[[int], None]
    resumed: bool = False
    furthest: int = 0
    told: int = 0

    @property
    def complete(self) -> bool:
        """Whether every byte is there."""
        return self.deposit.offset == self.remote.file.size_bytes

    def begin(self, *, afresh: bool) -> None:
        """Count what an earlier run left, or throw it away."""
        if afresh and self.deposit.offset:
            self.deposit.restart()
        self.resumed = self.deposit.offset > 0
        self._tell(self.deposit.offset)

    def forget(self) -> None:
        """Take back all that was counted."""
        self._tell(-self.told)

    def attempt(self) -> None:
        """Take what is missing, in one request.

        Raises:
            TransientError: It may work the next time.
            StoppedError: `stop` was set.
            MismatchError: The Hub asserts another file, or sends another length.
            HubError: And its children.
        """
        if self.complete:
            return
        offset = self.deposit.offset
        self.resumed = self.resumed or offset > 0
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        url = self.endpoint.file_url(self.remote)
        with self.transport.get(url, headers, inspect=self._inspect, live=self.live) as answer:
            self._accept(answer)
            self._pour(answer)

    def _restart(self) -> None:
        self.forget()
        self.deposit.restart()
        self.resumed = False

    def _tell(self, amount: int) -> None:
        self.told += amount
        self.advance(amount)

    def _inspect(self, answer: Answer) -> None:
        """Compare what the Hub itself says; a CDN's ETag means something else."""
        if origin(answer.url) != origin(self.endpoint.url) or answer.status >= 400:
            return
        commit = answer.headers.get("x-repo-commit", self.remote.commit)
        if commit != self.remote.commit:
            raise HubError(
                f"the Hub mixes commits of `{self.remote.repo}`: asked for `{self.remote.commit}`, "
                f"it answers with `{shown(commit)}`"
            )
        etag = (
            answer.headers.get("x-linked-etag") or (answer.status < 300 and answer.headers.get("etag")) or ""
        )
        self._check_etag(etag.removeprefix("W/").strip('"'))

    def _check_etag(self, etag: str) -> None:
        expected = self.remote.file.etag
        # Mirrors invent ETags of other forms; those say nothing, and the bytes decide.
        if _HASH.fullmatch(etag) and etag != expected:
            raise self._mismatch("the Hub announces another file", expected, etag)

    def _accept(self, answer: Answer) -> None:
        """Make the deposit ready for this answer's body, or say why there is none."""
        match answer.status:
            case 200 if self.deposit.offset:
                self._restart()
            case 200:
                pass
            case 206:
                self._check_range(answer)
            case 416:
                self._restart()
                raise TransientError(f"`{answer.shown}` has no such range", status=416, asked_s=0)
            case _:
                raise self._refused(answer)
        if answer.headers.get("content-encoding", "identity") not in {"", "identity"}:
            raise HubError(f"`{answer.shown}` compresses files although it was asked not to")
        self._check_length(answer)

    def _check_range(self, answer: Answer) -> None:
        said = answer.headers.get("content-range", "")
        found = _CONTENT_RANGE.fullmatch(said)
        size = str(self.remote.file.size_bytes)
        if found and found[2] not in {size, "*"}:
            raise self._mismatch("the Hub has a file of another size", size, found[2])
        if not found or int(found[1]) != self.deposit.offset:
            self._restart()
            raise TransientError(
                f"`{answer.shown}` sends another range than asked for", status=206, asked_s=0
            )

    def _check_length(self, answer: Answer) -> None:
        left = self.remote.file.size_bytes - self.deposit.offset
        said = answer.headers.get("content-length", "")
        if said.isdecimal() and said.lstrip("0") != str(left or ""):
            raise self._mismatch("the Hub has a file of another size", f"{left} bytes", f"{said} bytes")

    def _refused(self, answer: Answer) -> Exception:
        trouble = transient(answer.shown, answer.status, answer.headers)
        if trouble is not None:
            return trouble
        if origin(answer.url) != origin(self.endpoint.url) and answer.status in _EXPIRED:
            return TransientError(
                f"`{answer.shown}` does not accept the Hub's link any more", status=answer.status
            )
        subject = Subject(
            endpoint=self.endpoint,
            repo=self.remote.repo,
            repo_type=self.remote.repo_type,
            revision=self.remote.commit,
            path=self.remote.file.path,
        )
        return refusal(subject, answer.status, answer.headers)

    def _pour(self, answer: Answer) -> None:
        # After the answer counts as live: whoever stops us now has seen it, or we see the stop.
        self._stop_here()
        try:
            for chunk in answer.chunks():
                self._take(chunk)
        except TransientError as trouble:
            self._stop_here()
            trouble.progressed = self._progressed()
            raise
        if not self.complete and not answer.framed:
            raise TransientError(f"`{answer.shown}` hung up early", progressed=self._progressed())

    def _take(self, chunk: bytes) -> None:
        self._stop_here()
        self.deposit.write(chunk)
        self._tell(len(chunk))

    def _stop_here(self) -> None:
        if self.stop.is_set():
            raise StoppedError

    def _progressed(self) -> bool:
        before, self.furthest = self.furthest, max(self.furthest, self.deposit.offset)
        return self.furthest > before

    def _mismatch(self, reason: str, expected: str, actual: str) -> MismatchError:
        remote = self.remote
        return MismatchError(
            f"{reason}: `{remote.file.path}` of `{remote.repo}` at `{remote.commit}`",
            details=(f"expected {expected}", f"actual   {actual}"),
        )
