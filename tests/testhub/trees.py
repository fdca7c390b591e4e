"""Repos as directories on disk.

Owns the layout `<org>/<name>/...`, `<name>/...`, `datasets/...`, `spaces/...`. Never changes the disk.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.testhub.repos import RepoType

_TYPE_FOLDERS: dict[str, RepoType] = {"models": "model", "datasets": "dataset", "spaces": "space"}
_IGNORED = frozenset({".git", ".cache", "__pycache__", ".DS_Store"})
_FRONT_MATTER = re.compile(r"\A---\n(.*?)^---$", re.DOTALL | re.MULTILINE)
_LICENSE = re.compile(r"^license:\s*[\"']?([\w.-]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeRepo:
    """A repo found on disk; `files` by their path in the repo."""

    repo_id: str
    repo_type: RepoType
    license: str | None
    files: Mapping[str, Path]


def read_tree(root: Path) -> Iterator[TreeRepo]:
    """Yield every repo below `root`.

    A directory that holds a file is a repo, otherwise each of its directories is one.
    """
    for folder in _folders(root):
        if folder.name in _TYPE_FOLDERS:
            yield from _typed(folder, _TYPE_FOLDERS[folder.name])
        else:
            yield from _named(folder, "model")


def _typed(folder: Path, repo_type: RepoType) -> Iterator[TreeRepo]:
    for inner in _folders(folder):
        yield from _named(inner, repo_type)


def _named(folder: Path, repo_type: RepoType) -> Iterator[TreeRepo]:
    if any(child.is_file() and child.name not in _IGNORED for child in folder.iterdir()):
        yield _repo(folder, folder.name, repo_type)
        return
    for inner in _folders(folder):
        yield _repo(inner, f"{folder.name}/{inner.name}", repo_type)


def _repo(folder: Path, repo_id: str, repo_type: RepoType) -> TreeRepo:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    relative = {path.relative_to(folder): path for path in paths}
    files = {key.as_posix(): path for key, path in relative.items() if not _IGNORED.intersection(key.parts)}
    return TreeRepo(repo_id=repo_id, repo_type=repo_type, license=_license(folder), files=files)


def _license(folder: Path) -> str | None:
    card = folder / "README.md"
    front = _FRONT_MATTER.match(card.read_text(encoding="utf-8")) if card.is_file() else None
    found = _LICENSE.search(front[1]) if front else None
    return found[1] if found else None


def _folders(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if child.is_dir() and child.name not in _IGNORED)
