"""Decides, before any request, what `lock` has to do for each model of the manifest. Pure.

Owns when a locked commit stays, when the Hub is asked again, and when a first run is made again.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from mlxlock.planning.freshness import asked_of, model_reasons
from mlxlock.spec.first_run import DEFAULT_NAME, FirstRun
from mlxlock.spec.lockfile import LockedModel, Lockfile, Request
from mlxlock.spec.manifest import Manifest, ModelSpec
from mlxlock.spec.names import Revision
from mlxlock.spec.record import SANDBOX_RANK, RequiredLevel, SandboxLevel

WHERE: Final = ("repo", "revision", "version")
"""The keys of a request that decide the commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do for one model.

    Attributes:
        todo: `keep` the entry as it is, `rerun` what its proofs lack, `capture` all its runs again, or
            `resolve` it anew.
        model: Its manifest entry.
        request: What it asks for.
        locked: Its entry in the lock, if any.
        revision: What to ask the Hub for, for `resolve`; None when `request.version` is the question.
        pinned: Whether its artifacts keep the commits they have.
    """

    todo: Literal["keep", "rerun", "capture", "resolve"]
    model: ModelSpec
    request: Request
    locked: LockedModel | None
    revision: Revision | None = None
    pinned: bool = True


def first_runs_of(model: ModelSpec | Request) -> tuple[FirstRun, ...]:
    """The runs a model is exercised with: those declared, or the kind's default."""
    return (FirstRun(name=DEFAULT_NAME),) if model.first_runs is None else model.first_runs


def decide(
    manifest: Manifest,
    lockfile: Lockfile,
    *,
    upgrade: bool,
    upgrade_models: Collection[str],
    capture: bool,
) -> tuple[Decision, ...]:
    """One decision a model, in the manifest's order.

    Args:
        manifest: What is asked.
        lockfile: What is locked.
        upgrade: Resolve everything anew.
        upgrade_models: Resolve these anew.
        capture: Whether first runs will be made.
    """
    decisions = (
        _decide(manifest, model, lockfile.model(model.name), anew=upgrade or model.name in upgrade_models)
        for model in manifest.models
    )
    return tuple(_settle(decision, capture=capture) for decision in decisions)


def _decide(manifest: Manifest, model: ModelSpec, locked: LockedModel | None, *, anew: bool) -> Decision:
    asked = asked_of(manifest, model, locked)
    if locked is None or anew:
        revision = None if model.version else model.revision
        return Decision(
            todo="resolve", model=model, request=asked, locked=locked, revision=revision, pinned=False
        )
    changed = {reason.key for reason in model_reasons(model, asked, locked)}
    if not changed:
        return Decision(todo="keep", model=model, request=asked, locked=locked)
    if changed.intersection(WHERE):
        revision = None if model.version else model.revision
        return Decision(todo="resolve", model=model, request=asked, locked=locked, revision=revision)
    return Decision(
        todo="resolve", model=model, request=asked, locked=locked, revision=Revision(locked.commit)
    )


def _settle(decision: Decision, *, capture: bool) -> Decision:
    """A kept entry is run again only for what it lacks."""
    if decision.todo != "keep" or not capture or decision.locked is None:
        return decision
    if any(unproven_runs(decision.locked)) or not all_seen(decision.locked):
        return Decision(todo="rerun", model=decision.model, request=decision.request, locked=decision.locked)
    return decision


def unproven_runs(model: LockedModel) -> Iterator[FirstRun]:
    """The first runs that no environment has proven in a sandbox of the level that is required."""
    for run in first_runs_of(model.request):
        levels = proven_in(model, run.name)
        if not any(is_enough(level, model.request.sandbox_require) for level in levels):
            yield run


def proven_in(model: LockedModel, first_run: str) -> tuple[SandboxLevel, ...]:
    """The sandbox levels in which a first run is proven, the best first; empty for nowhere."""
    proofs = (each for each in model.proofs if each.first_run == first_run and each.offline != "unproven")
    return tuple(sorted((each.sandbox for each in proofs), key=SANDBOX_RANK.__getitem__, reverse=True))


def is_enough(level: SandboxLevel, required: RequiredLevel | None) -> bool:
    """Whether a proof of this level counts where this one is required."""
    return required is None or SANDBOX_RANK[level] >= SANDBOX_RANK[required]


def short_of(model: LockedModel, required: RequiredLevel | None) -> Iterator[tuple[str, SandboxLevel]]:
    """The first runs that are proven, but in no sandbox of the required level, each with the best it has."""
    for run in first_runs_of(model.request):
        best = next(iter(proven_in(model, run.name)), None)
        if best is not None and not is_enough(best, required):
            yield run.name, best


def all_seen(model: LockedModel) -> bool:
    """Whether the bytes of every file were hashed by us."""
    return all(remote.file.seen for remote in model.remote_files())
