"""Edits `models.toml`, then locks and syncs; when that fails, both files are as they were.

A step of `add` and `remove`. Owns that a command either leaves all three agreeing, or nothing changed; what a
person wrote into the manifest while that took its time stays.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from mlxlock.commands.lock import LockOptions, lock_in_turn
from mlxlock.commands.sync import SyncOptions, sync
from mlxlock.errors import ManifestError
from mlxlock.fs import disk_errors, write_atomic
from mlxlock.ports import Note, Ports
from mlxlock.spec.manifest_reader import parse_manifest
from mlxlock.spec.toml_text import decode
from mlxlock.steps.project import MANIFEST_NAME, Project
from mlxlock.steps.report import Line, Report


class ChangeOptions(Protocol):
    """What `add` and `remove` have in common."""

    @property
    def lock(self) -> LockOptions:
        """How to lock."""
        ...

    @property
    def sync(self) -> SyncOptions:
        """How to sync."""
        ...

    @property
    def no_sync(self) -> bool:
        """Leave the workspace alone."""
        ...

    @property
    def frozen(self) -> bool:
        """Only edit the manifest."""
        ...


def change_manifest(
    command: str,
    project: Project,
    ports: Ports,
    edit: Callable[[str], str],
    options: ChangeOptions,
) -> Report:
    """Write the edited manifest, lock it, sync it.

    Raises:
        MlxlockError: What went wrong; manifest and lock on disk are then as they were.
    """
    with ports.turn(project.root):
        return _changed(command, project, ports, edit, options)


def _changed(
    command: str, project: Project, ports: Ports, edit: Callable[[str], str], options: ChangeOptions
) -> Report:
    path = project.manifest_path
    with disk_errors(path, doing="read"):
        before = path.read_bytes()
    after = edit(decode(before, MANIFEST_NAME, ManifestError))
    parse_manifest(after)
    locked = _bytes_of(project.lockfile_path)
    try:
        write_atomic(path, after.encode())
        return _agreeing(command, project, ports, options)
    except BaseException:
        if _bytes_of(path) == after.encode():
            write_atomic(path, before)
        elif _bytes_of(path) != before:
            text = f"`{path}` was edited meanwhile, and is left as it is"
            ports.on_event(Note(text=text, level="warning"))
        _restore(project.lockfile_path, locked)
        raise


def _bytes_of(path: Path) -> bytes | None:
    with disk_errors(path, doing="read"):
        return path.read_bytes() if path.exists() else None


def _restore(path: Path, data: bytes | None) -> None:
    if data is not None:
        write_atomic(path, data)
        return
    with disk_errors(path):
        path.unlink(missing_ok=True)


def _agreeing(command: str, project: Project, ports: Ports, options: ChangeOptions) -> Report:
    """Let lock and workspace follow the manifest, as far as was asked for."""
    if options.frozen:
        return Report(command=command, data={"locked": False, "synced": False}, lines=(_wrote(),))
    locked = lock_in_turn(project, ports, options.lock)
    if options.no_sync:
        return Report(
            command=command,
            data={"locked": True, "synced": False, "lock": locked.data},
            lines=(_wrote(), *locked.lines),
            exit_code=locked.exit_code,
            error_code=locked.error_code,
            message=locked.message,
            hint=locked.hint,
        )
    synced = sync(project, ports, options.sync)
    return Report(
        command=command,
        data={"locked": True, "synced": True, "lock": locked.data, "sync": synced.data},
        lines=(_wrote(), *locked.lines, *synced.lines),
        exit_code=locked.exit_code,
        error_code=locked.error_code,
        message=locked.message,
        hint=locked.hint,
    )


def _wrote() -> Line:
    return Line("wrote models.toml", "good")
