"""The Hub: where commits and bytes come from, and where a workspace may go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mlxlock.ports.progress import ignore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mlxlock.ports.progress import OnEvent
    from mlxlock.ports.store import BlobStore
    from mlxlock.spec.names import CommitHash, RepoId, RepoPath, RepoType, Revision
    from mlxlock.spec.resolution import FileEntry, RemoteFile, Resolution


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which commit of a repo someone wants: a revision, or the newest tag in a PEP 440 range."""

    repo: RepoId
    revision: Revision | None = None
    version: str | None = None
    repo_type: RepoType = "model"


class Source(Protocol):
    """Where commits and bytes come from."""

    def resolve(self, wanted: Wanted) -> Resolution:
        """Find the commit and list its files with their hashes, without mixing commits.

        Raises:
            HubError: And its children, for every way in which the Hub may refuse.
        """
        ...

    def fetch(self, files: Sequence[RemoteFile], store: BlobStore, on_event: OnEvent = ignore) -> None:
        """Bring every file into the store, hashed as it arrives and compared before it gets a name.

        Files the store already has cost nothing. Interrupted ones continue.

        Raises:
            MismatchError: Bytes differ from what the Hub or the lock asserts.
            HubError: And its children.
            DiskError: The store's disk refuses.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A repo as it is on the Hub now, for whoever wants to change it.

    Attributes:
        commit: The head of the branch.
    """

    private: bool
    commit: CommitHash
    files: tuple[FileEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One commit to make.

    Attributes:
        parent: What the branch must still be at.
        put: Files to add or replace.
        removed: Files to remove.
        message: Its first line.
    """

    branch: Revision
    parent: CommitHash
    put: Mapping[RepoPath, Path]
    removed: tuple[RepoPath, ...]
    message: str


class Publisher(Protocol):
    """The Hub for whoever may write to it."""

    def look(self, repo: RepoId, branch: Revision) -> Published:
        """What is there.

        Raises:
            RepoNotFoundError: No such repo, or not for this user.
            RevisionNotFoundError: No such branch.
            HubError: And its other children.
        """
        ...

    def create(self, repo: RepoId, *, private: bool) -> None:
        """Make a repo.

        Raises:
            HubError: And its children.
        """
        ...

    def commit(self, repo: RepoId, edit: Edit) -> CommitHash:
        """Upload and commit, unless the branch has moved.

        Raises:
            HubError: And its children; nothing was committed.
        """
        ...
