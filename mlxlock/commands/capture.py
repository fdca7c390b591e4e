"""`mlxk capture [MODEL...]`: make first runs again, and put this environment's proofs beside the others'."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from mlxlock.commands.lock_report import capture_report
from mlxlock.errors import UsageError
from mlxlock.first_runs.exercise import Made, Work, make_first_runs
from mlxlock.planning.assemble import used_environments
from mlxlock.planning.levels import lowered, refuse_unsandboxed
from mlxlock.planning.policy import check_policy
from mlxlock.planning.relock import Decision, first_runs_of
from mlxlock.ports import Ports
from mlxlock.spec.invariants import check_invariants
from mlxlock.spec.lockfile import LockedModel, Lockfile
from mlxlock.spec.manifest import Manifest
from mlxlock.spec.readers import did_you_mean
from mlxlock.spec.toml_text import shown
from mlxlock.steps.freshness import check_fresh
from mlxlock.steps.locked_source import LockedSource
from mlxlock.steps.pinning import PinnedSource, pins_of
from mlxlock.steps.project import (
    Project,
    read_lockfile,
    read_manifest,
    refuse_newer,
    write_lockfile,
)
from mlxlock.steps.report import Report
from mlxlock.steps.url_pins import UrlPins


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureOptions:
    """What `mlxk capture` was asked for.

    Attributes:
        models: Names; none means every model that is ever run.
        allow_lower: Record a proof also where it says less than the one that stands there.
        adopt_writes: Lock files that first runs made themselves as they are.
        sandboxed: False for `--no-sandbox`.
    """

    models: tuple[str, ...] = ()
    allow_lower: bool = False
    adopt_writes: bool = False
    sandboxed: bool = True


def capture(project: Project, ports: Ports, options: CaptureOptions) -> Report:
    """Run again what is locked, at the commits that are locked; nothing is resolved anew.

    Raises:
        LockStaleError: The manifest asks for something else: `lock` is what is needed.
        UsageError: No such model, or one that is never run.
        MlxlockError: And its children; the lock on disk is then as it was.
    """
    read_manifest(project)
    read_lockfile(project)  # whoever broke one of them hears of it before a turn comes
    with ports.turn(project.root):
        return _capture(project, ports, options)


def _capture(project: Project, ports: Ports, options: CaptureOptions) -> Report:
    manifest, before = read_manifest(project), read_lockfile(project)
    refuse_unsandboxed(manifest, sandboxed=options.sandboxed)
    refuse_newer(before)
    check_fresh(manifest, before, ports, frozen=False)
    chosen = _chosen(before, options.models)
    check_policy(manifest, chosen)
    made = _made(project, ports, options, manifest, before, chosen)
    fallen = {model.name: tuple(_lowered(before, model)) for model in made.models}
    refused = () if options.allow_lower else tuple(name for name, lines in fallen.items() if lines)
    after = _after(before, made, refused)
    check_invariants(after)
    changed = write_lockfile(project, after)
    lines = tuple(line for name in refused for line in fallen[name])
    return capture_report(before, after, changed=changed, proofs=made.proofs, lowered=lines)


def _chosen(lockfile: Lockfile, names: Iterable[str]) -> tuple[LockedModel, ...]:
    names = tuple(dict.fromkeys(names))
    if not names:
        return tuple(model for model in lockfile.models if first_runs_of(model.request))
    return tuple(_named(lockfile, name) for name in names)


def _named(lockfile: Lockfile, name: str) -> LockedModel:
    model = lockfile.model(name)
    if model is None:
        known = [each.name for each in lockfile.models]
        listed = ", ".join(f"`{each}`" for each in known) or "none"
        raise UsageError(
            f"`models.lock` has no model `{shown(name)}`{did_you_mean(name, known)}", hint=f"it has: {listed}"
        )
    if not first_runs_of(model.request):
        raise UsageError(f"`{name}` has `first-run = false`", hint="take that out of `models.toml` to run it")
    return model


def _made(
    project: Project,
    ports: Ports,
    options: CaptureOptions,
    manifest: Manifest,
    before: Lockfile,
    chosen: Iterable[LockedModel],
) -> Made:
    source = PinnedSource(
        LockedSource(ports.source(), before.models),
        pins=dict(pins_of(before.models)),
        artifacts=manifest.artifacts,
    )
    work = Work(
        project=project.root,
        manifest=manifest,
        ports=ports,
        store=ports.store(),
        source=source,
        url_pins=UrlPins(before.models),
        adopt_writes=options.adopt_writes,
    )
    specs = {model.name: model for model in manifest.models}
    drafts = [
        (Decision(todo="capture", model=specs[model.name], request=model.request, locked=model), model)
        for model in chosen
    ]
    return make_first_runs(work, drafts, before.environments)


def _lowered(before: Lockfile, after: LockedModel) -> Iterable[str]:
    old = before.model(after.name)
    return () if old is None else lowered(old, after)


def _after(before: Lockfile, made: Made, refused: Iterable[str]) -> Lockfile:
    """The lock with what was made, but for models whose proofs would say less."""
    new = {model.name: model for model in made.models if model.name not in refused}
    models = tuple(new.get(model.name, model) for model in before.models)
    return replace(before, models=models, environments=used_environments(models, made.environments))
