"""The proof: a trial with no network, on a workspace built from the candidate lock alone.

A step of `lock`. Owns what `proven` means.
"""

from mlxlock.commands.outcome import output_of
from mlxlock.commands.trial import Trial, open_bench, run_trial
from mlxlock.errors import FirstRunError
from mlxlock.planning.assemble import with_proof
from mlxlock.ports import BlobStore, Laboratory, Note, OnEvent
from mlxlock.spec.lockfile import LockedModel
from mlxlock.spec.record import CaptureRecord, Output


def prove(
    trial: Trial, record: CaptureRecord, laboratory: Laboratory, store: BlobStore, on_event: OnEvent
) -> LockedModel:
    """The model, its run proven; or as it was, with a warning that says why not."""
    on_event(Note(text=f"Proving `{trial.model.name}` ({trial.run.name}) offline"))
    blocked = [exchange.url for exchange in record.exchanges if exchange.denied]
    try:
        output = replay(trial, laboratory, store)
    except FirstRunError as error:
        details = "; ".join(error.details[-3:])
        return _unproven(on_event, trial, f"offline, {error.reason}" + (f" ({details})" if details else ""))
    if blocked:
        return _unproven(on_event, trial, f"the first run was refused {', '.join(sorted(set(blocked)))}")
    if (
        output is not None
        and record.output is not None
        and _comparable(output.digest, output.input_digest)
        != _comparable(record.output.digest, record.output.input_digest)
        and trial.run.compare != "none"
    ):
        return _unproven(on_event, trial, "offline, the output differs from the captured run's")
    return with_proof(trial.model, record)


def replay(trial: Trial, laboratory: Laboratory, store: BlobStore) -> Output | None:
    """Run once more on a workspace built from the entry alone, with a read-only cache and no network.

    Raises:
        FirstRunError: It did not run.
    """
    with open_bench(trial, laboratory, store) as bench:
        return output_of(trial, bench, run_trial(trial, laboratory, bench, None), laboratory)


def _comparable(digest: str, input_digest: str | None) -> tuple[str, str | None]:
    return digest, input_digest


def _unproven(on_event: OnEvent, trial: Trial, why: str) -> LockedModel:
    name = f"`{trial.model.name}` ({trial.run.name})"
    on_event(Note(text=f"{name} is not proven offline: {why}", level="warning"))
    return trial.model
