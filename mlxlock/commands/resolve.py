"""Resolves: what the Hub says of each model that has to be asked about, and the entry that follows from it.

A step of `lock`, before any first run.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from mlxlock.commands.obtain import completer
from mlxlock.commands.report import plural
from mlxlock.planning.assemble import assemble_model, complete_model
from mlxlock.planning.relock import Decision
from mlxlock.ports import BlobStore, Note, Ports, Source, Wanted
from mlxlock.spec.lockfile import LockedModel
from mlxlock.spec.resolution import Resolution

JOBS: Final = 8


def resolve(decisions: Sequence[Decision], ports: Ports) -> dict[str, Resolution]:
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


def draft(decision: Decision, resolutions: Mapping[str, Resolution], store: BlobStore) -> LockedModel:
    """The entry before any first run: hashes where the store has the bytes already."""
    complete = completer(store)
    resolution = resolutions.get(decision.model.name)
    if resolution is None:
        assert decision.locked is not None  # noqa: S101 - only `resolve` lacks an entry
        return complete_model(decision.locked, complete)
    made = assemble_model(decision.model.name, decision.request, resolution, complete)
    if decision.locked is not None and decision.pinned:
        return replace(made, artifacts=decision.locked.artifacts)
    return made
