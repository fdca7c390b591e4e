"""What a person names of a lock's entries: a model, a repo, a file of one, or where that stands. Pure.

Owns the spellings: `org/name`, `org/name/path`, with `datasets/` or `spaces/` before the repo of that type,
and the places that `layout` gives, in a model's directory and below `.hf_cache`. Case does not matter.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from mlxlock.planning.denials import HUB, hub_name
from mlxlock.planning.layout import CACHE_DIR
from mlxlock.spec.lockfile import Artifact, LockedModel
from mlxlock.spec.names import CommitHash, RepoId, RepoPath, RepoType
from mlxlock.spec.resolution import FileEntry

_HUB_CACHE: Final = "hub/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What of a repo's files was named.

    Attributes:
        files: Those that are locked.
        absent: Those that were asked for and that the commit does not have.
        whole: Whether it was the repo itself.
    """

    files: tuple[RepoPath, ...]
    absent: tuple[RepoPath, ...] = ()
    whole: bool = False


def plain(text: str) -> str:
    """What is compared: a path counts from `.hf_cache` on."""
    _, separator, below = text.rpartition(f"{CACHE_DIR}/")
    return (below if separator else text).casefold()


def as_path(text: str) -> str:
    """The same for what may be a path, or a repo's name: `./`, a slash at its end and `hf://` say nothing."""
    return plain(text).removeprefix(HUB).removeprefix("./").rstrip("/")


def of_artifact(artifact: Artifact, wanted: str) -> Named | None:
    """What of an artifact is called so; None for nothing.

    Args:
        artifact: Any.
        wanted: By `as_path`.
    """
    names = {artifact.repo, artifact.canonical or artifact.repo}
    roots = {*names, *(hub_name(name, artifact.repo_type, None).removeprefix(HUB) for name in names)}
    below = [rest for root in roots if (rest := _below(root, wanted)) is not None]
    if below:
        return _named(below[0], _same(file.path for file in artifact.files), _same(artifact.absent))
    cache = _cached(artifact.repo, artifact.repo_type, artifact.revision, wanted)
    if cache is None:
        return None
    absent = [(f".no_exist/{artifact.commit}/{path}", path) for path in artifact.absent]
    return _named(cache, _by_place(artifact.commit, artifact.files), absent)


def of_model(model: LockedModel, wanted: str) -> Named | None:
    """What of a declared model's own files is called so; None for nothing.

    Args:
        model: Any.
        wanted: By `as_path`.
    """
    directory = model.directory.casefold()
    _, found, inside = f"/{wanted}/".rpartition(f"/{directory}/")
    roots = (model.repo, model.canonical or model.repo, model.name)
    below = [rest for root in roots if (rest := _below(root, wanted)) is not None]
    below += [inside.rstrip("/")] if found else []
    for rest in below:
        named = _named(rest, _same(file.path for file in model.files))
        if named is not None:
            return named
    cache = _cached(model.repo, "model", model.resolved_revision, wanted)
    if cache is None:
        return None
    return _named(cache, _by_place(model.commit, model.files))


def is_place(paths: Iterable[str], wanted: str) -> bool:
    """Whether one of these paths below `.hf_cache` is called so, or stands below what is."""
    return bool(wanted) and any(_below(wanted, path.casefold()) is not None for path in paths)


def _below(root: str, wanted: str) -> str | None:
    """The rest below `root`, empty for itself; None for what is elsewhere."""
    root = root.casefold()
    if wanted == root:
        return ""
    return wanted[len(root) + 1 :] if wanted.startswith(f"{root}/") else None


def _cached(repo: RepoId, repo_type: RepoType, revision: str, wanted: str) -> str | None:
    """The rest below a repo's folder in the Hub's cache; a revision's name there means all of it."""
    rest = _below(repo.cache_folder(repo_type), wanted.removeprefix(_HUB_CACHE))
    return "" if rest == f"refs/{revision}".casefold() else rest


_Places = list[tuple[str, RepoPath]]
"""Where each path stands; one blob may be several paths'."""


def _same(paths: Iterable[RepoPath]) -> _Places:
    return [(path, path) for path in paths]


def _by_place(commit: CommitHash, files: Iterable[FileEntry]) -> _Places:
    """Each file by where its link stands, and by its blob."""
    return [
        place
        for file in files
        for place in ((f"snapshots/{commit}/{file.path}", file.path), (f"blobs/{file.etag}", file.path))
    ]


def _named(wanted: str, files: _Places, absent: _Places | None = None) -> Named | None:
    """Those at the place or below it."""
    found, lacking = _each(_at(wanted, files)), _each(_at(wanted, absent or []))
    if wanted and not (found or lacking):
        return None
    return Named(files=found, absent=lacking, whole=not wanted)


def _at(wanted: str, places: _Places) -> Iterator[RepoPath]:
    return (path for place, path in places if not wanted or _below(wanted, place.casefold()) is not None)


def _each(paths: Iterable[RepoPath]) -> tuple[RepoPath, ...]:
    return tuple(dict.fromkeys(paths))
