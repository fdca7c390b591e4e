"""What must hold between the entries of a lock, checked on every read (formats.md §2.6).

One (repo, revision) is one commit; one (repo, commit, path) is one file; no two paths collide on any
filesystem; sizes and digests add up; proofs name environments that are there.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from mlxlock.errors import LockfileError, RefClashError
from mlxlock.spec.digest import Blake3, tree_digest
from mlxlock.spec.invariants_effects import EXCLUDE, check_effects, check_paths
from mlxlock.spec.lockfile import LockedModel, Lockfile
from mlxlock.spec.names import CommitHash, RepoId, RepoPath, RepoType, Revision, collision_key
from mlxlock.spec.readers import Problems
from mlxlock.spec.resolution import FileEntry
from mlxlock.spec.sentinel import SENTINEL_NAME

RESERVED_DIRECTORIES: Final = frozenset({"hub", ".hf_cache"})
IN_THE_WAY: Final = "spell a repo the same everywhere, or name one of its revisions by the commit"


def check_invariants(lockfile: Lockfile, name: str = "models.lock") -> None:
    """Raise when entries contradict each other.

    Raises:
        LockfileError: `details` has one line a contradiction.
        RefClashError: One revision of one repo would be two commits.
    """
    problems = Problems()
    _check_names(lockfile, problems)
    for model in lockfile.models:
        _check_model(model, problems)
    _check_files_agree(lockfile, problems)
    check_effects(lockfile.models, problems)
    _check_cache(lockfile.models, problems)
    _check_environments(lockfile, problems)
    problems.raise_as(LockfileError, name)
    check_refs(lockfile.models, name)


def check_refs(models: Iterable[LockedModel], name: str = "models.lock") -> None:
    """Raise when one (repo, revision) means two commits: they could not share one `.hf_cache`.

    Raises:
        RefClashError: With both models, and the way out.
    """
    seen: dict[tuple[RepoId, RepoType, str], tuple[CommitHash, str]] = {}
    for repo, repo_type, revision, commit, who in _refs(models):
        first = seen.setdefault((repo, repo_type, revision), (commit, who))
        if first[0] != commit:
            raise RefClashError(
                f"`{name}`: `{repo}` at `{revision}` is two commits",
                details=(f"{first[0]} for `{first[1]}`", f"{commit} for `{who}`"),
                hint="run `mlxk lock --upgrade` to resolve it once for all models",
            )


def _refs(models: Iterable[LockedModel]) -> Iterator[tuple[RepoId, RepoType, Revision, CommitHash, str]]:
    for model in models:
        yield model.repo, "model", model.resolved_revision, model.commit, model.name
        for artifact in model.artifacts:
            yield artifact.repo, artifact.repo_type, artifact.revision, artifact.commit, model.name


def _check_cache(models: Iterable[LockedModel], problems: Problems) -> None:
    """No repo and no revision stands in the place of another in a Hub cache, on any filesystem."""
    places = {(RepoPath(repo.cache_folder(kind)), revision) for repo, kind, revision, _, _ in _refs(models)}
    refs = {folder / f"refs/{revision}" for folder, revision in places if not revision.is_commit}
    for paths in ({folder for folder, _ in places}, refs):
        check_paths("", sorted(paths), problems, IN_THE_WAY)


def _check_names(lockfile: Lockfile, problems: Problems) -> None:
    named: dict[str, list[str]] = {
        "model": [model.name for model in lockfile.models],
        "directory": [collision_key(model.directory) for model in lockfile.models],
        "environment": [environment.id for environment in lockfile.environments],
    }
    for what, values in named.items():
        for value in sorted({value for value in values if values.count(value) > 1}):
            problems.add("", f"two entries for {what} `{value}`")


def _check_model(model: LockedModel, problems: Problems) -> None:
    place = f"model.{model.name}"
    if collision_key(model.directory) in RESERVED_DIRECTORIES:
        problems.add(place, f"`{model.directory}` is reserved in a workspace")
    if not model.files:
        problems.add(place, "has no files")
    for file in model.files:
        if collision_key(file.path.split("/")[0]) in {SENTINEL_NAME, ".hf_cache"}:
            problems.add(place, f"the path `{file.path}` is reserved", EXCLUDE)
    check_paths(place, [file.path for file in model.files], problems)
    _check_sums(model, place, problems)
    for artifact in model.artifacts:
        at = f"{place}.artifact.{artifact.repo}"
        check_paths(at, [*(file.path for file in artifact.files), *artifact.absent], problems)


def _check_sums(model: LockedModel, place: str, problems: Problems) -> None:
    total = sum(file.size_bytes for file in model.files)
    if total != model.snapshot.size_bytes:
        problems.add(place, f"`snapshot.size` is {model.snapshot.size_bytes}, the files add up to {total}")
    digest = snapshot_digest(model.files)
    if digest != model.snapshot.digest:
        problems.add(place, f"`snapshot.digest` is {model.snapshot.digest}, the files give {digest}")


def snapshot_digest(files: Iterable[FileEntry]) -> str | None:
    """The digest over all files, or None while one was not seen."""
    digests: dict[str, Blake3] = {}
    for file in files:
        if file.blake3 is None:
            return None
        digests[file.path] = file.blake3
    return tree_digest(digests)


def _check_files_agree(lockfile: Lockfile, problems: Problems) -> None:
    """One (repo, commit, path) is one size and hash, and one blob name is one content, in the whole lock."""
    files: dict[tuple[RepoId, RepoType, CommitHash, RepoPath], FileEntry] = {}
    contents: dict[str, tuple[int, Blake3]] = {}
    for model in lockfile.models:
        for remote in model.remote_files():
            file = remote.file
            first = files.setdefault((remote.repo, remote.repo_type, remote.commit, file.path), file)
            place = f"model.{model.name}"
            if first.asserted() != file.asserted() or _contradict(first, file):
                problems.add(place, f"`{remote.repo}`: `{file.path}` has two sizes or hashes")
            if file.blake3 is not None:
                content = (file.size_bytes, file.blake3)
                if contents.setdefault(file.etag, content) != content:
                    problems.add(place, f"`{remote.repo}`: `{file.path}` shares its hash with other bytes")


def _contradict(first: FileEntry, second: FileEntry) -> bool:
    return first.seen and second.seen and first != second


def _check_environments(lockfile: Lockfile, problems: Problems) -> None:
    known = {environment.id for environment in lockfile.environments}
    for model in lockfile.models:
        keys = [(proof.environment, proof.first_run) for proof in model.proofs]
        for environment, first_run in sorted(set(keys)):
            if environment not in known:
                problems.add(f"model.{model.name}.proofs", f"environment `{environment}` is not in the lock")
            if keys.count((environment, first_run)) > 1:
                problems.add(
                    f"model.{model.name}.proofs", f"two entries for `{first_run}` in `{environment}`"
                )
