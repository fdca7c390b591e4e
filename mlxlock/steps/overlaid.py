"""The environment of a user's own program, with the places that it names there: a step of `exec` and `env`.

Owns what happens where the workspace cannot be written: what need not last goes to a directory that is gone
afterwards, and what is only read offline need not be there.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mlxlock.fs import disk_errors, temporary_directory
from mlxlock.ports import Overlay


@contextmanager
def overlaid(overlay: Overlay, inherited: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """What a program sees, for as long as it runs.

    Raises:
        DiskError: The disk refuses.
    """
    for directory in filter(_writable, overlay.directories):
        with disk_errors(directory, doing="make"):
            directory.mkdir(parents=True, exist_ok=True)
    variables, elsewhere = overlay.over(inherited), unwritable(overlay)
    if not elsewhere:
        yield variables
        return
    with temporary_directory("mlxk-exec-") as scratch:
        for name in elsewhere:
            (scratch / name).mkdir()
        yield {**variables, **{name: str(scratch / name) for name in elsewhere}}


def unwritable(overlay: Overlay) -> tuple[str, ...]:
    """Which variables name a place for what need not last that nobody can write to."""
    return tuple(name for name in overlay.derived if not _writable(Path(overlay.variables[name])))


def _writable(path: Path) -> bool:
    """Whether it can be written to, or made; `access` knows of read-only filesystems, for root too."""
    existing = next(place for place in (path, *path.parents) if place.exists())
    return os.access(existing, os.W_OK | os.X_OK)
