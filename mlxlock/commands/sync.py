"""`mlxk sync`: make the workspace what the lock says. Never resolves, never writes the lock, runs no code."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mlxlock.errors import DriftError
from mlxlock.planning.layout import Tree, lay_out
from mlxlock.planning.plan import Change, Inventory, Plan, make_plan
from mlxlock.planning.relock import all_seen
from mlxlock.ports import Note, Ports, Workspace
from mlxlock.spec.digest import Blake3
from mlxlock.spec.lockfile import LockedModel, Lockfile
from mlxlock.spec.names import RepoPath
from mlxlock.spec.resolution import RemoteFile
from mlxlock.spec.toml_text import shown
from mlxlock.steps.freshness import check_fresh
from mlxlock.steps.obtain import missing_from, needs_of, obtain
from mlxlock.steps.project import Project, read_lockfile, read_manifest, refuse_borrowed
from mlxlock.steps.rebuild import missing_effects, rebuild, refuse_unrebuildable
from mlxlock.steps.report import Json, Line, Report, human_bytes, plural, some_of
from mlxlock.steps.selection import Selection, chosen_models, seen_models, unseen_models


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOptions:
    """What `mlxk sync` was asked for.

    Attributes:
        selection: Which models.
        locked: Say explicitly that the lock must answer the manifest.
        frozen: Use the lock as it is, with a warning when it is stale.
        dry_run: Say what would change; change nothing.
        repair: Move edited files to quarantine instead of stopping at them.
        exact: Remove what earlier syncs wrote for models that are not selected now.
    """

    selection: Selection = field(default_factory=Selection)
    locked: bool = False
    frozen: bool = False
    dry_run: bool = False
    repair: bool = False
    exact: bool = False


def sync(project: Project, ports: Ports, options: SyncOptions) -> Report:
    """Plan, fetch what is missing, apply.

    Raises:
        LockStaleError: The manifest asks for something else than the lock.
        UsageError: The workspace's directory is a link to one that has other things in it.
        DriftError: Files were edited; nothing was changed.
        OfflineMissingError: Offline, and bytes are missing.
        DiskError: The disk refuses.
    """
    manifest = read_manifest(project)
    lockfile = read_lockfile(project)
    check_fresh(manifest, lockfile, ports, frozen=options.frozen)
    chosen = chosen_models(manifest, lockfile, options.selection)
    workspace = ports.workspace(project.workspace_root(manifest))
    unseen = missing_from(ports.store(), needs_of(unseen_models(chosen)))
    if unseen and options.dry_run:
        return _would_fetch(chosen, unseen)
    obtain(unseen, ports)
    models = seen_models(chosen, ports.store())
    tree = lay_out(models)
    inventory = _scanned(workspace, tree, project, ports)
    spared = () if options.exact else _paths_of_others(lockfile, chosen, ports)
    plan = make_plan(tree, inventory, spared=spared, repair=options.repair)
    _refuse_changes(plan)
    wanted = {node.identity for node in plan.put_files}
    effects = missing_effects(models, ports.store(), wanted)
    needs = {**_needs_of_plan(models, wanted), **effects.archives}
    if options.dry_run:
        missing = missing_from(ports.store(), needs)
        fetch_bytes = sum(need.file.size_bytes for need in missing) + effects.size_bytes
        return _report(plan, models, fetch_bytes, dry_run=True)
    ports.store().register(project.lockfile_path)
    refuse_unrebuildable(effects.writes)
    obtain(needs, ports)
    rebuild(effects, ports)
    # An empty plan is applied too: it tidies what a killed run left.
    workspace.apply(plan, ports.store(), ports.on_event)
    for path in plan.kept:
        ports.on_event(Note(text=f"`{path}` was edited and is no longer needed: left alone", level="warning"))
    return _report(plan, models, 0, dry_run=False)


def _scanned(workspace: Workspace, tree: Tree, project: Project, ports: Ports) -> Inventory:
    """What is there; what is not in the lock is told, and stays."""
    inventory = workspace.scan(tree)
    if not inventory.owned:
        refuse_borrowed(project, workspace.root)
    for text in some_of([f"`{shown(path)}` is not in the lock: left alone" for path in inventory.strays]):
        ports.on_event(Note(text=text, level="warning"))
    return inventory


def _would_fetch(models: tuple[LockedModel, ...], unseen: Mapping[RemoteFile, str]) -> Report:
    """The dry run of a lock whose files nobody has seen: more can be said when they are fetched."""
    size_bytes = sum(remote.file.size_bytes for remote in unseen)
    data: dict[str, Json] = {
        "changed": True,
        "dry_run": True,
        "models": [model.name for model in models],
        "fetch_bytes": size_bytes,
    }
    text = f"would fetch {plural(len(unseen), 'file')} ({human_bytes(size_bytes)}) and lay them out"
    return Report(command="sync", data=data, lines=(Line(text),))


def _paths_of_others(lockfile: Lockfile, chosen: Iterable[LockedModel], ports: Ports) -> tuple[RepoPath, ...]:
    """Paths of locked models that are not selected: they stay, unless `--exact`."""
    names = {model.name for model in chosen}
    others = [model for model in lockfile.models if model.name not in names]
    if not others:
        return ()
    return tuple(lay_out(filter(all_seen, seen_models(others, ports.store()))).nodes)


def _refuse_changes(plan: Plan) -> None:
    if plan.changed:
        raise DriftError(
            f"the workspace differs from the lock in {plural(len(plan.changed), 'path')}; nothing was done",
            details=tuple(_change(change) for change in plan.changed),
            hint="run `mlxk sync --repair` to move them to quarantine and restore what was locked",
        )


def _change(change: Change) -> str:
    return f"`{change.path}`"


def _needs_of_plan(models: Iterable[LockedModel], wanted: Collection[Blake3]) -> dict[RemoteFile, str]:
    return {remote: why for remote, why in needs_of(models).items() if remote.file.blake3 in wanted}


def _report(plan: Plan, models: tuple[LockedModel, ...], fetch_bytes: int, *, dry_run: bool) -> Report:
    lines = tuple(_lines(plan, models, fetch_bytes, dry_run=dry_run))
    data: dict[str, Json] = {
        "changed": not plan.is_empty,
        "dry_run": dry_run,
        "models": [model.name for model in models],
        "put": [put.path for put in plan.put],
        "removed": list(plan.remove),
        "quarantined": list(plan.quarantine),
        "kept": list(plan.kept),
        "fetch_bytes": fetch_bytes,
    }
    return Report(command="sync", data=data, lines=lines)


def _lines(plan: Plan, models: tuple[LockedModel, ...], fetch_bytes: int, *, dry_run: bool) -> Iterator[Line]:
    if plan.is_empty:
        yield Line(f"{plural(len(models), 'model')} in place, nothing to do", "good")
        return
    would = "would " if dry_run else ""
    if dry_run:
        for put in plan.put:
            yield Line(f"+ {put.path}")
        for path in plan.remove:
            yield Line(f"- {path}")
        yield Line(f"{would}fetch {human_bytes(fetch_bytes)}")
    done = "would write" if dry_run else "wrote"
    size = human_bytes(sum(node.file.size_bytes for node in plan.put_files))
    if plan.put or not plan.remove:
        what = f"{plural(len(plan.put), 'path')} ({size}) for {plural(len(models), 'model')}"
        yield Line(f"{done} {what}", "good")
    if plan.remove:
        yield Line(f"{'would remove' if dry_run else 'removed'} {plural(len(plan.remove), 'path')}", "good")
    for path in plan.quarantine if dry_run else ():  # what was moved, and where to, was told by then
        yield Line(f"would move `{path}` to quarantine", "warning")
