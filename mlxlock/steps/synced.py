"""Whether the workspace holds what the lock says: a step of `run` and `exec`.

Reads no file whose stat says that it is unchanged.
"""

from collections.abc import Collection, Iterator
from pathlib import Path

from mlxlock.errors import DriftError
from mlxlock.planning.layout import lay_out
from mlxlock.planning.relock import all_seen
from mlxlock.planning.verdict import cure_of, judge
from mlxlock.ports import Ports
from mlxlock.spec.lockfile import LockedModel
from mlxlock.spec.manifest import Manifest
from mlxlock.steps.freshness import check_fresh
from mlxlock.steps.project import Project, read_lockfile
from mlxlock.steps.selection import (
    Selection,
    chosen_models,
    refuse_elsewhere,
    seen_models,
    sync_command,
    unseen_models,
)

_MOST_TOLD = 5


def check_synced(project: Project, manifest: Manifest, ports: Ports, selection: Selection) -> None:
    """Refuse a workspace that a program would not find as the lock says; models left out do not count.

    Raises:
        LockMissingError: There is no lock; `LockfileError` and `LockNewerError` likewise.
        LockStaleError: The manifest asks for something else than the lock.
        DriftError: The workspace is not what the lock says.
    """
    if not manifest.models:
        return
    lockfile = read_lockfile(project)
    check_fresh(manifest, lockfile, ports, frozen=False)
    models = chosen_models(manifest, lockfile, selection)
    refuse_unsynced("the workspace", models, manifest, project.workspace_root(manifest), ports)


def refuse_unsynced(
    what: str, models: Collection[LockedModel], manifest: Manifest, root: Path, ports: Ports
) -> None:
    """Raise when `models` are not in the workspace as the lock says.

    Raises:
        DriftError: They are not; its hint names the groups that bring them.
        UsageError: One of them is not for this environment.
    """
    found = list(_findings(seen_models(models, ports.store()), root, ports))
    if found:
        refuse_elsewhere(manifest, models)
        sync = f"run `{sync_command(manifest, [model.name for model in models])}`"
        raise DriftError(
            f"{what} is not what the lock says",
            details=tuple(told for _, told in found[:_MOST_TOLD]),
            hint=cure_of([problem for problem, _ in found], sync),
        )


def _findings(models: Collection[LockedModel], root: Path, ports: Ports) -> Iterator[tuple[str, str]]:
    """Each problem, and how it is told."""
    for model in unseen_models(models):
        yield "not fetched", f"not fetched: `{model.name}`"
    if not models:
        return
    tree = lay_out(filter(all_seen, models))
    for finding in judge(tree, ports.workspace(root).scan(tree)).findings:
        yield finding.problem, str(finding)
