"""The proof: a trial without the Hub, on a workspace built from the candidate lock alone.

A step of `lock`. Owns the two ways to go without it, and their order: with no network at all; and, only for a
library that asks the Hub's API even when offline, with a mirror that answers from the lock. What counts as
proven is `planning.proving`'s.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from mlxlock.errors import FirstRunError
from mlxlock.first_runs.linked_model import changes
from mlxlock.first_runs.outcome import output_of
from mlxlock.first_runs.trial import Bench, Trial, open_bench, run_trial
from mlxlock.planning.assemble import with_proof
from mlxlock.planning.layout import lay_out
from mlxlock.planning.proving import (
    Objection,
    asks_the_api,
    capture_objections,
    locked_pins,
    missed_by,
    replay_objections,
    unkept,
)
from mlxlock.planning.verdict import judge
from mlxlock.ports import BlobStore, Laboratory, Mirror, Note, OnEvent, Outcome
from mlxlock.spec.lockfile import LockedModel, OfflineLevel
from mlxlock.spec.record import CaptureRecord, Missed, Output, Replay
from mlxlock.steps.testimony import Testimony, read_testimony

MOST_TOLD: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """What became of one run's proof.

    Attributes:
        model: The entry, with the proof's level.
        first_run: The run's name.
        level: How it goes without the Hub.
        objections: Why it is `unproven`; empty otherwise.
        wrote: What the model left in its own directory.
    """

    model: LockedModel
    first_run: str
    level: OfflineLevel
    objections: tuple[Objection, ...] = ()
    wrote: tuple[str, ...] = ()


def prove(
    trial: Trial, record: CaptureRecord, laboratory: Laboratory, store: BlobStore, on_event: OnEvent
) -> Proven:
    """Replay a captured run without the Hub, and judge it.

    Args:
        trial: The run, its model being the candidate entry with all that captures found.
        record: The captured run.
        laboratory: Where to run.
        store: Where the files are.
        on_event: Hears what happens.

    Raises:
        SandboxError: No sandbox works here.
    """
    name = f"`{trial.model.name}` ({trial.run.name})"
    level: OfflineLevel = "unproven"
    found = capture_objections(trial.model, record)
    if not found:
        on_event(Note(text=f"Proving {name} offline"))
        level, found = _replayed(trial, record, laboratory, store, on_event)
    for text in (*_told(found), *_also(trial.model, record, level)):
        on_event(Note(text=f"{name} {text}", level="warning"))
    model = with_proof(trial.model, record, level)
    return Proven(model=model, first_run=trial.run.name, level=level, objections=found, wrote=record.wrote)


def _told(objections: Iterable[Objection]) -> Iterator[str]:
    return (f"is not proven offline: {objection.text}" for objection in objections)


def _also(model: LockedModel, record: CaptureRecord, level: OfflineLevel) -> Iterator[str]:
    if level == "served":
        yield "asks the Hub's API: it runs offline only with a mirror of the lock"
    if record.wrote:
        yield f"wrote into its own directory, which is not locked: {_listed(record.wrote)}"
    given = unkept(model, record)
    if given and record.compared == "none" and level != "unproven":
        told = "ran offline without what it fetched and kept nowhere, and nothing was compared"
        yield f"{told}: {_listed(given)}"


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:MOST_TOLD])
    more = f" and {len(names) - MOST_TOLD} more" if len(names) > MOST_TOLD else ""
    return f"{shown}{more}"


def _replayed(
    trial: Trial, record: CaptureRecord, laboratory: Laboratory, store: BlobStore, on_event: OnEvent
) -> tuple[OfflineLevel, tuple[Objection, ...]]:
    offline = replay(trial, laboratory, store)
    found = replay_objections(trial.model, record, offline)
    if not found:
        return "proven", ()
    if asks_the_api(offline):
        on_event(Note(text=f"Proving `{trial.model.name}` ({trial.run.name}) with a mirror of the lock"))
        served = replay(trial, laboratory, store, served=True)
        if not replay_objections(trial.model, record, served):
            return "served", ()
    return "unproven", found


def replay(trial: Trial, laboratory: Laboratory, store: BlobStore, *, served: bool = False) -> Replay:
    """Run once more on a workspace built from the entry alone, with a read-only cache and no network.

    Args:
        trial: The run, and the entry.
        laboratory: Where to run.
        store: Where the files are.
        served: Give it a mirror that answers from the entry alone, instead of no Hub at all.

    Raises:
        SandboxError: No sandbox works here.
    """
    with open_bench(trial, laboratory, store) as bench:
        mirror = laboratory.mirror_of(locked_pins(trial.model), bench.phase_file) if served else None
        outcome = run_trial(trial, laboratory, bench, mirror)
        output, failure = _ended(trial, bench, outcome, laboratory)
        told = read_testimony(bench.testimony_file)
        altered, wrote = changes(bench.laid_out, bench.clone)
        return Replay(
            output=output,
            failure=failure,
            missed=tuple(_missed(told, mirror)),
            watched=told.watched,
            altered=(*altered, *_spoilt(trial, bench, laboratory)),
            wrote=wrote,
        )


def _ended(
    trial: Trial, bench: Bench, outcome: Outcome, laboratory: Laboratory
) -> tuple[Output | None, str | None]:
    try:
        return output_of(trial, bench, outcome, laboratory), None
    except FirstRunError as error:
        details = "; ".join(error.details[-3:])
        return None, error.reason + (f" ({details})" if details else "")


def _missed(told: Testimony, mirror: Mirror | None) -> Iterator[Missed]:
    yield from told.reached
    if mirror is None:
        yield from told.missed
    else:
        yield from missed_by(mirror.exchanges())


def _spoilt(trial: Trial, bench: Bench, laboratory: Laboratory) -> tuple[str, ...]:
    """Laid-out files of the model that were written to all the same, where no sandbox kept them."""
    tree = lay_out([trial.model])
    verdict = judge(tree, laboratory.workspace(bench.workspace).scan(tree))
    own = f"{trial.model.directory}/"
    laid_out = [finding for finding in verdict.findings if finding.problem != "foreign"]
    paths = [finding.path for finding in laid_out if finding.path.startswith(own)]
    return tuple(path.removeprefix(own) for path in paths)
