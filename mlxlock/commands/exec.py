"""`mlxk exec -- COMMAND`: a project's own program, unchanged, on the workspace: pinned and offline."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlxlock.errors import ChildError, UsageError
from mlxlock.ports import Ports
from mlxlock.spec.toml_text import shown
from mlxlock.steps.child import run_child
from mlxlock.steps.overlaid import overlaid
from mlxlock.steps.project import Project, read_manifest
from mlxlock.steps.report import Report
from mlxlock.steps.selection import Selection
from mlxlock.steps.synced import check_synced


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecOptions:
    """The program, its arguments, the environment they are started from, and the models it counts on."""

    argv: tuple[str, ...]
    inherited: Mapping[str, str]
    selection: Selection = field(default_factory=Selection)


def exec_(project: Project, ports: Ports, options: ExecOptions) -> Report:
    """Run it in the user's terminal; its exit code is the answer.

    Raises:
        UsageError: No program, or none of that name.
        DriftError: The workspace is not what the lock says; without a lock that answers the manifest its
            own error.
        DiskError: `.hf_cache` cannot be made.
    """
    if not options.argv:
        raise UsageError("nothing to run", hint="write `mlxk exec -- python app.py`")
    manifest = read_manifest(project)
    check_synced(project, manifest, ports, options.selection)
    overlay = ports.overlay(project.workspace_root(manifest), options.inherited)
    with overlaid(overlay, options.inherited) as environment:
        code = run_child(options.argv, environment)
    return Report(
        command="exec",
        data={"exit_code": code},
        exit_code=code,
        error_code=ChildError.code if code else None,
        message=f"`{shown(options.argv[0])}` ended with exit code {code}" if code else None,
    )
