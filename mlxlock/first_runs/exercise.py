"""The first runs of a lock: fetch each draft, record its runs, prove them.

A step of `lock`. Owns the order, and which runs are made; `recording` and `proof` own each of the two.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from mlxlock.errors import FirstRunError, PolicyError
from mlxlock.first_runs.proof import Proven, prove
from mlxlock.first_runs.recording import Recorder
from mlxlock.first_runs.trial import Trial, check_trial
from mlxlock.planning.assemble import complete_model, with_captures
from mlxlock.planning.policy import allows_code, check_policy, check_remote_code, withheld
from mlxlock.planning.relock import Decision, first_runs_of, unproven_runs
from mlxlock.ports import IntakeStore, Note, Ports, Source
from mlxlock.spec.effects import NO_EFFECTS
from mlxlock.spec.first_run import FirstRun
from mlxlock.spec.lockfile import Environment, LockedModel
from mlxlock.spec.manifest import Manifest
from mlxlock.spec.record import CaptureRecord
from mlxlock.steps.inspected import texts_and_kind
from mlxlock.steps.obtain import completer, needs_of, obtain
from mlxlock.steps.rebuild import missing_effects, rebuild
from mlxlock.steps.report import plural
from mlxlock.steps.url_pins import UrlPins


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the steps of one `lock` share.

    Attributes:
        project: The project's directory.
        source: One in which every symbolic revision means one commit.
        url_pins: What URLs mean for all of it.
        adopt_writes: Whether files that programs made themselves are locked as they are.
    """

    project: Path
    manifest: Manifest
    ports: Ports
    store: IntakeStore
    source: Source
    url_pins: UrlPins = field(default_factory=UrlPins)
    adopt_writes: bool = False

    @property
    def recorder(self) -> Recorder:
        """What captures need of it."""
        return Recorder(
            laboratory=self.ports.laboratory(),
            store=self.store,
            source=self.source,
            withheld=partial(withheld, self.manifest),
            archives=self.ports.archives,
            url_pins=self.url_pins,
            adopt_writes=self.adopt_writes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What first runs made of the drafts.

    Attributes:
        environments: Those known before, and those that ran something.
        proofs: What became of each run.
    """

    models: tuple[LockedModel, ...]
    environments: tuple[Environment, ...]
    proofs: tuple[Proven, ...] = ()


def make_first_runs(
    work: Work,
    drafts: Sequence[tuple[Decision, LockedModel]],
    environments: Sequence[Environment],
) -> Made:
    """Fetch each draft, refuse what may not or cannot run, and only then run and prove them.

    Raises:
        PolicyError: A model would execute code that nobody allowed.
        FirstRunError: What a first run needs is not there, or it failed.
    """
    models = [draft for _, draft in drafts]
    obtain(needs_of(models), work.ports)
    kept = [model for decision, model in drafts if decision.todo != "resolve"]
    rebuild(missing_effects(kept, work.store), work.ports)
    known = list(environments)
    done, proofs = list[LockedModel](), list[Proven]()
    for candidate, trials in _ready(work, drafts):
        model, records, proven = _run_model(work, candidate, trials)
        known += [Environment.of(record.environment) for record in records]
        proofs += proven
        done.append(_with_applying_pins(work.manifest, model))
    return Made(models=tuple(done), environments=tuple(known), proofs=tuple(proofs))


def _bare(model: LockedModel) -> LockedModel:
    """The entry without what earlier first runs brought: the next ones say what is needed."""
    return replace(model, artifacts=(), effects=NO_EFFECTS)


def _ready(
    work: Work, drafts: Iterable[tuple[Decision, LockedModel]]
) -> list[tuple[LockedModel, list[Trial]]]:
    """Each draft as it stands before its runs, and what these are made of.

    Raises:
        PolicyError: Some would execute code that nobody allowed.
        FirstRunError: Some lack what they need; both with every model that is refused.
    """
    ready, refused = list[tuple[LockedModel, list[Trial]]](), list[PolicyError | FirstRunError]()
    for decision, draft in drafts:
        complete = complete_model(draft, completer(work.store))
        model = _bare(complete) if decision.todo == "resolve" else complete
        runs = tuple(unproven_runs(model)) if decision.todo == "rerun" else first_runs_of(model.request)
        try:
            trials = trials_of(work, model, runs) if runs else []
            for trial in trials:
                check_trial(trial, work.ports.laboratory())
        except (PolicyError, FirstRunError) as problem:
            refused.append(problem)
        else:
            ready.append((model, trials))
    _raise_all(refused)
    return ready


def _raise_all(refused: Sequence[PolicyError | FirstRunError]) -> None:
    """Raise what refuses models, all at once.

    Raises:
        PolicyError: The first is one.
        FirstRunError: Likewise.
    """
    if len(refused) == 1:
        raise refused[0]
    if refused:
        lines = [": ".join((each.reason, *each.details[:1])) for each in refused]
        first = refused[0]
        reason = f"{plural(len(refused), 'model')} cannot be run"
        raise type(first)(reason, hint=first.hint, details=tuple(lines)) from first


def _run_model(
    work: Work, model: LockedModel, trials: Sequence[Trial]
) -> tuple[LockedModel, list[CaptureRecord], list[Proven]]:
    records = [_record_one(work, trial) for trial in trials]
    if trials:
        model = with_captures(trials[0].model, records, completer(work.store))
        check_policy(work.manifest, [model])
    proofs = list[Proven]()
    for trial, done in zip(trials, records, strict=True):
        proofs.append(_prove_one(work, replace(trial, model=model), done))
        model = proofs[-1].model
    return model, records, proofs


def trials_of(work: Work, model: LockedModel, runs: Iterable[FirstRun]) -> list[Trial]:
    """What the runs of a model are made of.

    Raises:
        PolicyError: It would execute code that nobody allowed.
    """
    runs = tuple(runs)
    allowed = allows_code(work.manifest, model.name)
    texts, kind = texts_and_kind(work.manifest, model, work.store)
    of_ours = kind if all(run.command is None for run in runs) else None
    code = check_remote_code(model, texts, kind=of_ours, allowed=allowed)
    for each in code:
        work.ports.on_event(Note(text=f"`{model.name}` executes code of its repo: {each}", level="warning"))
    trusting = replace(model, trusts_remote_code=bool(code))
    return [
        Trial(
            model=trusting,
            run=run,
            kind=kind,
            project=work.project,
            trust_remote_code=allowed,
            hidden=(work.project / work.manifest.workspace.path,),
        )
        for run in runs
    ]


def _record_one(work: Work, trial: Trial) -> CaptureRecord:
    sandbox = work.ports.laboratory().sandbox().name
    where = "without a sandbox" if sandbox == "none" else f"in {sandbox}"
    work.ports.on_event(Note(text=f"Running `{trial.model.name}` ({trial.run.name}) {where}"))
    return work.recorder.record(trial)


def _prove_one(work: Work, trial: Trial, done: CaptureRecord) -> Proven:
    return prove(trial, done, work.ports.laboratory(), work.store, work.ports.on_event)


def _with_applying_pins(manifest: Manifest, model: LockedModel) -> LockedModel:
    """The request with the artifact pins that turned out to apply."""
    repos = {artifact.repo for artifact in model.artifacts} | {
        artifact.canonical for artifact in model.artifacts if artifact.canonical
    }
    pins = {repo: revision for repo, revision in sorted(manifest.artifacts.items()) if repo in repos}
    return replace(model, request=replace(model.request, artifacts=pins))
