"""What a run left in a `.hf_cache`: the difference of two looks at it.

A step of `run --online`. Owns what counts as new, and how it is told.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlxlock.fs import files_below
from mlxlock.ports import Laboratory
from mlxlock.spec.names import CommitHash, RepoId, RepoPath, RepoType
from mlxlock.steps.report import Json, plural

MOST_TOLD: Final = 12
_HUB: Final = "hub"

Key = tuple[RepoType, RepoId, CommitHash]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What is in a `.hf_cache`.

    Attributes:
        files: Of each commit of each repo.
        others: Everything outside of `hub`, relative.
    """

    files: dict[Key, frozenset[RepoPath]]
    others: frozenset[str]


def contents_of(cache: Path, laboratory: Laboratory) -> Contents:
    """Look into it; one that is not there is empty."""
    files = {
        (repo.repo_type, repo.repo, commit): frozenset(paths)
        for repo in laboratory.cached(cache / _HUB)
        for commit, paths in repo.files.items()
    }
    return Contents(files=files, others=frozenset(files_below(cache, but=(_HUB,))))


def appeared(before: Contents, after: Contents) -> Contents:
    """What is new."""
    files = {key: paths - before.files.get(key, frozenset()) for key, paths in after.files.items()}
    return Contents(
        files={key: paths for key, paths in files.items() if paths}, others=after.others - before.others
    )


def told(new: Contents, cache: Path) -> Iterator[str]:
    """Lines for a person."""
    if not new.files and not new.others:
        yield f"nothing new in `{cache}`"
        return
    yield f"new in `{cache}`:"
    for (_, repo, commit), paths in sorted(new.files.items()):
        yield f"  {repo} @ {commit[:12]}: {plural(len(paths), 'file')} ({_named(paths)})"
    if new.others:
        yield f"  {plural(len(new.others), 'other file')} ({_named(new.others)})"


def _named(paths: frozenset[RepoPath] | frozenset[str]) -> str:
    shown = sorted(paths)[:MOST_TOLD]
    return ", ".join(shown) + (", …" if len(paths) > MOST_TOLD else "")


def data_of(new: Contents) -> list[Json]:
    """The same for scripts."""
    repos: list[Json] = [
        {"repo": repo, "type": repo_type, "commit": commit, "files": sorted(paths)}
        for (repo_type, repo, commit), paths in sorted(new.files.items())
    ]
    return [*repos, *({"path": path} for path in sorted(new.others))]
