"""A Source for which every symbolic revision means one commit, for the whole of one lock.

A step of `lock`. Owns the order of authority: what this lock resolved, then `[artifacts]` of the manifest,
then what the lock on disk says, then the Hub, which is asked once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Final

from mlxlock.ports import BlobStore, OnEvent, Source, Wanted, ignore
from mlxlock.spec.lockfile import LockedModel
from mlxlock.spec.names import RepoId, RepoType, Revision
from mlxlock.spec.resolution import RemoteFile, Resolution

Key = tuple[RepoId, RepoType, str]
MAIN: Final = Revision("main")


def pins_of(models: Iterable[LockedModel]) -> Iterator[tuple[Key, Revision]]:
    """The commit of each (repo, revision) that these entries name."""
    for model in models:
        yield (model.repo, "model", model.resolved_revision), Revision(model.commit)
        for artifact in model.artifacts:
            yield (artifact.repo, artifact.repo_type, artifact.revision), Revision(artifact.commit)


class PinnedSource:
    """Answers each (repo, revision) once, from a pin where there is one.

    Attributes:
        inner: Where pins do not reach.
    """

    def __init__(
        self,
        inner: Source,
        *,
        pins: Mapping[Key, Revision],
        artifacts: Mapping[RepoId, Revision],
        resolved: Iterable[Resolution] = (),
    ) -> None:
        self.inner = inner
        self._pins = dict(pins)
        self._artifacts = dict(artifacts)
        self._known: dict[Key, Resolution] = {}
        self._lock = Lock()
        for resolution in resolved:
            self._known[resolution.repo, resolution.repo_type, resolution.revision] = resolution

    def resolve(self, wanted: Wanted) -> Resolution:
        """The one resolution of this repo and revision.

        Raises:
            HubError: And its children.
        """
        asked = wanted.revision or MAIN
        key = (wanted.repo, wanted.repo_type, asked)
        with self._lock:
            if key not in self._known:
                self._known[key] = self._ask(wanted, key, asked)
            return self._known[key]

    def _ask(self, wanted: Wanted, key: Key, asked: Revision) -> Resolution:
        if asked.is_commit:
            return self._same_commit(wanted, asked) or self.inner.resolve(wanted)
        pinned = self._artifacts.get(wanted.repo) or self._pins.get(key) or asked
        return replace(self.inner.resolve(replace(wanted, revision=pinned)), revision=asked)

    def _same_commit(self, wanted: Wanted, commit: Revision) -> Resolution | None:
        for (repo, repo_type, _), known in self._known.items():
            if (repo, repo_type) == (wanted.repo, wanted.repo_type) and str(known.commit) == commit:
                return replace(known, revision=commit)
        return None

    def fetch(self, files: Sequence[RemoteFile], store: BlobStore, on_event: OnEvent = ignore) -> None:
        """As the inner source does."""
        self.inner.fetch(files, store, on_event)
