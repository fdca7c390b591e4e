"""`mlxk remove NAME…`: take models out of `models.toml`, then lock and sync, as uv does."""

from dataclasses import dataclass, field

from mlxlock.commands.lock import LockOptions
from mlxlock.commands.manifest_change import change_manifest
from mlxlock.commands.sync import SyncOptions
from mlxlock.ports import Ports
from mlxlock.spec.manifest_edit import remove_model
from mlxlock.steps.project import Project
from mlxlock.steps.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveOptions:
    """What `mlxk remove` was asked for."""

    names: tuple[str, ...]
    lock: LockOptions = field(default_factory=LockOptions)
    sync: SyncOptions = field(default_factory=SyncOptions)
    no_sync: bool = False
    frozen: bool = False


def remove(project: Project, ports: Ports, options: RemoveOptions) -> Report:
    """Edit the manifest; a lock or sync that fails gives both files back.

    Raises:
        UsageError: No such model.
        MlxlockError: As `lock` and `sync` raise.
    """

    def edit(text: str) -> str:
        for name in options.names:
            text = remove_model(text, name)
        return text

    return change_manifest("remove", project, ports, edit, options)
