"""`mlxk env`: shell lines that make a project's own programs use the workspace, pinned and offline."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mlxlock.ports import Ports
from mlxlock.steps.project import Project, read_manifest
from mlxlock.steps.report import Raw


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvOptions:
    """Which shell, and the environment that the lines will change."""

    inherited: Mapping[str, str]
    shell: Literal["sh", "fish"] = "sh"


def env(project: Project, ports: Ports, options: EnvOptions) -> Raw:
    """The lines for `eval "$(mlxk env)"`.

    Raises:
        ManifestError: And its siblings, when the manifest cannot be read.
    """
    root = project.workspace_root(read_manifest(project))
    overlay = ports.overlay(root, options.inherited)
    return Raw(
        command="env",
        data={"set": dict(overlay.variables), "unset": list(overlay.unset)},
        text=overlay.as_shell(options.shell),
    )
