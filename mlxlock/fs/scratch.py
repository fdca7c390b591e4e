"""Fresh directories for one piece of work, gone afterwards, or removed by the next work after a kill."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mlxlock.fs.locks import locked
from mlxlock.fs.refusals import disk_errors
from mlxlock.fs.removing import remove_tree

_LOCK: Final = ".lock"
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_BRIEF_S: Final = 60.0


@contextmanager
def scratch_directory(parent: Path) -> Iterator[Path]:
    """A new directory below `parent`, which holds nothing else; whoever uses one holds its lock.

    Raises:
        DiskError: The disk refuses.
        BusyError: Another process does not let go of `parent`.
    """
    with disk_errors(parent):
        parent.mkdir(parents=True, exist_ok=True)
        with locked(parent / _LOCK, timeout_s=_BRIEF_S):
            _sweep(parent)
            made = Path(tempfile.mkdtemp(dir=parent))
            fd = os.open(made, _DIRECTORY)
            fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        yield made
    finally:
        remove_tree(made)
        os.close(fd)


@contextmanager
def temporary_directory(prefix: str) -> Iterator[Path]:
    """A new directory where the system keeps such, with every symlink followed, and gone afterwards."""
    made = Path(tempfile.mkdtemp(prefix=prefix)).resolve()
    try:
        yield made
    finally:
        remove_tree(made)


def _sweep(parent: Path) -> None:
    for path in parent.iterdir():
        if path.name != _LOCK and _is_abandoned(path):
            remove_tree(path)


def _is_abandoned(path: Path) -> bool:
    try:
        fd = os.open(path, _DIRECTORY)
    except OSError:  # gone meanwhile, or nothing that we made
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True
