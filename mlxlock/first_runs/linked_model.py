"""A model's directory that its code may write into: links to the laid-out files, which stay read-only.

A step of `lock`. Owns what a run wrote there: a file that it left, and a locked one that it replaced.
"""

import os
from itertools import islice
from pathlib import Path
from typing import Final

from mlxlock.fs import files_below

MOST_TOLD: Final = 1000


def link_files(directory: Path, clone: Path) -> None:
    """Make `clone` look like `directory`: real directories, and a symlink for each file."""
    clone.mkdir(parents=True)
    for place, folders, files in os.walk(directory):
        here = clone / Path(place).relative_to(directory)
        for name in folders:
            (here / name).mkdir()
        for name in files:
            (here / name).symlink_to(Path(place, name))


def changes(directory: Path, clone: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which files of `directory` the clone has replaced or lost, and which it has beside them."""
    expected = {path: f"{directory / path}" for path in files_below(directory)}
    altered = [path for path, target in expected.items() if _target(clone / path) != target]
    wrote = islice((path for path in files_below(clone) if path not in expected), MOST_TOLD)
    return tuple(sorted(altered)), tuple(sorted(wrote))


def _target(path: Path) -> str | None:
    try:
        return os.readlink(path)  # noqa: PTH115 - as it is written, not normalised
    except OSError:
        return None
