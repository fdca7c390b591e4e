"""Lists what a run left in a `.hf_cache/hub`: refs, snapshots and `.no_exist` markers.

The child wrote all of it, so nothing is followed out of the directory, and what is no name is passed over.
A listing, never a claim about bytes.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mlxlock.spec.names import REPO_TYPES, CommitHash, RepoId, RepoPath, RepoType
from mlxlock.spec.record import CachedRepo

_REF_BYTES: Final = 40


def list_cache(hub_dir: Path) -> tuple[CachedRepo, ...]:
    """Every repo in a hub cache, by folder name; none when there is no cache."""
    folders = sorted(_entries(hub_dir), key=lambda entry: entry.name)
    listed = (_repo(Path(entry.path), entry.name) for entry in folders if entry.is_dir(follow_symlinks=False))
    return tuple(repo for repo in listed if repo is not None)


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _repo(folder: Path, name: str) -> CachedRepo | None:
    named = _named(name)
    if named is None:
        return None
    repo, repo_type = named
    return CachedRepo(
        repo=repo,
        repo_type=repo_type,
        refs=dict(_refs(folder / "refs")),
        files=dict(_by_commit(folder / "snapshots")),
        absent=dict(_by_commit(folder / ".no_exist")),
    )


def _named(folder: str) -> tuple[RepoId, RepoType] | None:
    for repo_type in REPO_TYPES:
        prefix = f"{repo_type}s--"
        if folder.startswith(prefix):
            try:
                return RepoId(folder.removeprefix(prefix).replace("--", "/", 1)), repo_type
            except ValueError:
                return None
    return None


def _refs(directory: Path) -> Iterator[tuple[str, CommitHash]]:
    for path in _paths(directory, ""):
        try:
            with (directory / path).open("rb") as file:
                yield path, CommitHash(file.read(_REF_BYTES + 1).decode("ascii", "replace"))
        except (OSError, ValueError):
            continue


def _by_commit(directory: Path) -> Iterator[tuple[CommitHash, tuple[RepoPath, ...]]]:
    for entry in _entries(directory):
        try:
            commit = CommitHash(entry.name)
        except ValueError:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield commit, tuple(sorted(_paths(Path(entry.path), "")))


def _paths(directory: Path, below: str) -> Iterator[RepoPath]:
    """Every file or symlink below a directory, relative to it; no symlinked directory is entered."""
    for entry in _entries(directory / below if below else directory):
        try:
            path = RepoPath(f"{below}/{entry.name}" if below else entry.name)
        except ValueError:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _paths(directory, path)
        else:
            yield path
