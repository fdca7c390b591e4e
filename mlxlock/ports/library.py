"""The models that are on this machine already."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from mlxlock.ports.progress import ignore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mlxlock.ports.progress import OnEvent
    from mlxlock.ports.store import Blob
    from mlxlock.spec.digest import Sha256
    from mlxlock.spec.model_facts import ModelFacts, ModelFile
    from mlxlock.spec.names import CommitHash, RepoId, RepoPath, RepoType
    from mlxlock.spec.sentinel_reader import SeenSentinel


Where = Literal["lock", "workspace", "cache"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel:
    """A model that is somewhere on this machine.

    Attributes:
        where: `lock` for one that the project's lock names (its directory may not be built yet),
            `workspace` for a directory of its own, `cache` for a snapshot in a Hugging Face cache.
        directory: Its files, absolute; never resolved, so that it is shown as it was named.
        name: What a listing calls it: its name in the manifest, its directory, its repo in a cache.
        repo: The repo it came from, where that is known.
        revision: The commit, where that is known.
        refs: The revisions that mean this commit here, in a cache and in a lock.
        sentinel: What `.mlxk_workspace.json` says; None without one, or with a broken one.
        sentinel_problem: Why its sentinel cannot be read.
    """

    where: Where
    directory: Path
    name: str
    repo: RepoId | None = None
    revision: CommitHash | None = None
    refs: tuple[str, ...] = ()
    sentinel: SeenSentinel | None = None
    sentinel_problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """A directory of models.

    Attributes:
        models: By name.
        problem: Why it cannot be read; a shelf that does not exist is empty, without a problem.
    """

    where: Where
    root: Path
    models: tuple[LocalModel, ...] = ()
    problem: str | None = None


class Library(Protocol):
    """The models on this machine, in workspaces and Hugging Face caches. Only ever reads."""

    def shelves(self) -> tuple[Shelf, ...]:
        """The workspace home, each path of `MLXK_MODEL_PATH`, the Hugging Face cache: as they are searched.

        One broken model or shelf is told in its place; it never hides the others.
        """
        ...

    def shelf(self, root: Path) -> Shelf:
        """The models right below a directory, such as a project's workspace."""
        ...

    def path(self, text: str) -> Path | None:
        """The path that a text spells (`./x`, `../x`, `/x`, `~/x`); None when it may be a name instead."""
        ...

    def model(self, directory: Path) -> LocalModel | None:
        """The model in a directory: a workspace, or a snapshot of a cache; None when there is none."""
        ...

    def files(self, model: LocalModel) -> tuple[ModelFile, ...]:
        """All its files but a `.hf_cache`, sorted bytewise by path.

        Raises:
            DiskError: It cannot be read.
        """
        ...

    def facts(self, model: LocalModel) -> ModelFacts:
        """What can be seen of it without reading its weights; a file that cannot be read is a problem there.

        Raises:
            DiskError: A directory cannot be read.
        """
        ...

    def hashes(self, model: LocalModel, on_event: OnEvent = ignore) -> Mapping[str, Sha256]:
        """The SHA-256 of each regular file that a content hash covers, from all its bytes, by path.

        Raises:
            DiskError: One cannot be read, or changes while it is read.
        """
        ...

    def artifacts(self, root: Path) -> tuple[Artifact, ...]:
        """What stands in the `.hf_cache` of a directory of models, by name.

        Raises:
            DiskError: It cannot be read.
        """
        ...

    def as_made(self, model: LocalModel) -> bool | None:
        """Whether this directory is as mlxk made it; None without a record of that.

        Reads only the files whose stat is another one than then.

        Raises:
            DiskError: It cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """What stands in a `.hf_cache` under one repo, or beside the repos.

    Attributes:
        name: The repo, or the path below `.hf_cache` for anything else.
        repo_type: None for what is no repo.
        commits: Those with files there.
        refs: The revisions that stand for one of them.
        size_bytes: What it takes beside the models' own files.
        state: `declared` when all its files are those of a model beside the cache, `complete` when a run
            brought it and every file is there, `incomplete` with the reasons in `problems`.
    """

    name: str
    repo_type: RepoType | None
    state: Literal["declared", "complete", "incomplete"]
    commits: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()
    files: int = 0
    size_bytes: int = 0
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What the interpreter that would run models has, by the names of its packages; nothing is started.

    Attributes:
        packages: Versions by name, of those that models need.
        problem: Why nobody knows.
    """

    packages: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedFile:
    """A file as a Hugging Face cache keeps it: its bytes, under the name that the Hub gives them."""

    etag: str
    blob: Blob


class HubCache(Protocol):
    """The user's Hugging Face cache, for `pull` and `rm`."""

    @property
    def root(self) -> Path:
        """The directory that holds the `models--…` folders."""
        ...

    def put(
        self,
        repo: RepoId,
        commit: CommitHash,
        files: Mapping[RepoPath, CachedFile],
        ref: str | None,
        on_event: OnEvent = ignore,
    ) -> bool:
        """Put a snapshot there: blobs, then links, then the ref. What is there is hashed before it is kept.

        Returns:
            Whether anything was written.

        Raises:
            DiskError: The disk refuses, has too little space, or has no symlinks.
            MismatchError: A blob of the store is no longer what it was.
            BusyError: Another mlxk works on this repo, and does not end.
        """
        ...

    def remove(self, repo: RepoId, commit: CommitHash | None) -> None:
        """Take one snapshot out, with the refs and blobs that nothing else there needs; or the whole repo.

        Raises:
            DiskError: The disk refuses.
            BusyError: Another mlxk works on this repo, and does not end.
        """
        ...
