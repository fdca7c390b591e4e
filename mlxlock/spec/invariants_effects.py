"""What must hold of files below `.hf_cache` that are not the Hub's: one path, one content, from the entry.

A part of `invariants`. Owns which places of `.hf_cache` are not theirs.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from mlxlock.spec.digest import EMPTY_BLAKE3
from mlxlock.spec.lockfile import LockedModel
from mlxlock.spec.names import RepoPath, collision_key
from mlxlock.spec.readers import Problems

EXCLUDE: Final = "leave a file of the repo out with `exclude` in `models.toml`, then run `mlxk lock`"


def check_effects(models: Iterable[LockedModel], problems: Problems) -> None:
    """Report what cannot be built, or would be built twice."""
    taken: dict[str, tuple[str, str]] = {}
    urls: dict[str, tuple[str, str]] = {}
    for model in models:
        place = f"model.{model.name}"
        check_paths(place, model.effects.paths, problems)
        _check_sources(model, place, problems)
        for download in model.effects.downloads:
            other, name = urls.setdefault(download.url, (download.blake3, model.name))
            if other != download.blake3:
                hint = "run `mlxk lock --upgrade` to fetch it once for all models"
                problems.add(place, f"`{download.url}` is another file for `{name}`", hint)
        for path, content in _contents(model):
            other, name = taken.setdefault(collision_key(path), (content, model.name))
            if other != content:
                problems.add(place, f"`{path}` below `.hf_cache` has other bytes for `{name}`")
    _check_nesting(taken, problems)


def _contents(model: LockedModel) -> Iterator[tuple[RepoPath, str]]:
    for download in model.effects.downloads:
        if download.path is not None:
            yield download.path, download.blake3
    for _, member in model.effects.members:
        yield member.path, member.blake3
    for copy in model.effects.copies:
        yield copy.path, copy.blake3
    for write in model.effects.writes:
        yield write.path, write.blake3 or ""


def _check_sources(model: LockedModel, place: str, problems: Problems) -> None:
    """Every path is allowed, and every copy and archive is of something that the entry brings."""
    for path in model.effects.paths:
        top = collision_key(path.split("/")[0])
        if top == "hub" or top.startswith(".mlxk"):
            problems.add(place, f"`{path}` below `.hf_cache` is reserved")
    known = {EMPTY_BLAKE3, *model.contents()}
    for copy in model.effects.copies:
        if copy.blake3 not in known:
            problems.add(place, f"`{copy.path}` is a copy of nothing that the entry has")
    for unpacked in model.effects.unpacked:
        if unpacked.archive not in known:
            problems.add(place, f"`{unpacked.member.path}` is from an archive that the entry does not have")


def _check_nesting(taken: Iterable[str], problems: Problems) -> None:
    paths = frozenset(taken)
    for path in sorted(paths):
        parts = path.split("/")
        for count in range(1, len(parts)):
            if "/".join(parts[:count]) in paths:
                problems.add("", f"`{path}` below `.hf_cache` is below a file")


def check_paths(place: str, paths: Sequence[RepoPath], problems: Problems, hint: str = EXCLUDE) -> None:
    """No path twice, none that another filesystem would take for another, none below a file."""
    taken: dict[str, RepoPath] = {}
    for path in paths:
        other = taken.setdefault(collision_key(path), path)
        if other is not path:
            problems.add(place, f"the paths `{other}` and `{path}` collide", hint)
    for path in paths:
        for parent in path.parents:
            if collision_key(parent) in taken:
                problems.add(place, f"`{path}` is below `{parent}`, which is a file", hint)
