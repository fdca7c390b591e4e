"""One command at a time changes a project's files; the next one waits, and then sees what that one left.

Owns whose turn it is. Reading takes no turn: both files are replaced in one step.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlxlock.fs import disk_errors, locked
from mlxlock.ports import Note, OnEvent
from mlxlock.workspace.index import index_path


@contextmanager
def taking_turns(root: Path, *, records: Path, on_event: OnEvent) -> Iterator[None]:
    """Hold a project alone, until the context is left; a killed holder lets go.

    Waits for as long as it takes: another `lock` may download for hours.

    Args:
        root: The project's directory.
        records: Where the lock file is, below the store: not in the project, which git looks at.
        on_event: Hears that it waits.

    Raises:
        DiskError: The lock file cannot be made.
    """
    with disk_errors(records, doing="make"):
        records.mkdir(parents=True, exist_ok=True)
    waiting = Note(text=f"another mlxk changes `{root}`: waiting for it to end")
    path = index_path(records, root / "models.toml").with_suffix(".lock")
    with locked(path, timeout_s=math.inf, on_wait=lambda: on_event(waiting)):
        yield
