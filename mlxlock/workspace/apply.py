"""Carries out a plan: stages everything, then swaps it in, so that a kill at any moment is mended by a rerun.

Owns the order. While paths change, the ownership list holds both what was there and what comes; refs and
sentinels, by which others judge a model complete, come last. Never follows a symlink below the root, and
never overwrites what is not as the scan saw it.
"""

import json
import os
import posixpath
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self, assert_never, cast

from mlxlock.errors import DiskError, DriftError, OfflineMissingError
from mlxlock.fs import Root, disk_errors
from mlxlock.planning.layout import CACHE_DIR, FileNode, LinkNode, SentinelNode, TextNode
from mlxlock.planning.plan import FoundLink, Plan, Put
from mlxlock.ports import Advanced, BlobStore, Finished, LinkMode, Note, OnEvent, Started, ignore
from mlxlock.spec.digest import Blake3
from mlxlock.spec.names import RepoPath
from mlxlock.workspace.contents import read_contents
from mlxlock.workspace.index import Entry, Stamp
from mlxlock.workspace.ownership import OWNERSHIP_PATH, during, finished, format_ownership
from mlxlock.workspace.scan import Scan, Sight, look_at, read_claims
from mlxlock.workspace.staging import STAGE_PATH, Bytes, Stage, staging

QUARANTINE_DIR: Final = f"{CACHE_DIR}/.mlxk_quarantine"
_TASK: Final = "build-workspace"

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a workspace is built, beside what the plan says.

    Attributes:
        version: mlxlock's own, for sentinels.
        clock: The time of day, for sentinels.
    """

    link_mode: LinkMode
    version: str
    clock: Clock


def apply_plan(
    root: Root, plan: Plan, store: BlobStore, manner: Manner, *, scan: Scan | None, on_event: OnEvent
) -> Mapping[RepoPath, Entry]:
    """Do what `plan` says.

    Args:
        root: The workspace, locked by the caller.
        plan: What to do; its `changed` and `kept` paths are left alone.
        store: Has every blob that the plan puts.
        manner: How.
        scan: What the plan was made from; None when nothing is known of what is there.
        on_event: Told of each file, and of each that moved to quarantine.

    Returns:
        The regular files that were put, as they were staged.

    Raises:
        OfflineMissingError: The store lacks a blob; nothing was changed.
        DiskError: The disk refuses, or has too little space.
        DriftError: A path is no longer as the scan saw it.
    """
    if _is_done(root, plan):
        return {}
    sources = _sources(plan, store)
    claims = read_claims(root, on_event)
    with staging(root, manner.link_mode) as stage:
        _Staging(stage, root, plan, manner).fill(sources, on_event)
        stage.replace(root, OWNERSHIP_PATH, format_ownership(during(claims, plan.owned)))
        with _Swap(root, stage, scan) as swap:
            _quarantine(root, plan, on_event)
            for put in plan.put:
                swap.put(put.path)
            for path in plan.remove:
                if path not in plan.quarantine:
                    swap.remove(path)
        _remove_empty(root, [path for path in claims if path not in plan.owned])
        stage.replace(root, OWNERSHIP_PATH, format_ownership(finished(plan.owned)))
    return stage.entries


def _is_done(root: Root, plan: Plan) -> bool:
    """Whether nothing is to do, and no killed run left its ownership list or its stage."""
    if plan.put or plan.remove or plan.quarantine or root.lstat(STAGE_PATH) is not None:
        return False
    status = root.lstat(OWNERSHIP_PATH)
    if status is None or not stat.S_ISREG(status.st_mode):
        return False
    return root.read(OWNERSHIP_PATH) == format_ownership(finished(plan.owned))


def _sources(plan: Plan, store: BlobStore) -> dict[RepoPath, Bytes]:
    return {put.path: _source(put.node, store) for put in plan.put if isinstance(put.node, FileNode)}


def _source(node: FileNode, store: BlobStore) -> Bytes:
    blob = store.find(node.file)
    if blob is None:
        raise OfflineMissingError(
            f"the store has lost `{node.file.path}` of `{node.source}`", hint="run `mlxk sync` again, online"
        )
    return Bytes(path=blob.path, identity=node.identity, size_bytes=blob.size_bytes, large=node.large)


# --- staging ------------------------------------------------------------------------------------------------


class _Staging:
    """Fills a stage with all that a plan puts."""

    def __init__(self, stage: Stage, root: Root, plan: Plan, manner: Manner) -> None:
        self._stage = stage
        self._root = root
        self._plan = plan
        self._manner = manner

    def fill(self, sources: Mapping[RepoPath, Bytes], on_event: OnEvent) -> None:
        total = len(self._plan.put)
        on_event(Started(task=_TASK, label="building the workspace", total=total, unit="files"))
        self._stage.add_files(sources, lambda: on_event(Advanced(task=_TASK, amount=1)))
        stand_ins: dict[RepoPath, Bytes] = {}
        for put in self._plan.put:
            stand_ins.update(self._add(put))
        self._stage.add_stand_ins(stand_ins)
        on_event(Advanced(task=_TASK, amount=total - len(sources)))
        on_event(Finished(task=_TASK))

    def _add(self, put: Put) -> Mapping[RepoPath, Bytes]:
        """Stage what needs no blob; return the file that must stand for a link, where there are no links."""
        match put.node:
            case FileNode():
                pass
            case TextNode():
                self._stage.add_bytes(put.path, put.node.content, put.node.identity)
            case SentinelNode():
                self._stage.add_bytes(put.path, self._sentinel(put.node), put.node.identity)
            case LinkNode():
                if not self._stage.add_link(put.path, put.node.target):
                    return {put.path: self._target(put.path, put.node.target)}
            case _:
                assert_never(put.node)
        return {}

    def _sentinel(self, node: SentinelNode) -> bytes:
        now = self._manner.clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        document = node.sentinel.written(version=self._manner.version, now=now)
        return f"{json.dumps(document, indent=2)}\n".encode()

    def _target(self, path: RepoPath, target: str) -> Bytes:
        resolved = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        at = cast("RepoPath", resolved)  # only looked up: hashes and compares as text
        content = self._plan.owned.get(at)
        if content is None or content.startswith("-> "):
            raise DiskError(f"`{self._root.path}` has no symlinks, and `{path}` would point to no file in it")
        found = self._stage.source_of(at) or self._root.path / resolved
        size_bytes = found.lstat().st_size
        return Bytes(path=found, identity=Blake3(content), size_bytes=size_bytes, large=True)


# --- swapping -----------------------------------------------------------------------------------------------


class _Swap:
    """Gives staged files their names and removes old ones, each only if it is still as the scan saw it.

    Keeps the directory it last worked in open: plans are sorted.
    """

    def __init__(self, root: Root, stage: Stage, scan: Scan | None) -> None:
        self._root = root
        self._stage = stage
        self._scan = scan
        self._head = ""
        self._directory = root

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def put(self, path: RepoPath) -> None:
        """Rename the staged file to `path`, unless another mlxk has just put the same there."""
        name = self._enter(path, make=True)
        if not self._as_scanned(path, name):
            if not self._holds(path, name):
                raise self._drift(path)
            return
        with disk_errors(self._root.path / path):
            staged, from_fd = self._stage.names[path], self._stage.directory.fd
            os.rename(staged, name, src_dir_fd=from_fd, dst_dir_fd=self._directory.fd)

    def remove(self, path: RepoPath) -> None:
        """Remove what is at `path`, unless it is gone already."""
        if self._root.lstat(path) is None:
            return
        name = self._enter(path, make=False)
        if not self._as_scanned(path, name):
            raise self._drift(path)
        with disk_errors(self._root.path / path, doing="remove"):
            os.unlink(name, dir_fd=self._directory.fd)

    def _as_scanned(self, path: RepoPath, name: str) -> bool:
        if self._scan is None:
            return True
        now, then = self._look(path, name), self._scan.sights.get(path)
        if isinstance(now, Stamp) and isinstance(then, Stamp):
            return now.written_as(then)
        return now is None or now == then

    def _holds(self, path: RepoPath, name: str) -> bool:
        """Whether what came in the meantime is what we are about to put."""
        now, staged = self._look(path, name), self._stage.entries.get(path)
        if isinstance(now, Stamp) and staged is not None:
            read = read_contents(self._root, {path: now.size_bytes}, ignore).get(path)
            return read is not None and read.identity == staged.identity
        return isinstance(now, FoundLink) and now.target == self._stage.links.get(path)

    def _look(self, path: RepoPath, name: str) -> Sight | None:
        with disk_errors(self._root.path / path, doing="look at"):
            return look_at(self._directory.fd, name)

    def _drift(self, path: RepoPath) -> DriftError:
        reason = f"`{self._root.path / path}` was changed while it was about to be replaced"
        return DriftError(reason, hint="stop what writes there, then run the same command again")

    def _enter(self, path: RepoPath, *, make: bool) -> str:
        head, _, name = path.rpartition("/")
        if head != self._head:
            self._leave()
            if make and head:
                self._root.make_dirs(RepoPath(head))
            self._directory = self._root.below(RepoPath(head)) if head else self._root
            self._head = head
        return name

    def _leave(self) -> None:
        if self._directory is not self._root:
            os.close(self._directory.fd)
        self._head, self._directory = "", self._root


def _quarantine(root: Root, plan: Plan, on_event: OnEvent) -> None:
    """Move edited paths below a folder of this run's own, so that nothing there is ever overwritten."""
    if not plan.quarantine:
        return
    number = 1
    while root.lstat(RepoPath(f"{QUARANTINE_DIR}/{number}")) is not None:
        number += 1
    for path in plan.quarantine:
        kept = RepoPath(f"{QUARANTINE_DIR}/{number}/{path}")
        root.make_dirs(RepoPath(kept.rpartition("/")[0]))
        root.rename(path, kept)
        on_event(Note(text=f"moved `{path}` to `{root.path / kept}`", level="warning"))


def _remove_empty(root: Root, gone: Iterable[RepoPath]) -> None:
    """Remove the directories that held nothing but what is gone, now or since a build that was killed."""
    emptied = {RepoPath(parent) for path in gone for parent in path.parents if parent != CACHE_DIR}
    for directory in sorted(emptied, key=lambda path: (-path.count("/"), path)):
        root.rmdir(directory)
