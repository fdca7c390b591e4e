"""How much proofs say, and whether new ones say less than those that stand in the lock. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from mlxlock.errors import ProofError, UsageError
from mlxlock.planning.relock import first_runs_of, unproven_runs
from mlxlock.spec.lockfile import LockedModel, OfflineLevel, Proof
from mlxlock.spec.manifest import Manifest
from mlxlock.spec.record import SANDBOX_RANK, Compared, SandboxLevel

OFFLINE: Final[Mapping[OfflineLevel, int]] = {"unproven": 0, "served": 1, "proven": 2}
COMPARED: Final[Mapping[Compared, int]] = {"none": 0, "output": 1}


def lowered(before: LockedModel, after: LockedModel) -> Iterator[str]:
    """What a recorded proof says more than the one that would take its place, one line each."""
    new = {(proof.environment, proof.first_run): proof for proof in after.proofs}
    for old in before.proofs:
        proof = new.get((old.environment, old.first_run))
        for what, was, would_be in _fallen(old, proof) if proof is not None else ():
            name = f"`{before.name}` ({old.first_run})"
            yield f"{name} in `{old.environment}`: {what} would be `{would_be}`, and was `{was}`"


def refuse_lower_sandbox(models: Iterable[LockedModel], level: SandboxLevel) -> None:
    """Refuse first runs whose proofs would say less of the sandbox than what is recorded of the same models.

    Also where the commit moved, and the recorded proofs go: what is known of the model would be less.

    Args:
        models: Entries that are about to be run again, as they are in the lock.
        level: What would be recorded.

    Raises:
        ProofError: With each model, and the level that it has.
    """
    recorded = {
        model.name: max((p.sandbox for p in model.proofs), key=_rank, default=level) for model in models
    }
    fallen = {name: was for name, was in recorded.items() if _rank(was) > _rank(level)}
    if fallen:
        raise ProofError(
            "new proofs would say less of the sandbox than the recorded ones",
            details=tuple(f"`{name}`: would be `{level}`, and was `{was}`" for name, was in fallen.items()),
            hint="`--allow-lower` records them",
        )


def refuse_unsandboxed(manifest: Manifest, *, sandboxed: bool) -> None:
    """Refuse to run anything without a sandbox where the manifest requires one.

    Raises:
        UsageError: It does.
    """
    require = manifest.sandbox.require
    if require is not None and not sandboxed:
        raise UsageError(
            f'`--no-sandbox` was given, and `[sandbox]` of `models.toml` says `require = "{require}"`',
            hint="leave `--no-sandbox` out, or take `require` out of `models.toml`",
        )


def offline_of(model: LockedModel) -> OfflineLevel:
    """How a model goes without the Hub: its weakest first run, each where it is proven best.

    What is proven in a lesser sandbox than the manifest requires does not count.
    """
    if any(unproven_runs(model)) or not model.proofs:
        return "unproven"
    return min((proof.offline for proof in _best(model)), key=OFFLINE.__getitem__)


def sandbox_of(model: LockedModel) -> SandboxLevel | None:
    """The least that held a first run which proves it; None where nothing is proven."""
    if offline_of(model) == "unproven":
        return None
    return min((proof.sandbox for proof in _best(model)), key=_rank)


def standing(model: LockedModel) -> str:
    """The same for people: `proven`, `proven, no sandbox`, `never run`."""
    if not first_runs_of(model.request):
        return "never run"
    lacking: Mapping[SandboxLevel | None, str] = {"none": ", no sandbox", "partial": ", partial sandbox"}
    return offline_of(model) + lacking.get(sandbox_of(model), "")


def _best(model: LockedModel) -> list[Proof]:
    """The strongest proof of each first run, whatever its environment."""
    best: dict[str, Proof] = {}
    for proof in sorted(model.proofs, key=lambda each: (OFFLINE[each.offline], SANDBOX_RANK[each.sandbox])):
        best[proof.first_run] = proof
    return list(best.values())


def _rank(level: SandboxLevel) -> int:
    return SANDBOX_RANK[level]


def _fallen(old: Proof, new: Proof) -> Iterator[tuple[str, str, str]]:
    if OFFLINE[new.offline] < OFFLINE[old.offline]:
        yield "offline", old.offline, new.offline
    if SANDBOX_RANK[new.sandbox] < SANDBOX_RANK[old.sandbox]:
        yield "sandbox", old.sandbox, new.sandbox
    if COMPARED[new.compared] < COMPARED[old.compared]:
        yield "compared", old.compared, new.compared
