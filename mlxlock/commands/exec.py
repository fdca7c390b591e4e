"""`mlxk exec -- COMMAND`: a project's own program, unchanged, on the workspace: pinned and offline."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlxlock.errors import UsageError
from mlxlock.fs import disk_errors
from mlxlock.ports import Ports
from mlxlock.spec.toml_text import shown
from mlxlock.steps.child import run_child
from mlxlock.steps.project import Project, read_manifest
from mlxlock.steps.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecOptions:
    """The program, its arguments, and the environment they are started from."""

    argv: tuple[str, ...]
    inherited: Mapping[str, str]


def exec_(project: Project, ports: Ports, options: ExecOptions) -> Report:
    """Run it in the user's terminal; its exit code is the answer.

    Raises:
        UsageError: No program, or none of that name.
        DiskError: `.hf_cache` cannot be made.
    """
    if not options.argv:
        raise UsageError("nothing to run", hint="write `mlxk exec -- python app.py`")
    root = project.workspace_root(read_manifest(project))
    overlay = ports.overlay(root, options.inherited)
    for directory in overlay.directories:
        with disk_errors(directory, doing="make"):
            directory.mkdir(parents=True, exist_ok=True)
    code = run_child(options.argv, overlay.over(options.inherited))
    return Report(
        command="exec",
        data={"exit_code": code},
        exit_code=code,
        error_code="child-failed" if code else None,
        message=f"`{shown(options.argv[0])}` ended with exit code {code}" if code else None,
    )
