"""A Source for which every symbolic revision means one commit, for the whole of one lock.

A step of `lock`. Owns the order of authority: what this lock resolved, then `[artifacts]` of the manifest,
then what the lock on disk says, then the Hub, which is asked once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Final

from mlxlock.errors import PolicyError
from mlxlock.ports import BlobStore, OnEvent, Source, Wanted, ignore
from mlxlock.spec.lockfile import LockedModel
from mlxlock.spec.names import CommitHash, RepoId, RepoType, Revision
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

    Args:
        inner: The same.
        pins: The commit of each revision that the lock names.
        artifacts: What `[artifacts]` of the manifest makes each revision of a repo mean.
        resolved: What was resolved for this lock already.
        frozen: Refuse what no pin has.
    """

    def __init__(
        self,
        inner: Source,
        *,
        pins: Mapping[Key, Revision],
        artifacts: Mapping[RepoId, Revision],
        resolved: Iterable[Resolution] = (),
        frozen: bool = False,
    ) -> None:
        self.inner = inner
        self._pins = dict(pins)
        self._artifacts = dict(artifacts)
        self._frozen = frozen
        self._known: dict[Key, Resolution] = {}
        self._lock = Lock()
        for resolution in resolved:
            self._known[resolution.repo, resolution.repo_type, resolution.revision] = resolution

    def resolve(self, wanted: Wanted) -> Resolution:
        """The one resolution of this repo and revision.

        Raises:
            PolicyError: Frozen, and no pin has it.
            HubError: And its children.
        """
        asked = wanted.revision or MAIN
        key = (wanted.repo, wanted.repo_type, asked)
        with self._lock:
            if key not in self._known:
                self._known[key] = self._ask(wanted, key, asked)
            return self._known[key]

    def _ask(self, wanted: Wanted, key: Key, asked: Revision) -> Resolution:
        if self._frozen:
            self._refuse_new(wanted, None)
        if asked.is_commit:
            answer = self._same_commit(wanted, asked) or self.inner.resolve(wanted)
        else:
            pinned = self._artifacts.get(wanted.repo) or self._pins.get(key) or asked
            answer = replace(self.inner.resolve(replace(wanted, revision=pinned)), revision=asked)
        if self._frozen:
            self._refuse_new(wanted, answer.commit)
        return answer

    def _refuse_new(self, wanted: Wanted, commit: CommitHash | None) -> None:
        """Refuse a commit that no pin means; before the Hub is asked, a repo that no pin has."""
        place = (wanted.repo, wanted.repo_type)
        known = {str(pin) for (repo, repo_type, _), pin in self._pins.items() if (repo, repo_type) == place}
        if known if commit is None else str(commit) in known:
            return
        what = f"`{wanted.repo}`" if commit is None else f"`{wanted.repo}` at {commit[:12]}"
        raise PolicyError(
            f"{what} is not in `models.lock`, and `--frozen-artifacts` allows nothing new",
            hint="run `mlxk lock` without it, and review what comes",
        )

    def _same_commit(self, wanted: Wanted, commit: Revision) -> Resolution | None:
        for (repo, repo_type, _), known in self._known.items():
            if (repo, repo_type) == (wanted.repo, wanted.repo_type) and str(known.commit) == commit:
                return replace(known, revision=commit)
        return None

    def fetch(self, files: Sequence[RemoteFile], store: BlobStore, on_event: OnEvent = ignore) -> None:
        """As the inner source does."""
        self.inner.fetch(files, store, on_event)
