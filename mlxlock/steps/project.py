"""A project on disk: where its manifest and lock are, and how they are read and written.

Owns the two file names and the search for them. Every command starts here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mlxlock.errors import (
    LockfileError,
    LockMissingError,
    LockNewerError,
    ManifestError,
    ManifestMissingError,
    UsageError,
)
from mlxlock.fs import disk_errors, write_atomic
from mlxlock.ports import Note, OnEvent
from mlxlock.spec.toml_text import decode

if TYPE_CHECKING:  # what needs no project reads none, and need not know how
    from pathlib import Path

    from mlxlock.spec.lockfile import Lockfile
    from mlxlock.spec.manifest import Manifest

MANIFEST_NAME: Final = "models.toml"
LOCKFILE_NAME: Final = "models.lock"
RESTORE: Final = f"restore it (`git checkout {LOCKFILE_NAME}`), or remove it and run `mlxk lock`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A directory with a `models.toml`, absolute."""

    root: Path

    @property
    def manifest_path(self) -> Path:
        """Its `models.toml`."""
        return self.root / MANIFEST_NAME

    @property
    def lockfile_path(self) -> Path:
        """Its `models.lock`."""
        return self.root / LOCKFILE_NAME

    def workspace_root(self, manifest: Manifest) -> Path:
        """The directory that `sync` builds."""
        return self.root / manifest.workspace.path


def refuse_borrowed(project: Project, root: Path) -> None:
    """Stop before a link, which may have come with the project, makes a workspace among other things.

    Args:
        project: Whose workspace it is.
        root: The workspace's directory, in which no earlier sync left anything.

    Raises:
        UsageError: A link leads there, and it is not empty.
    """
    real = os.path.realpath(root)
    unlinked = f"{os.path.realpath(project.root)}/{root.relative_to(project.root)}"
    if real == unlinked or not root.is_dir():
        return
    with disk_errors(root, doing="list"):
        if next(root.iterdir(), None) is not None:
            raise UsageError(
                f"`{root}` leads by a link to `{real}`, which has other things in it and is no workspace yet",
                hint="let it lead to an empty directory, or remove the link",
            )


def find_project(start: Path) -> Project:
    """The nearest directory, from `start` upwards, that has a `models.toml`.

    Raises:
        ManifestMissingError: There is none.
    """
    for directory in (start, *start.parents):
        if (directory / MANIFEST_NAME).is_file():
            return Project(root=directory)
    raise ManifestMissingError(
        f"no `{MANIFEST_NAME}` in `{start}` or above it",
        hint="run `mlxk init` to make one",
    )


def read_manifest(project: Project) -> Manifest:
    """The project's manifest.

    Raises:
        ManifestMissingError: It is not there.
        ManifestError: It cannot be read; every problem is told.
    """
    from mlxlock.spec.manifest_reader import parse_manifest  # noqa: PLC0415 - only who has a project needs it

    data = _read(project.manifest_path)
    if data is None:
        raise ManifestMissingError(f"no `{project.manifest_path}`", hint="run `mlxk init` to make one")
    return parse_manifest(decode(data, MANIFEST_NAME, ManifestError))


def read_lockfile(project: Project) -> Lockfile:
    """The project's lock.

    Raises:
        LockMissingError: It is not there.
        LockfileError: It cannot be read; every problem is told.
        LockNewerError: A newer mlxlock wrote it.
    """
    lockfile = read_lockfile_if_any(project)
    if lockfile is None:
        raise LockMissingError(f"no `{LOCKFILE_NAME}` in `{project.root}`", hint="run `mlxk lock`")
    return lockfile


def read_lockfile_if_any(project: Project) -> Lockfile | None:
    """The project's lock, or None when there is none yet."""
    from mlxlock.spec.lockfile_reader import parse_lockfile  # noqa: PLC0415 - only who has a project needs it

    data = _read(project.lockfile_path)
    if data is None:
        return None
    try:
        return parse_lockfile(decode(data, LOCKFILE_NAME, LockfileError), LOCKFILE_NAME)
    except LockfileError as error:
        error.hint = error.hint or RESTORE
        raise


def write_lockfile(project: Project, lockfile: Lockfile) -> bool:
    """Write the lock; equal bytes are not written again.

    Returns:
        Whether the file changed.

    Raises:
        LockNewerError: The lock on disk is of a newer revision, of which something would be lost.
        DiskError: The disk refuses.
    """
    from mlxlock.spec.lockfile_writer import format_lockfile  # noqa: PLC0415 - only who has a project needs it

    refuse_newer(lockfile)
    return write_atomic(project.lockfile_path, format_lockfile(lockfile).encode())


def warn_of_newer(lockfile: Lockfile, on_event: OnEvent) -> None:
    """Say that a lock has more in it than this mlxlock reads."""
    from mlxlock.spec.lockfile import REVISION  # noqa: PLC0415 - only who has a project needs it

    if lockfile.revision > REVISION:
        text = (
            f"`{LOCKFILE_NAME}` has revision {lockfile.revision}, and this mlxlock reads {REVISION}: "
            f"what is new in it is passed over; upgrade mlxlock"
        )
        on_event(Note(text=text, level="warning"))


def refuse_newer(lockfile: Lockfile) -> None:
    """Raise before a lock that a newer mlxlock wrote is written by this one.

    Raises:
        LockNewerError: Its revision is newer than ours.
    """
    from mlxlock.spec.lockfile import REVISION  # noqa: PLC0415 - only who has a project needs it

    if lockfile.revision > REVISION:
        raise LockNewerError(
            f"`{LOCKFILE_NAME}` has revision {lockfile.revision}, and this mlxlock writes {REVISION}",
            hint="upgrade mlxlock",
        )


def _read(path: Path) -> bytes | None:
    with disk_errors(path, doing="read"):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
