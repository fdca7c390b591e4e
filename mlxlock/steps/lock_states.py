"""What of the project's models is not as the lock says: a step of `list`, `show` and `health`. Only reads."""

from collections.abc import Mapping
from pathlib import Path

from mlxlock.errors import MlxlockError
from mlxlock.planning.layout import lay_out
from mlxlock.planning.relock import all_seen
from mlxlock.planning.verdict import Finding, judge
from mlxlock.ports import Note, Ports, Workspace
from mlxlock.spec.lockfile import LockedModel, Lockfile
from mlxlock.spec.selection import Selection, is_for
from mlxlock.steps.looked import LockState
from mlxlock.steps.project import Project, read_lockfile_if_any, read_manifest
from mlxlock.steps.selection import environment_of, left_out, seen_models, sync_command


def lock_states(project: Project, ports: Ports) -> Mapping[Path, LockState]:
    """What is to be said of each locked model, by its directory.

    Reads only files whose stat is not the one that `sync` saw.

    Raises:
        ManifestError: And its siblings, when the project cannot be read.
    """
    manifest = read_manifest(project)
    lockfile = read_lockfile_if_any(project) or Lockfile()
    absent = left_out(manifest, lockfile, Selection())
    environment = environment_of(manifest)
    elsewhere = {spec.name for spec in manifest.models if not is_for(spec, environment)}
    root = project.workspace_root(manifest)
    workspace = ports.workspace(root)
    return {
        root / model.directory: LockState(
            drift=_drift(model, workspace) if all_seen(model) else None,
            left_out=absent.get(model.name),
            elsewhere=model.name in elsewhere,
            cure=sync_command(manifest, [model.name]),
        )
        for model in seen_models(lockfile.models, ports.store())
    }


def _drift(model: LockedModel, workspace: Workspace) -> tuple[str, ...]:
    tree = lay_out([model])
    verdict = judge(tree, workspace.scan(tree))
    return tuple(map(_told, verdict.findings))


def _told(finding: Finding) -> str:
    return f"`{finding.path}` is {'not in the lock' if finding.problem == 'foreign' else finding.problem}"


def lock_states_if_any(project: Project, ports: Ports) -> Mapping[Path, LockState]:
    """The same; a project that cannot be read is told, and hides no other model."""
    try:
        return lock_states(project, ports)
    except MlxlockError as problem:
        ports.on_event(Note(text=f"the project here cannot be read: {problem.reason}", level="warning"))
        return {}
