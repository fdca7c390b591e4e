"""How much a proof says, and whether a new one says less than the one that stands in the lock. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from mlxlock.spec.lockfile import LockedModel, OfflineLevel, Proof
from mlxlock.spec.record import Compared, SandboxLevel

OFFLINE: Final[Mapping[OfflineLevel, int]] = {"unproven": 0, "served": 1, "proven": 2}
SANDBOX: Final[Mapping[SandboxLevel, int]] = {"none": 0, "partial": 1, "full": 2}
COMPARED: Final[Mapping[Compared, int]] = {"none": 0, "output": 1}


def lowered(before: LockedModel, after: LockedModel) -> Iterator[str]:
    """What a recorded proof says more than the one that would take its place, one line each."""
    new = {(proof.environment, proof.first_run): proof for proof in after.proofs}
    for old in before.proofs:
        proof = new.get((old.environment, old.first_run))
        for what, was, would_be in _fallen(old, proof) if proof is not None else ():
            name = f"`{before.name}` ({old.first_run})"
            yield f"{name} in `{old.environment}`: {what} would be `{would_be}`, and was `{was}`"


def _fallen(old: Proof, new: Proof) -> Iterator[tuple[str, str, str]]:
    if OFFLINE[new.offline] < OFFLINE[old.offline]:
        yield "offline", old.offline, new.offline
    if SANDBOX[new.sandbox] < SANDBOX[old.sandbox]:
        yield "sandbox", old.sandbox, new.sandbox
    if COMPARED[new.compared] < COMPARED[old.compared]:
        yield "compared", old.compared, new.compared
