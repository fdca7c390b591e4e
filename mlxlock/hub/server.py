"""The recording mirror: a loopback Hub that serves pinned commits to a child and notes each request.

Owns who is answered at all and what is written down. A stranger's code asks, so only the Hub's reads are
answered, and only below a secret prefix: no write, no identity, no telemetry. A revision is resolved once;
metadata come from that resolution, bytes from the store, and nobody gets all of them unverified. The child
meets no redirect, no Xet, no other host and no token.

A file that the store lacks goes out as it comes in, but for its end, which waits for the verification: a
child needs `HF_HUB_DOWNLOAD_TIMEOUT=3600` and `HF_HUB_ETAG_TIMEOUT=3600`, which `workspace.environment` sets.
"""

import secrets
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from hmac import compare_digest
from pathlib import Path
from socket import socket
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from mlxlock.errors import MlxlockError
from mlxlock.hub.journal import Journal
from mlxlock.hub.loopback import Reply, Request, serving
from mlxlock.hub.pinning import Pinning
from mlxlock.hub.reads import Answer, Reads, refusal
from mlxlock.hub.routes import Asked, location, parse
from mlxlock.ports import BlobStore, OnEvent, Source, Withhold, ignore, withhold_nothing
from mlxlock.spec.names import RepoId, Revision
from mlxlock.spec.record import Exchange, Pin

if TYPE_CHECKING:
    from mlxlock.hub.flows import Flow

_NO_ARTIFACT_PINS: Final[Mapping[RepoId, Revision]] = MappingProxyType({})
_QUIET: Final = frozenset({"/api/agent-harnesses"})
"""What every client asks at its start, and takes a 404 for an answer."""


class RecordingMirror:
    """Implements `ports.Mirror`.

    Args:
        source: Who resolves and fetches; one that refuses makes this a mirror of what is pinned and stored.
        store: Where every served byte comes from, and what was fetched goes to.
        pins: What some revisions mean already.
        phase_file: Where the runner writes its phase.
        artifact_pins: What every symbolic revision of a repo has to mean (`[artifacts]` of the manifest).
        frozen: Whether nothing but `pins` may be served.
        withhold: Says why a file is not given away, whoever asks.
        on_event: Hears of fetches.
    """

    def __init__(  # noqa: PLR0913 - all but two have a default, and each is named
        self,
        *,
        source: Source,
        store: BlobStore,
        pins: Iterable[Pin] = (),
        phase_file: Path | None = None,
        artifact_pins: Mapping[RepoId, Revision] = _NO_ARTIFACT_PINS,
        frozen: bool = False,
        withhold: Withhold = withhold_nothing,
        on_event: OnEvent = ignore,
    ) -> None:
        self._prefix = f"/{secrets.token_hex(16)}"
        self._pinning = Pinning(source, pins, artifact_pins, frozen=frozen)
        self._reads = Reads(self._pinning, source, store, on_event, withhold)
        self._journal = Journal(phase_file)
        self._failures: list[MlxlockError] = []
        self._flows: list[Flow] = []

    @property
    def prefix(self) -> str:
        """The secret path that comes before every request, e.g. `/3f9c…`."""
        return self._prefix

    def serve(self, listener: socket) -> AbstractContextManager[None]:
        """Answer on `listener` until the context is left. May be entered again, and by several listeners."""
        return serving(listener, self._respond)

    def exchanges(self) -> tuple[Exchange, ...]:
        """Every request so far, in the order of the answers."""
        return self._journal.exchanges()

    def pins(self) -> tuple[Pin, ...]:
        """Every revision asked for so far, with what it meant; a commit only if no other name led to it."""
        return self._pinning.asked()

    def fetching_s(self) -> float:
        """For how many seconds, so far, something was being fetched for a child."""
        return self._reads.fetching_s()

    def failures(self) -> tuple[MlxlockError, ...]:
        """What kept the mirror from serving a read, in order; why a child failed may be among them."""
        late = (flow.problem for flow in dict.fromkeys(self._flows))
        return (*self._failures, *(problem for problem in late if isinstance(problem, MlxlockError)))

    def _respond(self, request: Request) -> Reply:
        if self._journal.is_full:
            return refusal(403, message="too many requests for one run")
        target = self._below_prefix(request.target)
        asked = None if target is None else parse(request.method, target)
        if target is None:
            answer = _denied("asked without the secret prefix")
        elif asked is not None:
            answer = self._reads.answer(asked, request, self._base(request))
        else:
            answer = _not_a_read(request.method, location(target))
        self._write_down(request, location(request.target if target is None else target), asked, answer)
        return answer.reply

    def _write_down(self, request: Request, url: str, asked: Asked | None, answer: Answer) -> None:
        exchange = Exchange(
            method=request.method,
            url=url,
            status=answer.reply.status,
            repo=asked.repo if asked else None,
            repo_type=asked.repo_type if asked else "model",
            revision=asked.revision if asked else None,
            commit=answer.commit,
            path=answer.path,
            denied=answer.denied,
        )
        flow = answer.flow
        if flow is not None:
            self._flows.append(flow)
        self._journal.note(exchange, request.headers, None if flow is None else flow.settle)
        if answer.failure is not None:
            self._failures.append(answer.failure)

    def _below_prefix(self, target: str) -> str | None:
        """The target as the Hub would see it; None when it does not begin with the prefix."""
        start, rest = target[: len(self._prefix)], target[len(self._prefix) :]
        known = compare_digest(start.encode("utf-8", "replace"), self._prefix.encode())
        return rest if known and rest.startswith("/") else None

    def _base(self, request: Request) -> str:
        return f"http://{request.headers.get('host', 'localhost')}{self._prefix}"


def _not_a_read(method: str, path: str) -> Answer:
    if path in _QUIET:
        return Answer(reply=refusal(404, message="not here"))
    return _denied(f"`{method}` of this path is not a read that a mirror answers")


def _denied(why: str) -> Answer:
    return Answer(reply=refusal(403, message=why), denied=why)
