"""Why a first run is not proven offline: every objection, from what was captured and what was replayed. Pure.

Owns what `proven` means: the capture was whole, and the replay came to its end, put out the same, asked for
nothing that the lock lacks, and left the model's files as they are.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from mlxlock.planning.denials import (
    HUB,
    accepts,
    allow_hosts_hint,
    denials,
    hub_name,
    is_refused,
    name_of,
    unaccepted,
    wanting,
)
from mlxlock.spec.inspection import CODE_SUFFIXES
from mlxlock.spec.lockfile import Artifact, LockedModel
from mlxlock.spec.names import RepoId, RepoPath, RepoType
from mlxlock.spec.record import CaptureRecord, Exchange, Missed, Output, Pin, Replay
from mlxlock.spec.resolution import Resolution

LEAST_TOKENS: Final = 8
"""Fewer than this, and two different models could say the same by chance."""
MOST_TOLD: Final = 8
_GIVEN: Final = ("GET", 200)
_NOT_FOUND: Final = 404

Code = Literal[
    "denied", "failed", "unwatched", "asked", "changed-itself", "too-short", "input-differs", "output-differs"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """One reason why a run is not proven.

    Attributes:
        code: Stable, for scripts.
        text: One clause for people, after "not proven offline: ".
        hint: What would cure it, where something would.
    """

    code: Code
    text: str
    hint: str | None = None


def capture_objections(model: LockedModel, record: CaptureRecord) -> tuple[Objection, ...]:
    """Why no replay could prove anything: the captured run was not whole, or has nothing to compare."""
    return (*_denied(model, record), *_too_short(record.output, record))


def unkept(model: LockedModel, record: CaptureRecord) -> tuple[str, ...]:
    """URLs that a captured run was given, and of which the lock has nothing; sorted.

    Where outputs are compared, that tells whether the run needs them. Where they are not, nothing does: only
    Pythons tell what they ask for in vain.
    """
    locked = {str(download.url) for download in model.effects.downloads}
    given = {
        each.url
        for each in record.exchanges
        if each.repo is None and each.url.startswith("http") and (each.method, each.status) == _GIVEN
    }
    return tuple(sorted(given - locked))


def replay_objections(model: LockedModel, record: CaptureRecord, replay: Replay) -> tuple[Objection, ...]:
    """Why a replay does not prove the captured run.

    Args:
        model: The entry whose workspace was replayed.
        record: The captured run.
        replay: The run without the Hub.
    """
    return tuple(_replayed(model, record, replay))


def _replayed(model: LockedModel, record: CaptureRecord, replay: Replay) -> Iterator[Objection]:
    if replay.failure is not None:
        yield Objection(code="failed", text=replay.failure)
    elif not replay.watched:
        yield Objection(
            code="unwatched",
            text="no Python of it told what it asks for, and an exit code alone proves nothing",
            hint="let the command start the project's Python",
        )
    yield from _asked(model, replay)
    if replay.altered:
        yield Objection(code="changed-itself", text=f"it changed its own {_listed(replay.altered)}")
    if replay.failure is None and record.compared == "output":
        yield from _differing(record.output, replay.output)


def _denied(model: LockedModel, record: CaptureRecord) -> Iterator[Objection]:
    refused = {name_of(each): each for each in record.exchanges if each.denied}
    found = tuple(unaccepted(denials(record, model.request.accept_denied)))
    wanted = {name: wanting(exchange) for name, exchange in refused.items()}
    hosts = [wanted.get(entry.url, entry.url) for entry in found]
    for entry, host in zip(found, hosts, strict=True):
        exchange = refused.get(entry.url)
        why = exchange.denied if exchange is not None else "it is not to be found"
        name = _acceptable(entry.url, exchange)
        allowed = model.request.allow_hosts
        allow = allow_hosts_hint(allowed, hosts) if allow_hosts_hint(allowed, [host]) else None
        without = f'if it can do without, say `accept-denied = ["{name}"]` in `[models.{model.name}]`'
        yield Objection(
            code="denied",
            text=f"its first run asked for `{entry.url}` and did not get it: {why}",
            hint=f"{allow}; {without}" if allow else without,
        )


def _acceptable(name: str, exchange: Exchange | None) -> str:
    """What to write into `accept-denied`: a repo, since who is refused one file of it is refused the next."""
    if exchange is None or exchange.repo is None or (exchange.path and exchange.path.suffix in CODE_SUFFIXES):
        return name.removeprefix(HUB)
    return hub_name(exchange.repo, exchange.repo_type, None).removeprefix(HUB)


def _too_short(output: Output | None, record: CaptureRecord) -> Iterator[Objection]:
    """Of tokens, where they are counted; a transcript that came to its own end may be as short as it is."""
    if record.compared == "none" or output is None or output.tokens is None or output.ended:
        return
    if output.tokens < LEAST_TOKENS:
        yield Objection(
            code="too-short",
            text=f"it generated {output.tokens} tokens, and fewer than {LEAST_TOKENS} say nothing",
            hint=f"give its first run `max-tokens` of at least {LEAST_TOKENS}",
        )


def _asked(model: LockedModel, replay: Replay) -> Iterator[Objection]:
    found = list(in_vain(model, replay.missed))
    for missed in found[:MOST_TOLD]:
        by = f" ({missed.asked_by})" if missed.asked_by else ""
        yield Objection(code="asked", text=f"it asked for `{missed.what}` and did not get it{by}")
    if len(found) > MOST_TOLD:
        yield Objection(code="asked", text=f"it asked for {len(found) - MOST_TOLD} more things in vain")


def _differing(captured: Output | None, replayed: Output | None) -> Iterator[Objection]:
    if captured is None or replayed is None:
        yield Objection(code="output-differs", text="there is no output to compare")
    elif captured.input_digest != replayed.input_digest:
        text = "its input ids differ from the captured run's: it took another tokenizer, or another template"
        yield Objection(code="input-differs", text=text)
    elif captured.digest != replayed.digest:
        yield Objection(code="output-differs", text="its output differs from the captured run's")


def in_vain(model: LockedModel, missed: tuple[Missed, ...]) -> Iterator[Missed]:
    """What was asked for and is not in the lock, or in it and yet not found; each once.

    What the lock knows to be absent, and what the manifest accepts, may be missing.
    """
    places = _places(model)
    told = set[str]()
    for miss in missed:
        if miss.what in told or _is_answered(miss, places) or _is_accepted(model, miss):
            continue
        told.add(miss.what)
        yield miss


def missed_by(exchanges: Iterable[Exchange]) -> Iterator[Missed]:
    """What a mirror of the lock was asked for and did not have."""
    for exchange in exchanges:
        named = exchange.repo is not None
        if is_refused(exchange) or (named and exchange.status == _NOT_FOUND):
            yield Missed(
                what=name_of(exchange).removeprefix(HUB) if named else exchange.url,
                repo=exchange.repo,
                repo_type=exchange.repo_type,
                revision=exchange.revision or "main",
                path=exchange.path,
                asked_by=exchange.asked_by,
            )


def needs_a_mirror(model: LockedModel) -> bool:
    """Whether a model was shown to run offline only with a mirror that answers from the lock."""
    levels = {proof.offline for proof in model.proofs}
    return "served" in levels and "proven" not in levels


def asks_the_api(replay: Replay) -> bool:
    """Whether it asked what no cache can answer: then a mirror that answers from the lock may do."""
    return any(missed.api for missed in replay.missed)


_Places = Mapping[tuple[RepoType, RepoId, str], Mapping[RepoPath | None, bool]]


def _places(model: LockedModel) -> _Places:
    """Each (repo, revision or commit) of an entry, with each of its paths, and whether that is there."""
    places: dict[tuple[RepoType, RepoId, str], dict[RepoPath | None, bool]] = {}
    for pin, absent in _pins(model):
        there: dict[RepoPath | None, bool] = {file.path: True for file in pin.resolution.files}
        for revision in (pin.revision, pin.resolution.commit):
            paths = places.setdefault((pin.repo_type, pin.repo, revision), {None: True})
            paths |= dict.fromkeys(absent, False)
            paths |= there
    return places


def _is_answered(miss: Missed, places: _Places) -> bool:
    """Whether the lock has what was asked for and nobody missed it, or says that it is not there."""
    if miss.repo is None:
        return False
    there = places.get((miss.repo_type, miss.repo, miss.revision), {}).get(miss.path)
    return there is not None and not (there and miss.final)


def _is_accepted(model: LockedModel, miss: Missed) -> bool:
    name = f"tcp://{miss.what}" if miss.repo is None else hub_name(miss.repo, miss.repo_type, miss.path)
    return accepts(model.request.accept_denied, name)


def locked_pins(model: LockedModel) -> tuple[Pin, ...]:
    """What each revision of an entry means, with the files that the lock has of it, for a mirror of it."""
    pins: dict[tuple[RepoType, RepoId, str], Pin] = {}
    for pin, _ in _pins(model):
        key = (pin.repo_type, pin.repo, pin.revision)
        pins[key] = _joined(pins[key], pin) if key in pins else pin
    return tuple(pins.values())


def known_commits(models: Iterable[LockedModel]) -> Mapping[tuple[RepoId, RepoType, str], Resolution]:
    """What the lock knows of each commit that it names: files, what is absent, and of all else nothing."""
    known: dict[tuple[RepoId, RepoType, str], Resolution] = {}
    for model in models:
        for pin, absent in _pins(model):
            found = replace(pin.resolution, absent=_absent_of(model, pin, absent))
            key = (pin.repo, pin.repo_type, str(found.commit))
            known[key] = _known_together(known[key], found) if key in known else found
    return known


def _absent_of(model: LockedModel, pin: Pin, absent: tuple[RepoPath, ...]) -> frozenset[RepoPath] | None:
    """What is known to be missing; None where nothing can be, since the entry has the whole commit."""
    narrowed = model.request.include or model.request.exclude
    own = (pin.repo, pin.repo_type, pin.resolution.commit) == (model.repo, "model", model.commit)
    return None if own and not narrowed else frozenset(absent)


def _known_together(first: Resolution, second: Resolution) -> Resolution:
    files = {file.path: file for file in (*first.files, *second.files)}
    whole = first.absent is None or second.absent is None
    absent = None if whole else frozenset({*(first.absent or ()), *(second.absent or ())} - files.keys())
    return replace(first, files=tuple(files[path] for path in sorted(files)), absent=absent)


def _joined(first: Pin, second: Pin) -> Pin:
    files = {file.path: file for file in (*first.resolution.files, *second.resolution.files)}
    ordered = tuple(files[path] for path in sorted(files))
    return replace(first, resolution=replace(first.resolution, files=ordered))


def _pins(model: LockedModel) -> Iterator[tuple[Pin, tuple[RepoPath, ...]]]:
    own = Resolution(
        repo=model.repo,
        revision=model.resolved_revision,
        commit=model.commit,
        files=model.files,
        canonical=model.canonical,
        date=model.snapshot.date,
        license=model.snapshot.license,
    )
    yield Pin(repo=model.repo, revision=own.revision, resolution=own), ()
    for artifact in model.artifacts:
        yield _artifact_pin(artifact), artifact.absent


def _artifact_pin(artifact: Artifact) -> Pin:
    resolution = Resolution(
        repo=artifact.repo,
        repo_type=artifact.repo_type,
        revision=artifact.revision,
        commit=artifact.commit,
        files=artifact.files,
        canonical=artifact.canonical,
        license=artifact.license,
    )
    return Pin(
        repo=artifact.repo, repo_type=artifact.repo_type, revision=artifact.revision, resolution=resolution
    )


def _listed(paths: tuple[str, ...]) -> str:
    shown = ", ".join(f"`{path}`" for path in paths[:MOST_TOLD])
    more = len(paths) - MOST_TOLD
    return f"{shown} and {more} more" if more > 0 else shown
