"""A workspace that is a directory on disk: scans it, builds it, and remembers what it looked like.

Owns the lock that keeps two builds of one workspace apart, and when the stat index is written. The index and
the lock stand outside the workspace, whose every byte follows from the lockfile.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from mlxlock.fs import Root, disk_errors, locked
from mlxlock.planning.layout import Tree
from mlxlock.planning.plan import Inventory, Plan
from mlxlock.ports import BlobStore, LinkMode, Note, OnEvent, ignore
from mlxlock.spec.names import RepoPath
from mlxlock.workspace.apply import Clock, Manner, apply_plan
from mlxlock.workspace.index import Entry, Stamp, StatIndex, load_index, save_index, settled
from mlxlock.workspace.scan import Scan, look, scan

_LOCK_TIMEOUT_S: Final = 600.0
_PATIENCE_NS: Final = 50_000_000
"""How long to wait until new files are safe to remember: a tick of the clock, not a coarse filesystem's."""


def utc_now() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


class DirectoryWorkspace:
    """A `Workspace` on disk.

    Args:
        root: The directory that holds the models and `.hf_cache`; made when something is put there.
        index_path: Where its stat index is kept, outside of it; the lock stands beside.
        version: mlxlock's own, for sentinels.
        link_mode: How files get here from the store.
        clock: The time of day, for sentinels.
        on_event: Told how far reading got; `apply` has its own.
    """

    def __init__(
        self,
        root: Path,
        *,
        index_path: Path,
        version: str,
        link_mode: LinkMode = "auto",
        clock: Clock = utc_now,
        on_event: OnEvent = ignore,
    ) -> None:
        self._root = root
        self._index_path = index_path
        self._manner = Manner(link_mode=link_mode, version=version, clock=clock)
        self._on_event = on_event
        self._last: Scan | None = None

    @property
    def root(self) -> Path:
        """The directory that holds the models and `.hf_cache`."""
        return self._root

    def scan(self, tree: Tree, *, content: bool = False) -> Inventory:
        """What is there, of all that `tree` names and of all that an earlier sync left; writes nothing.

        Args:
            tree: What should be there.
            content: Read and hash every byte, even where a stat says nothing changed.

        Raises:
            DiskError: A directory cannot be read, or a file changed while it was read.
        """
        index = StatIndex() if content else load_index(self._index_path)
        self._last = scan(self._root, tree, index, on_event=self._on_event)
        return self._last.inventory

    def remember(self, inventory: Inventory) -> None:
        """Keep what a scan had to read, so that the next one need not; for a scan that no apply follows.

        Raises:
            DiskError: The index's disk refuses.
        """
        if self._last is not None and self._last.inventory is inventory:
            save_index(self._index_path, settled(self._last.entries, self._last.seen_ns))

    def apply(self, plan: Plan, store: BlobStore, on_event: OnEvent = ignore) -> None:
        """Carry out a plan: stage, verify, swap; refs last, then the sentinels.

        Raises:
            DiskError: Not enough space (computed before the first byte), read-only, not permitted.
            OfflineMissingError: The store lost a blob since the plan was made.
            MismatchError: A blob is no longer what it was.
            DriftError: A path is no longer as the last scan saw it.
            BusyError: Another process builds this workspace.
        """
        for directory in (self._root, self._index_path.parent):
            with disk_errors(directory, doing="make"):
                directory.mkdir(parents=True, exist_ok=True)
        lock = self._index_path.with_suffix(".lock")
        waiting = Note(text=f"another mlxk builds `{self._root}`: waiting for it to end")
        with (
            locked(lock, timeout_s=_LOCK_TIMEOUT_S, on_wait=lambda: on_event(waiting)),
            Root(self._root) as root,
        ):
            put = apply_plan(root, plan, store, self._manner, scan=self._last, on_event=on_event)
            save_index(self._index_path, self._remembered(root, plan, put))
        self._last = None

    def _remembered(self, root: Root, plan: Plan, put: Mapping[RepoPath, Entry]) -> StatIndex:
        """What is certain now: what the scan saw and nobody touched, and what was just put."""
        if self._last is None:
            before = dict(load_index(self._index_path).entries)
        else:
            before = dict(settled(self._last.entries, self._last.seen_ns).entries)
        for path in (*plan.remove, *plan.quarantine, *(each.path for each in plan.put)):
            before.pop(path, None)
        return StatIndex(entries={**before, **settled_now(root, put).entries})


def settled_now(root: Root, put: Mapping[RepoPath, Entry]) -> StatIndex:
    """Of the files just put, those that a later scan may trust: still as staged, and no longer racy."""
    if not put:
        return StatIndex()
    wait_ns = max(entry.stamp.settles_ns() for entry in put.values()) - time.time_ns()
    if 0 <= wait_ns <= _PATIENCE_NS:
        time.sleep((wait_ns + 1_000_000) / 1e9)
    seen_ns = time.time_ns()
    seen = dict(look(root, put))
    return settled(
        {
            path: Entry(stamp, put[path].identity)
            for path, stamp in seen.items()
            if isinstance(stamp, Stamp) and stamp.written_as(put[path].stamp)
        },
        seen_ns,
    )
