"""Resolves: what the Hub says of each model that has to be asked about, and the entry that follows from it.

A step of `lock`, before any first run.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Final

from mlxlock.errors import (
    GatedError,
    HubError,
    OfflineMissingError,
    RepoNotFoundError,
    RevisionNotFoundError,
)
from mlxlock.planning.assemble import Complete, assemble_model, complete_model
from mlxlock.planning.effects import with_effects
from mlxlock.planning.relock import Decision
from mlxlock.ports import BlobStore, Note, Ports, Source, Wanted
from mlxlock.spec.lockfile import LockedModel
from mlxlock.spec.names import ModelName, Revision
from mlxlock.spec.resolution import FileEntry, Resolution
from mlxlock.steps.obtain import completer
from mlxlock.steps.pinning import Key
from mlxlock.steps.report import plural

JOBS: Final = 8


def resolve(
    decisions: Sequence[Decision], ports: Ports, kept: Mapping[Key, Revision]
) -> dict[str, Resolution]:
    """What the Hub says of each model that has to be asked about, by name.

    The same question is asked once, so that a branch which moves meanwhile is one commit for all who ask, and
    a revision that an entry which stays names is the commit that it names.

    Args:
        decisions: What `lock` has to do.
        ports: Where the Hub is.
        kept: The commit of each revision that entries which stay name.

    Raises:
        OfflineMissingError: Offline, and the lock has not all of a commit that is asked for.
        HubError: And its children; the Hub's refusals all at once, with the models that ask.
    """
    asking = [decision for decision in decisions if decision.todo == "resolve"]
    if not asking:
        return {}
    ports.on_event(Note(text=f"Resolving {plural(len(asking), 'model')}"))
    questions = {decision.model.name: _wanted(decision, kept) for decision in asking}
    distinct = tuple(dict.fromkeys(questions.values()))
    with ThreadPoolExecutor(max_workers=JOBS) as pool:
        told = dict(zip(distinct, pool.map(partial(_ask, ports.source()), distinct), strict=True))
    answers = _answers(told, questions)
    return {
        decision.model.name: _as_asked(decision, _enough(decision, answers[questions[decision.model.name]]))
        for decision in asking
    }


def _ask(source: Source, wanted: Wanted) -> Resolution | HubError:
    """The answer, or a refusal that says nothing of what other repos will answer."""
    try:
        return source.resolve(wanted)
    except (RepoNotFoundError, RevisionNotFoundError, GatedError) as problem:
        return problem


def _answers(
    told: Mapping[Wanted, Resolution | HubError], questions: Mapping[ModelName, Wanted]
) -> dict[Wanted, Resolution]:
    """The answers, when each is one.

    Raises:
        HubError: The first refusal, with every model whose question was refused.
    """
    refused = {wanted: answer for wanted, answer in told.items() if isinstance(answer, HubError)}
    if not refused:
        return {wanted: answer for wanted, answer in told.items() if isinstance(answer, Resolution)}
    asking = {wanted: [name for name, asked in questions.items() if asked == wanted] for wanted in refused}
    first = next(iter(refused.values()))
    if len(refused) == 1:
        names = ", ".join(f"`{name}`" for names in asking.values() for name in names)
        raise type(first)(
            first.reason, hint=first.hint, details=(*first.details, f"needed by {names}")
        ) from first
    lines = [f"`{name}`: {answer.reason}" for wanted, answer in refused.items() for name in asking[wanted]]
    reason = f"{plural(len(lines), 'model')} cannot be resolved"
    raise type(first)(reason, hint=first.hint, details=tuple(lines)) from first


def _enough(decision: Decision, answer: Resolution) -> Resolution:
    """The answer, when it has all files that the entry needs: offline, the lock may know some only."""
    locked, asked = decision.locked, decision.request
    if answer.absent is None:
        return answer
    if locked is not None and (locked.repo, locked.commit) == (answer.repo, answer.commit):
        known = locked.request
        if (known.include, known.exclude) == (asked.include, asked.exclude):
            return answer
    raise OfflineMissingError(
        f"`{decision.model.name}` needs files of `{answer.repo}` that the lock does not list",
        hint="run it once with a network",
    )


def _wanted(decision: Decision, kept: Mapping[Key, Revision]) -> Wanted:
    repo, revision = decision.model.repo, decision.revision
    if revision is None:
        return Wanted(repo=repo, version=decision.request.version)
    anew = decision.locked is not None and not decision.pinned
    return Wanted(repo=repo, revision=revision if anew else kept.get((repo, "model", revision), revision))


def _as_asked(decision: Decision, answer: Resolution) -> Resolution:
    """The answer under the revision that was asked for, where the commit stood in for it."""
    if decision.revision is None:
        return answer
    if decision.revision.is_commit and decision.locked is not None:
        return replace(answer, revision=decision.locked.resolved_revision)
    return replace(answer, revision=decision.revision)


def draft(
    decision: Decision, resolutions: Mapping[str, Resolution], store: BlobStore, *, capture: bool
) -> LockedModel:
    """The entry before any first run: hashes where the store has the bytes already.

    What earlier first runs brought stays where none will bring it again, so that a pin of it is not answered
    yet; and what they proved stays where the entry is what they ran.
    """
    complete = _completer(store, decision.locked)
    resolution = resolutions.get(decision.model.name)
    if resolution is None:
        assert decision.locked is not None  # noqa: S101 - only `resolve` lacks an entry
        return complete_model(decision.locked, complete)
    made = assemble_model(decision.model.name, decision.request, resolution, complete)
    locked = decision.locked
    if locked is None or (capture and not decision.pinned):
        return made
    kept = with_effects(replace(made, artifacts=locked.artifacts), locked.effects)
    return kept if capture else _not_run(kept, locked)


def _completer(store: BlobStore, locked: LockedModel | None) -> Complete:
    """What the store saw of a file, or else what the entry says that was seen of the same one."""
    seen = completer(store)
    known = {} if locked is None else {file.asserted(): file for file in locked.files}

    def complete(file: FileEntry) -> FileEntry:
        found = seen(file)
        return found if found.seen else known.get(file.asserted(), found)

    return complete


def _not_run(made: LockedModel, locked: LockedModel) -> LockedModel:
    """The entry as far as it can be known without a run."""
    made = replace(made, request=replace(made.request, artifacts=locked.request.artifacts))
    if (made.commit, made.request) != (locked.commit, locked.request):
        return made
    trusts = locked.trusts_remote_code
    return replace(made, proofs=locked.proofs, denied=locked.denied, trusts_remote_code=trusts)
