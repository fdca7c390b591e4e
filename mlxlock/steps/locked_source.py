"""A Source that also works where the Hub may not be asked: for commits that the lock names, with what it has.

A step of `lock` and `capture`. Owns what `--offline` can answer. With a network it changes nothing: the Hub
lists a commit's files, and the lock may have only some of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from mlxlock.errors import OfflineMissingError
from mlxlock.planning.proving import known_commits
from mlxlock.ports import BlobStore, OnEvent, Source, Wanted, ignore
from mlxlock.spec.lockfile import LockedModel
from mlxlock.spec.resolution import RemoteFile, Resolution


class LockedSource:
    """Asks the inner source, and answers from the lock what that may not ask the Hub.

    Args:
        inner: Raises `OfflineMissingError` for all that it would have to ask.
        models: The entries of the lock.
    """

    def __init__(self, inner: Source, models: Iterable[LockedModel]) -> None:
        self._inner = inner
        self._known = known_commits(models)

    def resolve(self, wanted: Wanted) -> Resolution:
        """The commit with its files; offline, those that the lock has of it.

        Raises:
            OfflineMissingError: Offline, and no entry of the lock names the commit.
            HubError: And its children.
        """
        try:
            return self._inner.resolve(wanted)
        except OfflineMissingError:
            known = self._known.get((wanted.repo, wanted.repo_type, str(wanted.revision)))
            if known is None or wanted.revision is None:
                raise
            return replace(known, revision=wanted.revision)

    def fetch(self, files: Sequence[RemoteFile], store: BlobStore, on_event: OnEvent = ignore) -> None:
        """As the inner source does."""
        self._inner.fetch(files, store, on_event)
