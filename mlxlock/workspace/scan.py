"""Looks at a workspace: what is at each path of a tree, and at each path that earlier syncs wrote.

Owns how what is found is told apart, without following a single symlink below the root. Never writes, also
not its own index: `verify` promises that.
"""

import os
import posixpath
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import cast

from mlxlock.errors import DiskError
from mlxlock.fs import Root, disk_errors
from mlxlock.planning.layout import LinkNode, Tree
from mlxlock.planning.plan import (
    Found,
    FoundFile,
    FoundLink,
    FoundOther,
    Inventory,
    content_of,
    found_content,
)
from mlxlock.ports import Note, OnEvent
from mlxlock.spec.names import RepoPath
from mlxlock.workspace.contents import read_contents
from mlxlock.workspace.index import Entry, Stamp, StatIndex
from mlxlock.workspace.ownership import OWNERSHIP_PATH, Claims, parse_ownership
from mlxlock.workspace.strays import find_strays

Sight = Stamp | FoundLink | FoundOther
"""What an lstat shows: a regular file is only a stamp until its content is known."""

_Names = list[tuple[str, RepoPath]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One look at a workspace.

    Attributes:
        inventory: What planning needs of it.
        sights: Each path that exists, as it was seen.
        entries: The regular files among them, and what they hold.
        seen_ns: A time of day before the first look.
    """

    inventory: Inventory
    sights: Mapping[RepoPath, Sight] = field(default_factory=dict)
    entries: Mapping[str, Entry] = field(default_factory=dict)
    seen_ns: int = 0


def scan(path: Path, tree: Tree, index: StatIndex, *, on_event: OnEvent) -> Scan:
    """Look at the workspace at `path`; one that does not exist yet is empty.

    Args:
        path: The workspace's directory.
        tree: What should be there.
        index: What files held when they were last seen; those that did not change since are not read.
        on_event: Told how far reading got, and of a broken ownership list.

    Raises:
        DiskError: A directory cannot be read, or a file changed while it was read.
    """
    if not os.path.lexists(path):
        return Scan(inventory=Inventory(found={}, owned={}))
    seen_ns = time.time_ns()
    with Root(path) as root:
        claims = read_claims(root, on_event, tree.nodes)
        sights = dict(look(root, {*tree.nodes, *claims}))
        entries = _entries(root, sights, index, on_event)
        strays = tuple(sorted(find_strays(root, tree, claims)))
    found = {at: _found(sight, entries.get(at)) for at, sight in sights.items()}
    found.update(_standing_in(found, tree, claims))
    inventory = Inventory(found=found, owned=_owned(claims, found), strays=strays)
    return Scan(inventory=inventory, sights=sights, entries=entries, seen_ns=seen_ns)


def read_claims(root: Root, on_event: OnEvent, known: Iterable[RepoPath] = ()) -> Claims:
    """The ownership list; a missing one owns nothing, and so does a broken one, which is told."""
    if root.lstat(OWNERSHIP_PATH) is None:
        return {}
    try:
        return parse_ownership(root.read(OWNERSHIP_PATH), known)
    except (ValueError, DiskError):
        text = f"`{root.path / OWNERSHIP_PATH}` cannot be read, so nothing here counts as written by mlxk"
        on_event(Note(text=text, level="warning"))
        return {}


# --- looking, without reading -------------------------------------------------------------------------------


def look(root: Root, paths: Iterable[RepoPath]) -> Iterator[tuple[RepoPath, Sight]]:
    """What is at each path that exists; every directory is opened once."""
    split = sorted((*path.rpartition("/")[::2], path) for path in paths)
    for head, group in groupby(split, key=lambda parts: parts[0]):
        names = [(name, path) for _, name, path in group]
        yield from _look_in(root, names) if not head else _look_below(root, RepoPath(head), names)


def _look_below(root: Root, head: RepoPath, names: _Names) -> Iterator[tuple[RepoPath, Sight]]:
    opened = _open_or_explain(root, head)
    if isinstance(opened, Root):
        with opened:
            yield from _look_in(opened, names)
    elif opened is not None:
        yield from ((path, opened) for _, path in names)


def _look_in(directory: Root, names: _Names) -> Iterator[tuple[RepoPath, Sight]]:
    with disk_errors(directory.path, doing="look into"):
        for name, path in names:
            sight = look_at(directory.fd, name)
            if sight is not None:
                yield path, sight


def look_at(fd: int, name: str) -> Sight | None:
    """What a name in an open directory is now, or None; with the system's own errors."""
    try:
        status = os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISREG(status.st_mode):
        return Stamp.of(status)
    if stat.S_ISLNK(status.st_mode):
        return FoundLink(target=os.readlink(name, dir_fd=fd))
    return FoundOther(kind="directory" if stat.S_ISDIR(status.st_mode) else "special")


def _open_or_explain(root: Root, directory: RepoPath) -> Root | FoundOther | None:
    """The directory, or what is in its place or in the place of one above it; None when nothing is."""
    try:
        return root.below(directory)
    except DiskError:
        for ancestor in map(RepoPath, [*directory.parents, directory]):
            status = root.lstat(ancestor)
            if status is None:
                return None
            if stat.S_ISLNK(status.st_mode):
                return FoundOther(kind="parent-is-link", at=ancestor)
            if not stat.S_ISDIR(status.st_mode):
                return FoundOther(kind="parent-is-file", at=ancestor)
        raise


# --- what it means ------------------------------------------------------------------------------------------


def _entries(
    root: Root, sights: Mapping[RepoPath, Sight], index: StatIndex, on_event: OnEvent
) -> dict[str, Entry]:
    """What each readable file holds: as the index says where its stamp is the same, else by reading it."""
    entries: dict[str, Entry] = {}
    unread: dict[RepoPath, int] = {}
    for path, sight in sights.items():
        if isinstance(sight, Stamp):
            identity = index.trusted(path, sight)
            if identity is None:
                unread[path] = sight.size_bytes
            else:
                entries[path] = Entry(sight, identity)
    if unread:
        entries.update(read_contents(root, unread, on_event).items())
    return entries


def _found(sight: Sight, entry: Entry | None) -> Found:
    if not isinstance(sight, Stamp):
        return sight
    if entry is None:
        return FoundOther(kind="unreadable")
    return FoundFile(identity=entry.identity, size_bytes=entry.stamp.size_bytes)


def _standing_in(
    found: Mapping[RepoPath, Found], tree: Tree, claims: Claims
) -> Iterator[tuple[RepoPath, FoundLink]]:
    """Regular files that stand for links, where a filesystem has none: each holds what its target should."""
    for path, wanted in _link_targets(tree, claims):
        here = found.get(path)
        if isinstance(here, FoundFile) and here.identity in _contents(_resolved(path, wanted), tree, claims):
            yield path, FoundLink(target=wanted)


def _link_targets(tree: Tree, claims: Claims) -> Iterator[tuple[RepoPath, str]]:
    for path, contents in claims.items():
        for content in contents:
            if content.startswith("-> "):
                yield path, content.removeprefix("-> ")
    for path, node in tree.nodes.items():
        if isinstance(node, LinkNode):
            yield path, node.target


def _resolved(path: RepoPath, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target))


def _contents(path: str, tree: Tree, claims: Claims) -> tuple[str, ...]:
    """What `path` may hold: what the tree asks for, and what an earlier sync wrote."""
    # These mappings hash like `str`; a text that is no RepoPath is simply not in them.
    at = cast("RepoPath", path)
    node = tree.nodes.get(at)
    return (*(() if node is None else (content_of(node),)), *claims.get(at, ()))


def _owned(claims: Claims, found: Mapping[RepoPath, Found]) -> dict[RepoPath, str]:
    """What we wrote at each path: of two contents (an apply was killed) the one that is there."""
    owned: dict[RepoPath, str] = {}
    for path, contents in claims.items():
        here = found.get(path)
        held = None if here is None else found_content(here)
        owned[path] = held if held is not None and held in contents else contents[0]
    return owned
