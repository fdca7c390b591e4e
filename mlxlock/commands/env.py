"""`mlxk env`: shell lines that make a project's own programs use the workspace, pinned and offline."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mlxlock.errors import DriftError, LockMissingError, LockStaleError
from mlxlock.ports import Note, Ports
from mlxlock.spec.manifest import Manifest
from mlxlock.steps.overlaid import unwritable
from mlxlock.steps.project import Project, read_manifest
from mlxlock.steps.report import Raw
from mlxlock.steps.selection import Selection
from mlxlock.steps.synced import check_synced


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvOptions:
    """Which shell, the environment that the lines will change, and the models that are counted on."""

    inherited: Mapping[str, str]
    shell: Literal["sh", "fish"] = "sh"
    selection: Selection = field(default_factory=Selection)


def env(project: Project, ports: Ports, options: EnvOptions) -> Raw:
    """The lines for `eval "$(mlxk env)"`; what programs will miss is told, and keeps nobody from them.

    Raises:
        ManifestError: And its siblings, when the manifest cannot be read.
    """
    manifest = read_manifest(project)
    _warn_of_unsynced(project, manifest, ports, options.selection)
    overlay = ports.overlay(project.workspace_root(manifest), options.inherited)
    for name in unwritable(overlay):
        text = f"`{overlay.variables[name]}` cannot be written: set `{name}` to a directory of your own"
        ports.on_event(Note(text=text, level="warning"))
    return Raw(
        command="env",
        data={"set": dict(overlay.variables), "unset": list(overlay.unset)},
        text=overlay.as_shell(options.shell),
    )


def _warn_of_unsynced(project: Project, manifest: Manifest, ports: Ports, selection: Selection) -> None:
    try:
        check_synced(project, manifest, ports, selection)
    except (DriftError, LockMissingError, LockStaleError) as problem:
        text = f"{problem.reason}: {problem.hint}" if problem.hint else problem.reason
        ports.on_event(Note(text=text, level="warning"))
