"""`mlxk lock`: resolve, fetch, capture, assemble, prove, write. Nothing else changes `models.lock`."""

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

from mlxlock.commands.capture import Trial, capture, replay
from mlxlock.commands.lock_report import check_report, lock_report
from mlxlock.commands.obtain import completer, needs_of, obtain
from mlxlock.commands.pinning import PinnedSource, pins_of
from mlxlock.commands.project import (
    Project,
    read_lockfile_if_any,
    read_manifest,
    refuse_newer,
    write_lockfile,
)
from mlxlock.commands.report import Report, plural
from mlxlock.errors import FirstRunError, UsageError
from mlxlock.planning.assemble import (
    assemble_model,
    complete_model,
    used_environments,
    with_captures,
    with_proof,
)
from mlxlock.planning.policy import check_policy, check_remote_code
from mlxlock.planning.relock import Decision, decide, first_runs_of, unproven_runs
from mlxlock.ports import BlobStore, Note, Ports, Source, Wanted
from mlxlock.spec.first_run import FirstRun
from mlxlock.spec.inspection import detect_kind
from mlxlock.spec.invariants import check_invariants
from mlxlock.spec.lockfile import Environment, LockedModel, Lockfile
from mlxlock.spec.manifest import Manifest, remote_code_of
from mlxlock.spec.record import CaptureRecord
from mlxlock.spec.resolution import Resolution

JOBS: Final = 8
EMPTY: Final = Lockfile()


@dataclass(frozen=True, slots=True, kw_only=True)
class LockOptions:
    """What `mlxk lock` was asked for.

    Attributes:
        check: Only say whether the lock is stale.
        upgrade: Resolve every model and artifact anew.
        upgrade_models: Resolve these anew.
        capture: Make the first runs and their proofs.
        dry_run: Resolve, and say what would change; write nothing.
    """

    check: bool = False
    upgrade: bool = False
    upgrade_models: tuple[str, ...] = ()
    capture: bool = True
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What the steps of one `lock` share."""

    project: Project
    manifest: Manifest
    ports: Ports
    store: BlobStore
    source: Source


def lock(project: Project, ports: Ports, options: LockOptions) -> Report:
    """Bring `models.lock` up to date with `models.toml`, or say what is stale.

    Raises:
        MlxlockError: And its children; the lock on disk is then as it was.
    """
    manifest = read_manifest(project)
    locked = read_lockfile_if_any(project)
    if options.check:
        return check_report(manifest, locked)
    before = locked or EMPTY
    refuse_newer(before)
    _refuse_unknown(manifest, options.upgrade_models)
    decisions = decide(
        manifest,
        before,
        upgrade=options.upgrade,
        upgrade_models=options.upgrade_models,
        capture=options.capture and not options.dry_run,
    )
    after = _locked(project, manifest, ports, decisions, before, options)
    check_invariants(after)
    changed = after != before if options.dry_run else write_lockfile(project, after)
    return lock_report(before, after, changed=changed, capture=options.capture, dry_run=options.dry_run)


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
) -> Lockfile:
    """The lock as it must be."""
    todo = [decision for decision in decisions if decision.todo != "keep"]
    kept = [decision.locked for decision in decisions if decision.todo == "keep" and decision.locked]
    if not todo:
        return replace(
            before, models=_sorted(kept), environments=used_environments(kept, before.environments)
        )
    resolutions = _resolve(todo, ports)
    source = PinnedSource(
        ports.source(),
        pins=dict(pins_of([*kept, *_pinning(todo)])),
        artifacts=manifest.artifacts,
        resolved=resolutions.values(),
    )
    work = _Work(project=project, manifest=manifest, ports=ports, store=ports.store(), source=source)
    drafts = [(decision, _draft(work, decision, resolutions)) for decision in todo]
    check_policy(manifest, [draft for _, draft in drafts])
    environments = list(before.environments)
    if options.dry_run or not options.capture:
        done = [draft for _, draft in drafts]
    else:
        done, environments = _captured(work, drafts, environments)
    models = _sorted([*kept, *done])
    return Lockfile(models=models, environments=used_environments(models, environments))


def _sorted(models: Iterable[LockedModel]) -> tuple[LockedModel, ...]:
    return tuple(sorted(models, key=lambda model: model.name))


def _pinning(decisions: Iterable[Decision]) -> Iterator[LockedModel]:
    """Entries whose artifacts keep their commits; their own may have moved."""
    for decision in decisions:
        if decision.locked is not None and decision.pinned:
            yield decision.locked


def _resolve(decisions: Sequence[Decision], ports: Ports) -> dict[str, Resolution]:
    """What the Hub says of each model that has to be asked about, by name."""
    asking = [decision for decision in decisions if decision.todo == "resolve"]
    if not asking:
        return {}
    ports.on_event(Note(text=f"Resolving {plural(len(asking), 'model')}"))
    source = ports.source()
    with ThreadPoolExecutor(max_workers=JOBS) as pool:
        answers = pool.map(lambda decision: _resolve_one(decision, source), asking)
        return {decision.model.name: answer for decision, answer in zip(asking, answers, strict=True)}


def _resolve_one(decision: Decision, source: Source) -> Resolution:
    version = decision.request.version if decision.revision is None else None
    answer = source.resolve(
        Wanted(repo=decision.model.repo, revision=decision.revision, version=version),
    )
    if decision.revision is not None and decision.revision.is_commit and decision.locked is not None:
        return replace(answer, revision=decision.locked.resolved_revision)
    return answer


def _draft(work: _Work, decision: Decision, resolutions: dict[str, Resolution]) -> LockedModel:
    """The entry before any first run: hashes where the store has the bytes already."""
    complete = completer(work.store)
    resolution = resolutions.get(decision.model.name)
    if resolution is None:
        assert decision.locked is not None  # noqa: S101 - only `resolve` lacks an entry
        return complete_model(decision.locked, complete)
    draft = assemble_model(decision.model.name, decision.request, resolution, complete)
    if decision.locked is not None and decision.pinned:
        return replace(draft, artifacts=decision.locked.artifacts)
    return draft


def _captured(
    work: _Work,
    drafts: Sequence[tuple[Decision, LockedModel]],
    environments: Sequence[Environment],
) -> tuple[list[LockedModel], list[Environment]]:
    """Fetch, run and prove each draft."""
    obtain(needs_of([draft for _, draft in drafts]), work.ports)
    known = list(environments)
    done = list[LockedModel]()
    for decision, draft in drafts:
        model = complete_model(draft, completer(work.store))
        fresh = decision.todo == "resolve"
        model, records = _run_model(work, replace(model, artifacts=()) if fresh else model, fresh=fresh)
        known += [Environment.of(record.environment) for record in records]
        done.append(_with_applying_pins(work.manifest, model))
    return done, known


def _run_model(work: _Work, model: LockedModel, *, fresh: bool) -> tuple[LockedModel, list[CaptureRecord]]:
    runs = first_runs_of(model.request) if fresh else tuple(unproven_runs(model))
    trials = _trials(work, model, runs) if runs else []
    records = [_capture_one(work, trial) for trial in trials]
    model = with_captures(model, records, completer(work.store))
    for trial, record in zip(trials, records, strict=True):
        model = _prove_one(work, replace(trial, model=model), record)
    return model, records


def _trials(work: _Work, model: LockedModel, runs: Iterable[FirstRun]) -> list[Trial]:
    spec = work.manifest.model(model.name)
    allowed = spec is not None and remote_code_of(work.manifest, spec) == "allow"
    texts, kind = kind_of(work.manifest, model, work.store)
    check_remote_code(model, texts, kind=kind, allowed=allowed)
    return [
        Trial(model=model, run=run, kind=kind, project=work.project.root, trust_remote_code=allowed)
        for run in runs
    ]


def kind_of(manifest: Manifest, model: LockedModel, store: BlobStore) -> tuple[dict[str, str], str | None]:
    """A model's small JSON files by name, and its kind: as declared, else as its config tells."""
    texts = _json_texts(store, model)
    spec = manifest.model(model.name)
    declared = spec.kind if spec is not None else None
    paths = [file.path for file in model.files]
    return texts, declared or detect_kind(_parsed(texts.get("config.json")), model.repo, paths)


def _json_texts(store: BlobStore, model: LockedModel) -> dict[str, str]:
    """The small JSON files at the top of a model, by name."""
    texts: dict[str, str] = {}
    for file in model.files:
        if "/" not in file.path and file.path.suffix == ".json" and file.size_bytes < 1 << 20:
            blob = store.find(file)
            if blob is not None:
                texts[file.path] = blob.path.read_text(encoding="utf-8", errors="replace")
    return texts


def _parsed(text: str | None) -> dict[str, object] | None:
    try:
        parsed = json.loads(text or "")
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _capture_one(work: _Work, trial: Trial) -> CaptureRecord:
    sandbox = work.ports.laboratory().sandbox().name
    work.ports.on_event(Note(text=f"Running `{trial.model.name}` ({trial.run.name}) in {sandbox}"))
    return capture(trial, work.ports.laboratory(), work.store, work.source)


def _prove_one(work: _Work, trial: Trial, record: CaptureRecord) -> LockedModel:
    """The model, its run proven; or as it was, with a warning that says why not."""
    work.ports.on_event(Note(text=f"Proving `{trial.model.name}` ({trial.run.name}) offline"))
    blocked = [exchange.url for exchange in record.exchanges if exchange.denied]
    try:
        output = replay(trial, work.ports.laboratory(), work.store)
    except FirstRunError as error:
        details = "; ".join(error.details[-3:])
        return _unproven(work, trial, f"offline, {error.reason}" + (f" ({details})" if details else ""))
    if blocked:
        return _unproven(work, trial, f"the first run was refused {', '.join(sorted(set(blocked)))}")
    if (
        output is not None
        and record.output is not None
        and _comparable(output.digest, output.input_digest)
        != _comparable(record.output.digest, record.output.input_digest)
        and trial.run.compare != "none"
    ):
        return _unproven(work, trial, "offline, the output differs from the captured run's")
    return with_proof(trial.model, record)


def _comparable(digest: str, input_digest: str | None) -> tuple[str, str | None]:
    return digest, input_digest


def _unproven(work: _Work, trial: Trial, why: str) -> LockedModel:
    name = f"`{trial.model.name}` ({trial.run.name})"
    work.ports.on_event(Note(text=f"{name} is not proven offline: {why}", level="warning"))
    return trial.model


def _with_applying_pins(manifest: Manifest, model: LockedModel) -> LockedModel:
    """The request with the artifact pins that turned out to apply."""
    repos = {artifact.repo for artifact in model.artifacts} | {
        artifact.canonical for artifact in model.artifacts if artifact.canonical
    }
    pins = {repo: revision for repo, revision in sorted(manifest.artifacts.items()) if repo in repos}
    return replace(model, request=replace(model.request, artifacts=pins))
