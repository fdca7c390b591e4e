"""Which commit each revision means for as long as a mirror lives.

Owns the promise that a revision is resolved once: the first answer holds, also while the Hub moves on and
while several threads ask. Never fetches a file.
"""

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

from mlxlock.errors import (
    GatedError,
    MlxlockError,
    OfflineMissingError,
    RepoNotFoundError,
    RevisionNotFoundError,
)
from mlxlock.hub.routes import Asked
from mlxlock.ports import Source, Wanted
from mlxlock.spec.names import RepoId, RepoType, Revision
from mlxlock.spec.record import Pin
from mlxlock.spec.resolution import Resolution

_LASTING: Final = (GatedError, RepoNotFoundError, RevisionNotFoundError)
"""Refusals that are answers too: asking again would let one run see two of them."""


@dataclass(frozen=True, slots=True)
class _Key:
    repo_type: RepoType
    repo: RepoId
    revision: str


class Pinning:
    """Resolutions by revision, each made once.

    Args:
        source: Who knows what a revision means now.
        pins: What some of them mean already.
        artifact_pins: What every symbolic revision of a repo has to mean.
        frozen: Whether nothing but `pins` may be served.
    """

    def __init__(
        self,
        source: Source,
        pins: Iterable[Pin],
        artifact_pins: Mapping[RepoId, Revision],
        *,
        frozen: bool = False,
    ) -> None:
        self._source = source
        self._artifact_pins = dict(artifact_pins)
        self._frozen = frozen
        self._lock = threading.Lock()
        self._known: dict[_Key, Future[Resolution]] = {}
        self._asked: dict[_Key, Pin] = {}
        for pin in pins:
            self._known[_Key(pin.repo_type, pin.repo, pin.revision)] = _done(pin.resolution)

    def resolution(self, asked: Asked) -> Resolution:
        """What a request is about.

        Raises:
            RevisionNotFoundError: The repo has no such revision, or it is none.
            OfflineMissingError: Frozen, and it is not pinned.
            HubError: And its children.
        """
        key = _Key(asked.repo_type, asked.repo, asked.revision)
        found = self._same_commit(key) or self._once(key)
        pin = Pin(repo=key.repo, revision=key.revision, resolution=found, repo_type=key.repo_type)
        with self._lock:
            # A commit goes by the name that led to it, when there was one.
            if not _is_commit(key.revision) or self._symbol(found, key) is None:
                self._asked.setdefault(key, pin)
        return found

    def asked(self) -> tuple[Pin, ...]:
        """Every revision asked for so far, in order, with what it meant."""
        with self._lock:
            return tuple(self._asked.values())

    def _same_commit(self, key: _Key) -> Resolution | None:
        """A commit that another revision led to is that resolution, not another one."""
        if not _is_commit(key.revision):
            return None
        with self._lock:
            known = [future for other, future in self._known.items() if _same_repo(other, key)]
        made = (future.result() for future in known if future.done() and future.exception() is None)
        return next((found for found in made if found.commit == key.revision), None)

    def _symbol(self, found: Resolution, key: _Key) -> Pin | None:
        return next(
            (
                pin
                for other, pin in self._asked.items()
                if _same_repo(other, key) and pin.resolution.commit == found.commit
            ),
            None,
        )

    def _once(self, key: _Key) -> Resolution:
        with self._lock:
            future = self._known.get(key)
            ours = future is None
            if future is None:
                future = self._known[key] = Future[Resolution]()
        if ours:
            self._settle(key, future)
        return future.result()

    def _settle(self, key: _Key, future: Future[Resolution]) -> None:
        try:
            future.set_result(self._find(key))
        except BaseException as error:
            if not isinstance(error, _LASTING):
                with self._lock:
                    del self._known[key]
            future.set_exception(error)
            if not isinstance(error, MlxlockError):
                raise

    def _find(self, key: _Key) -> Resolution:
        try:
            revision = Revision(key.revision)
        except ValueError as error:
            raise RevisionNotFoundError(f"`{key.repo}` has no revision {key.revision!r}") from error
        if self._frozen:
            raise OfflineMissingError(f"`{key.repo}` at `{revision}` is not locked", hint="run `mlxk lock`")
        if not revision.is_commit:
            revision = self._artifact_pins.get(key.repo, revision)
        return self._source.resolve(Wanted(repo=key.repo, revision=revision, repo_type=key.repo_type))


def _done(resolution: Resolution) -> Future[Resolution]:
    future = Future[Resolution]()
    future.set_result(resolution)
    return future


def _is_commit(revision: str) -> bool:
    return len(revision) == 40 and set(revision) <= set("0123456789abcdef")


def _same_repo(one: _Key, other: _Key) -> bool:
    return (one.repo_type, one.repo) == (other.repo_type, other.repo)
