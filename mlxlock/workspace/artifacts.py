"""What stands in a `.hf_cache`: every repo with its state, and whatever else a run left there. Only reads.

Owns how the state of a cached repo is told: its links, its refs, and the remains of broken downloads.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mlxlock.fs import disk_errors
from mlxlock.ports import Artifact
from mlxlock.spec.names import REPO_TYPES, RepoType
from mlxlock.workspace.model_files import walk

_HUB: Final = "hub"
_OURS: Final = frozenset({".mlxk_files", ".mlxk_stage", "CACHEDIR.TAG", ".locks"})
_UNFINISHED: Final = ".incomplete"


def list_artifacts(cache: Path) -> tuple[Artifact, ...]:
    """Each repo in a cache, then each other thing that holds a file, by name.

    Args:
        cache: The `.hf_cache`; one that does not exist holds nothing.

    Raises:
        DiskError: It cannot be read.
    """
    repos = [
        _repo(cache.parent, folder) for folder in _children(cache / _HUB) if _type_of(folder) is not None
    ]
    strangers = [_other(cache, path) for path in _children(cache / _HUB) if _type_of(path) is None]
    others = [_other(cache, path) for path in _children(cache) if path.name != _HUB]
    return tuple(each for each in (*repos, *strangers, *others) if each.files or each.repo_type)


def _children(directory: Path) -> list[Path]:
    with disk_errors(directory, doing="list"):
        try:
            return sorted(path for path in directory.iterdir() if path.name not in _OURS)
        except FileNotFoundError:
            return []


def _type_of(folder: Path) -> RepoType | None:
    return next((kind for kind in REPO_TYPES if folder.name.startswith(f"{kind}s--")), None)


def _other(cache: Path, path: Path) -> Artifact:
    sizes = [status.st_size for _, status in walk(path)] if path.is_dir() else [path.lstat().st_size]
    return Artifact(
        name=path.relative_to(cache).as_posix(),
        repo_type=None,
        state="complete",
        files=len(sizes),
        size_bytes=sum(sizes),
    )


# --- a repo -------------------------------------------------------------------------------------------------


def _repo(models: Path, folder: Path) -> Artifact:
    snapshots = [path for path in _children(folder / "snapshots") if path.is_dir()]
    files = [snapshot / path for snapshot in snapshots for path, _ in walk(snapshot)]
    problems = (*_broken(folder, files), *_dangling_refs(folder, snapshots), *_unfinished(folder))
    elsewhere = bool(files) and all(_is_of_a_model(models, path) for path in files)
    return Artifact(
        name="/".join(folder.name.split("--")[1:]),
        repo_type=_type_of(folder),
        state="incomplete" if problems else "declared" if elsewhere else "complete",
        commits=tuple(snapshot.name for snapshot in snapshots),
        refs=tuple(name for name, _ in _refs(folder)),
        files=len(files),
        size_bytes=_own_bytes(folder),
        problems=problems,
    )


def _broken(folder: Path, files: list[Path]) -> Iterator[str]:
    broken = [path for path in files if not path.exists()]
    if broken:
        name = broken[0].relative_to(folder).as_posix()
        yield f"{len(broken)} of {len(files)} files are links to nothing, e.g. `{name}`"
    if not files:
        yield "it has no file"


def _dangling_refs(folder: Path, snapshots: list[Path]) -> Iterator[str]:
    commits = {snapshot.name for snapshot in snapshots}
    for name, commit in _refs(folder):
        if commit not in commits:
            yield f"`refs/{name}` means a commit that is not there"


def _refs(folder: Path) -> Iterator[tuple[str, str]]:
    if (folder / "refs").is_dir():
        for name, status in walk(folder / "refs"):
            if stat.S_ISREG(status.st_mode) and status.st_size < 100:
                yield name, (folder / "refs" / name).read_text(errors="replace").strip()


def _unfinished(folder: Path) -> Iterator[str]:
    names = [path.name for path in _children(folder / "blobs") if path.name.endswith(_UNFINISHED)]
    if names:
        yield f"{len(names)} downloads were broken off"


def _is_of_a_model(models: Path, path: Path) -> bool:
    """Whether a snapshot's file is a model's own, beside the cache."""
    target = Path(os.path.realpath(path))
    root = Path(os.path.realpath(models))
    return target.is_relative_to(root) and not target.is_relative_to(root / ".hf_cache")


def _own_bytes(folder: Path) -> int:
    """What it takes itself: links to a model's files take nothing."""
    return sum(status.st_size for _, status in walk(folder) if stat.S_ISREG(status.st_mode))
