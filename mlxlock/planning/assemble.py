"""Puts a lock together from what was asked, what the Hub answered and what first runs did.

Owns what counts as an artifact: a file that a first run got from the Hub, or asked for and did not find,
other than the declared model's own. A failed run's record never comes here. Pure.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from mlxlock.planning.askers import with_denied_asker
from mlxlock.planning.denials import accepts, denials
from mlxlock.planning.effects import merge_effects
from mlxlock.spec.invariants import snapshot_digest
from mlxlock.spec.lockfile import (
    Artifact,
    Denied,
    Environment,
    LockedModel,
    OfflineLevel,
    Proof,
    Request,
    Snapshot,
)
from mlxlock.spec.names import CommitHash, ModelName, RepoId, RepoPath, RepoType, Revision
from mlxlock.spec.patterns import path_filter
from mlxlock.spec.record import CaptureRecord, Exchange, Pin
from mlxlock.spec.resolution import FileEntry, Resolution

Complete = Callable[[FileEntry], FileEntry]
"""Adds the hashes that we saw ourselves, where the store has the bytes; else gives the file back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """One commit of one repo, as one artifact names it."""

    repo: RepoId
    repo_type: RepoType
    revision: str
    commit: CommitHash


def assemble_model(
    name: ModelName, request: Request, resolution: Resolution, complete: Complete
) -> LockedModel:
    """The entry of a declared model, before any first run.

    Args:
        name: Its name in the manifest.
        request: What the manifest asks for.
        resolution: What the Hub answered.
        complete: Adds what the store saw of each file.
    """
    belongs = path_filter(request.include, request.exclude)
    files = tuple(complete(file) for file in resolution.files if belongs(file.path))
    return LockedModel(
        name=name,
        repo=resolution.repo,
        canonical=resolution.canonical,
        gated=resolution.gated,
        request=request,
        revision=resolution.revision if request.version else None,
        commit=resolution.commit,
        snapshot=snapshot_of(files, date=resolution.date, license_id=resolution.license),
        files=files,
    )


def snapshot_of(files: tuple[FileEntry, ...], *, date: str | None, license_id: str | None) -> Snapshot:
    """What a person wants to know of these files together."""
    size_bytes = sum(file.size_bytes for file in files)
    return Snapshot(size_bytes=size_bytes, date=date, license=license_id, digest=snapshot_digest(files))


def complete_model(model: LockedModel, complete: Complete) -> LockedModel:
    """The same entry with what the store saw meanwhile."""
    files = tuple(complete(file) for file in model.files)
    artifacts = tuple(
        replace(artifact, files=tuple(complete(file) for file in artifact.files))
        for artifact in model.artifacts
    )
    snapshot = snapshot_of(files, date=model.snapshot.date, license_id=model.snapshot.license)
    return replace(model, files=files, artifacts=artifacts, snapshot=snapshot)


def with_captures(model: LockedModel, records: Iterable[CaptureRecord], complete: Complete) -> LockedModel:
    """The entry with the artifacts and (unproven) proofs of these first runs, beside those it has."""
    records = tuple(records)
    found = [artifact for record in records for artifact in artifacts_of(model, record, complete)]
    proofs = {(proof.environment, proof.first_run): proof for proof in model.proofs}
    proofs |= {(proof.environment, proof.first_run): proof for proof in map(_unproven, records)}
    return replace(
        model,
        artifacts=merge_artifacts((*model.artifacts, *found)),
        effects=merge_effects([model.effects, *(record.effects for record in records)]),
        proofs=tuple(proofs[key] for key in sorted(proofs)),
        denied=_denied(model, records),
    )


def _denied(model: LockedModel, records: Iterable[CaptureRecord]) -> tuple[Denied, ...]:
    """What these runs were refused, and what others were that are proven in spite of it."""
    accepted = model.request.accept_denied
    kept = [entry for entry in model.denied if entry.accepted and accepts(accepted, entry.url)]
    found = {
        entry.url: with_denied_asker(entry, record)
        for record in records
        for entry in denials(record, accepted)
    }
    both = {entry.url: entry for entry in kept} | found
    return tuple(both[url] for url in sorted(both))


def with_proof(model: LockedModel, record: CaptureRecord, level: OfflineLevel = "proven") -> LockedModel:
    """The entry, its proof for this record's run raised to this level."""
    environment = Environment.of(record.environment).id
    proofs = tuple(
        replace(proof, offline=level)
        if (proof.environment, proof.first_run) == (environment, record.first_run)
        else proof
        for proof in model.proofs
    )
    return replace(model, proofs=proofs)


def with_recorded_proofs(before: LockedModel | None, after: LockedModel) -> LockedModel:
    """The entry; where request and content stay, with the proofs that other environments made, too."""
    if before is None or _without_words(before) != _without_words(after):
        return after
    proofs = {(proof.environment, proof.first_run): proof for proof in (*before.proofs, *after.proofs)}
    return replace(after, proofs=tuple(proofs[key] for key in sorted(proofs)))


def _without_words(model: LockedModel) -> LockedModel:
    """What is proven of an entry, and not what is only told about it."""
    artifacts = tuple(replace(each, asked_by=None, when=None, license=None) for each in model.artifacts)
    downloads = tuple(replace(each, asked_by=None, when=None) for each in model.effects.downloads)
    effects = replace(model.effects, downloads=downloads)
    return replace(model, artifacts=artifacts, effects=effects, proofs=(), denied=())


def _unproven(record: CaptureRecord) -> Proof:
    return Proof(
        environment=Environment.of(record.environment).id,
        first_run=record.first_run,
        sandbox=record.sandbox,
        offline="unproven",
        compared=record.compared,
    )


def artifacts_of(model: LockedModel, record: CaptureRecord, complete: Complete) -> Iterator[Artifact]:
    """Each repo, or part of one, that a first run needed beside its own model."""
    own = {(model.repo, model.commit, file.path) for file in model.files}
    for place, pin in _places(record.pins).items():
        got = {path for path in _got(place, record) if (place.repo, place.commit, path) not in own}
        known = {file.path: file for file in pin.resolution.files}
        absent = _absent(place, record) - known.keys()
        if not got and not absent:
            continue
        asked = [exchange for exchange in record.exchanges if _concerns(exchange, place)]
        yield Artifact(
            repo=place.repo,
            repo_type=place.repo_type,
            canonical=pin.resolution.canonical,
            gated=pin.resolution.gated,
            revision=Revision(place.revision),
            commit=place.commit,
            asked_by=next((exchange.asked_by for exchange in asked if exchange.asked_by), None),
            when=next((exchange.phase for exchange in asked if exchange.phase), None),
            trusts_remote_code=any(path.suffix == ".py" for path in got),
            license=pin.resolution.license,
            absent=tuple(sorted(absent)),
            files=tuple(complete(known[path]) for path in sorted(got & known.keys())),
        )


def _places(pins: Iterable[Pin]) -> dict[_Place, Pin]:
    """What each artifact is called: a commit that a symbolic revision meant goes by that revision's name."""
    named: dict[_Place, Pin] = {}
    symbolic: set[tuple[RepoId, RepoType, CommitHash]] = set()
    for pin in sorted(pins, key=lambda pin: (Revision(pin.revision).is_commit, pin.repo, pin.revision)):
        commit = pin.resolution.commit
        key = (pin.repo, pin.repo_type, commit)
        if Revision(pin.revision).is_commit and key in symbolic:
            continue
        symbolic.add(key)
        named[_Place(repo=pin.repo, repo_type=pin.repo_type, revision=pin.revision, commit=commit)] = pin
    return named


def _concerns(exchange: Exchange, place: _Place) -> bool:
    named = (exchange.repo, exchange.repo_type, exchange.commit)
    return named == (place.repo, place.repo_type, place.commit)


def _got(place: _Place, record: CaptureRecord) -> set[RepoPath]:
    """Every path that was served, or that the cache shows: byte-identical files are fetched only once."""
    served = {
        exchange.path
        for exchange in record.exchanges
        if _concerns(exchange, place) and exchange.method == "GET" and exchange.status in {200, 206}
    }
    cached = {
        path
        for repo in record.cache
        if (repo.repo, repo.repo_type) == (place.repo, place.repo_type)
        for path in repo.files.get(place.commit, ())
    }
    return {path for path in served if path is not None} | cached


def _absent(place: _Place, record: CaptureRecord) -> set[RepoPath]:
    missed = {
        exchange.path
        for exchange in record.exchanges
        if _concerns(exchange, place) and exchange.status == 404
    }
    marked = {
        path
        for repo in record.cache
        if (repo.repo, repo.repo_type) == (place.repo, place.repo_type)
        for path in repo.absent.get(place.commit, ())
    }
    return {path for path in missed if path is not None} | marked


def merge_artifacts(artifacts: Iterable[Artifact]) -> tuple[Artifact, ...]:
    """The union: what any first run, in any environment, needed of each repo."""
    merged: dict[tuple[RepoId, RepoType, Revision, CommitHash], Artifact] = {}
    for artifact in artifacts:
        key = (artifact.repo, artifact.repo_type, artifact.revision, artifact.commit)
        merged[key] = _union(merged[key], artifact) if key in merged else artifact
    return tuple(merged[key] for key in sorted(merged))


def _union(first: Artifact, second: Artifact) -> Artifact:
    files = {file.path: file for file in (*first.files, *second.files)}
    absent = {*first.absent, *second.absent} - files.keys()
    return replace(
        first,
        asked_by=first.asked_by or second.asked_by,
        when=first.when or second.when,
        trusts_remote_code=first.trusts_remote_code or second.trusts_remote_code,
        license=first.license or second.license,
        files=tuple(files[path] for path in sorted(files)),
        absent=tuple(sorted(absent)),
    )


def used_environments(models: Iterable[LockedModel], known: Iterable[Environment]) -> tuple[Environment, ...]:
    """Those environments that a proof still names, by id."""
    used = {proof.environment for model in models for proof in model.proofs}
    by_id = {environment.id: environment for environment in known if environment.id in used}
    return tuple(by_id[key] for key in sorted(by_id))
