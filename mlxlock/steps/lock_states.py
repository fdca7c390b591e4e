"""What of the project's models is not as the lock says: a step of `list`, `show` and `health`. Only reads."""

from collections.abc import Mapping

from mlxlock.errors import MlxlockError
from mlxlock.planning.layout import lay_out
from mlxlock.planning.relock import all_seen
from mlxlock.planning.verdict import judge
from mlxlock.ports import Note, Ports
from mlxlock.steps.project import Project, read_lockfile_if_any, read_manifest
from mlxlock.steps.selection import seen_models


def lock_states(project: Project, ports: Ports) -> Mapping[str, tuple[str, ...]]:
    """What is not as the lock says, for each locked model whose files were all seen; by name.

    Reads only files whose stat is not the one that `sync` saw.

    Raises:
        ManifestError: And its siblings, when the project cannot be read.
    """
    workspace = ports.workspace(project.workspace_root(read_manifest(project)))
    lockfile = read_lockfile_if_any(project)
    locked = () if lockfile is None else lockfile.models
    states: dict[str, tuple[str, ...]] = {}
    for model in filter(all_seen, seen_models(locked, ports.store())):
        tree = lay_out([model])
        verdict = judge(tree, workspace.scan(tree))
        states[model.name] = tuple(f"`{finding.path}` is {finding.problem}" for finding in verdict.findings)
    return states


def lock_states_if_any(project: Project, ports: Ports) -> Mapping[str, tuple[str, ...]]:
    """The same; a project that cannot be read is told, and hides no other model."""
    try:
        return lock_states(project, ports)
    except MlxlockError as problem:
        ports.on_event(Note(text=f"the project here cannot be read: {problem.reason}", level="warning"))
        return {}
