"""`mlxk lock`: resolve, fetch, capture, assemble, prove, write. Nothing else changes `models.lock`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mlxlock.commands.lock_report import check_report, in_part, lock_report
from mlxlock.errors import MlxlockError, PolicyError, UsageError
from mlxlock.first_runs.exercise import Made, Work, make_first_runs
from mlxlock.first_runs.proof import Proven
from mlxlock.planning.assemble import used_environments, with_recorded_proofs
from mlxlock.planning.freshness import staleness
from mlxlock.planning.frozen import new_arrivals
from mlxlock.planning.levels import refuse_lower_sandbox, refuse_unsandboxed
from mlxlock.planning.policy import check_policy
from mlxlock.planning.relock import Decision, decide, first_runs_of
from mlxlock.ports import Note, Ports
from mlxlock.spec.effects import NO_EFFECTS
from mlxlock.spec.invariants import check_invariants
from mlxlock.spec.lockfile import LockedModel, Lockfile
from mlxlock.spec.lockfile_reader import parse_lockfile
from mlxlock.spec.lockfile_writer import format_lockfile
from mlxlock.spec.manifest import Manifest
from mlxlock.steps.locked_source import LockedSource
from mlxlock.steps.pinning import PinnedSource, pins_of
from mlxlock.steps.project import (
    Project,
    read_lockfile_if_any,
    read_manifest,
    refuse_newer,
    write_lockfile,
)
from mlxlock.steps.report import Report
from mlxlock.steps.resolve import draft, resolve
from mlxlock.steps.url_pins import UrlPins

EMPTY: Final = Lockfile()
NOT_WRITTEN: Final = "models.lock (not written)"
"""What errors call the lock that is being made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockOptions:
    """What `mlxk lock` was asked for.

    Attributes:
        check: Only say whether anything of the lock is left to do, or refused.
        upgrade: Resolve every model and artifact anew.
        upgrade_models: Resolve these anew.
        capture: Make the first runs and their proofs.
        dry_run: Resolve, and say what would change; write nothing.
        adopt_writes: Lock files that first runs made themselves as they are.
        frozen_artifacts: Refuse what first runs bring and the lock does not have yet.
        keep_going: Lock what can be locked; an entry that cannot stays as it is.
        allow_lower: Run models also in a lesser sandbox than the one that the lock has of them.
        sandboxed: False for `--no-sandbox`.
    """

    check: bool = False
    upgrade: bool = False
    upgrade_models: tuple[str, ...] = ()
    capture: bool = True
    dry_run: bool = False
    adopt_writes: bool = False
    frozen_artifacts: bool = False
    keep_going: bool = False
    allow_lower: bool = False
    sandboxed: bool = True

    @property
    def runs(self) -> bool:
        """Whether first runs are made."""
        return self.capture and not self.dry_run


def lock(project: Project, ports: Ports, options: LockOptions) -> Report:
    """Bring `models.lock` up to date with `models.toml`, or say what is stale.

    Raises:
        MlxlockError: And its children; the lock on disk is then as it was.
    """
    if options.check:
        return check_report(read_manifest(project), read_lockfile_if_any(project), capture=options.capture)
    if options.dry_run:
        return lock_in_turn(project, ports, options)
    read_manifest(project)
    read_lockfile_if_any(project)  # whoever broke one of them hears of it before a turn comes
    with ports.turn(project.root):
        return lock_in_turn(project, ports, options)


def lock_in_turn(project: Project, ports: Ports, options: LockOptions) -> Report:
    """The same for who has the project's turn, or writes nothing.

    Raises:
        MlxlockError: And its children; the lock on disk is then as it was.
    """
    manifest = read_manifest(project)
    if options.runs:
        refuse_unsandboxed(manifest, sandboxed=options.sandboxed)
    before = read_lockfile_if_any(project) or EMPTY
    refuse_newer(before)
    _refuse_unknown(manifest, options.upgrade_models)
    one_by_one = _in_part if options.keep_going else _at_once
    after, proofs, failed = one_by_one(project, manifest, ports, before, options)
    # Also read back: what the Hub or a first run said must never make a lock that nobody can read.
    parse_lockfile(format_lockfile(after), NOT_WRITTEN)
    if not options.capture and not failed:
        _tell_unanswered(manifest, after, ports)
    changed = after != before if options.dry_run else write_lockfile(project, after)
    report = lock_report(
        before,
        after,
        changed=changed,
        capture=options.capture,
        dry_run=options.dry_run,
        proofs=proofs,
    )
    return in_part(report, failed) if failed else report


def _tell_unanswered(manifest: Manifest, lockfile: Lockfile, ports: Ports) -> None:
    """Say what only a first run can answer: the lock stays stale without one."""
    for reason in staleness(manifest, lockfile):
        text = f"{reason}: only `mlxk lock` without `--no-capture` can answer that"
        ports.on_event(Note(text=text, level="warning"))


_Outcome = tuple[Lockfile, tuple[Proven, ...], Mapping[str, MlxlockError]]


def _at_once(
    project: Project, manifest: Manifest, ports: Ports, before: Lockfile, options: LockOptions
) -> _Outcome:
    decisions = _decided(manifest, before, options)
    return *_locked(project, manifest, ports, decisions, before, options), {}


def _in_part(
    project: Project, manifest: Manifest, ports: Ports, before: Lockfile, options: LockOptions
) -> _Outcome:
    """One model after the other, each on what those before it made.

    Raises:
        MlxlockError: Of the first, when none could be locked.
    """
    after, proofs, failed = before, list[Proven](), dict[str, MlxlockError]()
    names = [each.model.name for each in _decided(manifest, before, options) if each.todo != "keep"]
    for name in names:
        decisions = _only(name, _decided(manifest, after, options))
        try:
            after, made = _locked(project, manifest, ports, decisions, after, options)
        except MlxlockError as problem:
            failed[name] = problem
        else:
            proofs += made
    if failed and len(failed) == len(names):
        raise failed[names[0]]
    rest = _only(None, _decided(manifest, after, options))
    return _locked(project, manifest, ports, rest, after, options)[0], tuple(proofs), failed


def _only(name: str | None, decisions: Iterable[Decision]) -> list[Decision]:
    """The decisions of which only one does anything; an entry that there is not yet cannot be kept."""
    return [
        each if each.model.name == name else replace(each, todo="keep")
        for each in decisions
        if each.model.name == name or each.locked is not None
    ]


def _decided(manifest: Manifest, before: Lockfile, options: LockOptions) -> tuple[Decision, ...]:
    return decide(
        manifest,
        before,
        upgrade=options.upgrade,
        upgrade_models=options.upgrade_models,
        capture=options.runs,
    )


def _refuse_unknown(manifest: Manifest, names: Iterable[str]) -> None:
    for name in names:
        if manifest.model(name) is None:
            known = ", ".join(f"`{model.name}`" for model in manifest.models)
            raise UsageError(f"no model `{name}` in `models.toml`", hint=f"it has {known or 'no models yet'}")


def _locked(
    project: Project,
    manifest: Manifest,
    ports: Ports,
    decisions: Sequence[Decision],
    before: Lockfile,
    options: LockOptions,
) -> tuple[Lockfile, tuple[Proven, ...]]:
    """The lock as it must be, and what became of each first run."""
    todo = [decision for decision in decisions if decision.todo != "keep"]
    kept = [decision.locked for decision in decisions if decision.todo == "keep" and decision.locked]
    check_policy(manifest, kept)
    if not todo:
        environments = used_environments(kept, before.environments)
        return replace(before, models=_sorted(kept), environments=environments), ()
    if options.dry_run and options.capture:
        ports.on_event(Note(text="A dry run makes no first runs: what they bring may change, too"))
    if options.runs and not options.allow_lower:
        _refuse_lower(todo, ports)
    hub = LockedSource(ports.source(), before.models)
    resolutions = resolve(todo, replace(ports, source=lambda: hub), dict(pins_of(kept)))
    pinning = [*kept, *(before.models if options.frozen_artifacts else _pinning(todo))]
    source = PinnedSource(
        hub,
        pins=dict(pins_of(pinning)),
        artifacts=manifest.artifacts,
        resolved=resolutions.values(),
        frozen=options.frozen_artifacts,
    )
    work = Work(
        project=project.root,
        manifest=manifest,
        ports=ports,
        store=ports.store(),
        source=source,
        url_pins=UrlPins(pinning),
        adopt_writes=options.adopt_writes,
    )
    drafts = [(decision, draft(decision, resolutions, work.store, capture=options.runs)) for decision in todo]
    _check_drafts([*kept, *(model for _, model in drafts)])
    check_policy(manifest, [replace(model, artifacts=(), effects=NO_EFFECTS) for _, model in drafts])
    made = Made(models=tuple(model for _, model in drafts), environments=before.environments)
    if options.runs:
        made = make_first_runs(work, drafts, before.environments)
    if options.frozen_artifacts:
        _refuse_arrivals(before, made.models)
    again = (with_recorded_proofs(before.model(model.name), model) for model in made.models)
    models = _sorted([*kept, *again])
    return Lockfile(models=models, environments=used_environments(models, made.environments)), made.proofs


def _refuse_lower(todo: Iterable[Decision], ports: Ports) -> None:
    """Refuse a lesser sandbox than the recorded one, before anything is asked, fetched or run.

    Raises:
        ProofError: With each model.
        SandboxError: No sandbox works here.
    """
    again = [each.locked for each in todo if each.locked is not None and first_runs_of(each.request)]
    recorded = [model for model in again if model.proofs]
    if recorded:
        refuse_lower_sandbox(recorded, ports.laboratory().sandbox().level)


def _refuse_arrivals(before: Lockfile, models: Iterable[LockedModel]) -> None:
    """Refuse what first runs brought and the lock does not have, also where its repo was known.

    Raises:
        PolicyError: With each file, and each URL.
    """
    arrived = new_arrivals(before.models, models)
    if arrived:
        raise PolicyError(
            "`--frozen-artifacts` allows nothing new, and first runs brought what `models.lock` lacks",
            details=tuple(f"`{name}`" for name in arrived),
            hint="run `mlxk lock` without it, and review what comes",
        )


def _check_drafts(models: Iterable[LockedModel]) -> None:
    """Refuse what could not be laid out before anything is fetched for it or runs.

    Raises:
        LockfileError: Paths of a repo collide or are reserved, or nothing is left of it.
        RefClashError: One revision of one repo would be two commits.
    """
    bare = tuple(replace(model, artifacts=(), proofs=()) for model in models)
    check_invariants(Lockfile(models=bare), NOT_WRITTEN)


def _sorted(models: Iterable[LockedModel]) -> tuple[LockedModel, ...]:
    return tuple(sorted(models, key=lambda model: model.name))


def _pinning(decisions: Iterable[Decision]) -> Iterator[LockedModel]:
    """Entries whose artifacts keep their commits; their own may have moved."""
    for decision in decisions:
        if decision.locked is not None and decision.pinned:
            yield decision.locked
