"""What no sandboxed child may read, although it lies in what it has to read: `.git` and `.env*`.

A step of `lock` and `run`. Owns where they are looked for: in what is visible as a whole (a project, when its
own command runs in it; a model's directory), and wherever else the interpreter's path leads, as editable
installs do. Reads names only.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

_ENVIRONMENT: Final = "pyvenv.cfg"
_SYSTEM: Final = (Path("/usr"), Path("/System"), Path("/Library"))


def secrets_below(whole: Path | None, needed: Sequence[Path]) -> Iterator[Path]:
    """Every `.git` and `.env*` that a job could see.

    Args:
        whole: A directory of somebody's own that is visible as a whole; None when there is none.
        needed: What the interpreter needs to read. An environment that is named `.env` is one of these, and
            no secret.
    """
    places = [whole] if whole is not None else []
    places += [path for path in needed if not _is_installed(path)]
    for place in _outermost(places):
        yield from _below(place, needed)


def _is_installed(path: Path) -> bool:
    """Whether it holds what an installer wrote, and nobody's work."""
    return any((place / _ENVIRONMENT).is_file() or place in _SYSTEM for place in (path, *path.parents))


def _outermost(places: Iterable[Path]) -> list[Path]:
    kept = list[Path]()
    for place in sorted(set(places)):
        if not any(place.is_relative_to(other) for other in kept):
            kept.append(place)
    return kept


def _below(root: Path, needed: Sequence[Path]) -> Iterator[Path]:
    for place, folders, files in os.walk(root):
        found = {
            name
            for name in (*folders, *files)
            if (name == ".git" or name.startswith(".env"))
            and not any(path.is_relative_to(Path(place, name)) for path in needed)
        }
        folders[:] = [name for name in folders if name not in found and not _is_environment(place, name)]
        yield from (Path(place, name) for name in sorted(found))


def _is_environment(place: str, name: str) -> bool:
    return Path(place, name, _ENVIRONMENT).is_file()
