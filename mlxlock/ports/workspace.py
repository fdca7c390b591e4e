"""One built tree on disk, and directories for single models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from mlxlock.ports.progress import ignore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from mlxlock.planning.layout import Tree
    from mlxlock.planning.plan import Inventory, Plan
    from mlxlock.ports.progress import OnEvent
    from mlxlock.ports.store import Blob, BlobStore
    from mlxlock.spec.digest import Sha256
    from mlxlock.spec.names import RepoPath
    from mlxlock.spec.sentinel import Sentinel


LinkMode = Literal["auto", "clone", "hardlink", "copy"]


class Workspace(Protocol):
    """One built tree on disk."""

    @property
    def root(self) -> Path:
        """The directory that holds the models and `.hf_cache`."""
        ...

    def scan(self, tree: Tree, *, content: bool = False) -> Inventory:
        """What is there, of all that `tree` names, of all that an earlier sync left, and else in models.

        Args:
            tree: What should be there.
            content: Read and hash every byte, even where a stat says nothing changed.

        Raises:
            DiskError: A directory cannot be read.
        """
        ...

    def apply(self, plan: Plan, store: BlobStore, on_event: OnEvent = ignore) -> None:
        """Carry out a plan: stage, verify, swap; refs last, then the sentinels.

        Raises:
            DiskError: Not enough space (computed before the first byte), read-only, not permitted.
            OfflineMissingError: The store lost a blob since the plan was made.
            MismatchError: A blob is no longer what it was.
            DriftError: A path is no longer as this workspace's last scan saw it.
            BusyError: Another process builds this workspace, and does not end.
        """
        ...


class Building(Protocol):
    """A model's directory on its way: complete, or never there."""

    @property
    def stage(self) -> Path:
        """Where it is until it gets its name: hidden, beside the target, empty at first."""
        ...

    def add(self, blobs: Mapping[RepoPath, Blob], on_event: OnEvent = ignore) -> None:
        """Bring files in from the store: by clone, hard link or copy, as the link mode says.

        Raises:
            DiskError: Too little space (computed before the first byte), or the disk refuses.
            MismatchError: A blob is no longer what it was.
        """
        ...

    def copy(self, source: Path, paths: Sequence[RepoPath], on_event: OnEvent = ignore) -> None:
        """Take files from another directory, by clone or copy, links followed.

        Raises:
            DiskError: The disk refuses.
        """
        ...

    def seal(self, on_event: OnEvent = ignore) -> Mapping[str, Sha256]:
        """Read all that is staged: the SHA-256 of each file that a content hash covers, by path.

        Raises:
            DiskError: A file cannot be read, changes while it is read, or is none.
        """
        ...

    def finish(self, sentinel: Sentinel) -> None:
        """Write the sentinel, then give the directory its name; makes the `.hf_cache` beside it.

        Raises:
            DiskError: The disk refuses, or something has come to stand at the target.
        """
        ...


class Workspaces(Protocol):
    """Makes directories for single models, outside of what `sync` owns."""

    def building(self, target: Path) -> AbstractContextManager[Building]:
        """Begin one, alone; what a killed run left is cleared first. Leaving without `finish` leaves nothing.

        Raises:
            DiskError: The disk refuses.
            BusyError: Another process makes it, and does not end.
        """
        ...

    def remove(self, directory: Path) -> None:
        """Take a whole directory away: gone at once, its space freed afterwards.

        Raises:
            DiskError: The disk refuses.
            BusyError: Another process makes it, and does not end.
        """
        ...
