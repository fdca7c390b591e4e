"""Compares a tree with what is there, and says what to do about it. Pure: nothing is touched.

Owns `Inventory` (what a scan found) and `Plan` (what `apply` will do, what `--dry-run` prints).
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, assert_never

from mlxlock.planning.layout import FileNode, LinkNode, Node, SentinelNode, TextNode, Tree
from mlxlock.spec.digest import Blake3
from mlxlock.spec.names import RepoPath


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A regular file. `identity` is its content's BLAKE3 (for a sentinel: of its lasting part)."""

    identity: Blake3
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLink:
    """A symlink."""

    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundOther:
    """Something in the way: a directory, a device, or a parent that is no directory of ours.

    Attributes:
        at: The path that is in the way: the parent, when it is one; empty for the path itself.
    """

    kind: Literal["directory", "special", "parent-is-link", "parent-is-file", "unreadable"]
    at: str = ""


Found = FoundFile | FoundLink | FoundOther


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What a scan found.

    Attributes:
        found: Each path of the tree, or of `owned`, that exists.
        owned: What earlier syncs wrote, and what they wrote there (`blake3 hex`, or `-> target`).
        strays: What else stands in the tree's closed directories, as the disk spells it; a directory that
            leads to no path of the tree is one stray, and ends with `/`.
    """

    found: Mapping[RepoPath, Found]
    owned: Mapping[RepoPath, str]
    strays: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Create or replace one path."""

    path: RepoPath
    node: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A path that holds something else than it should, and that we did not write."""

    path: RepoPath
    found: Found
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What `apply` will do, in order: quarantine, put, remove.

    Attributes:
        put: Paths to create or replace; refs and sentinels last.
        remove: Paths that earlier syncs wrote, unchanged since, that nothing needs any more.
        changed: Edited paths that stop `sync`; with `--repair` they are in `quarantine` instead.
        kept: Edited paths that nothing needs any more: left alone, and told.
        quarantine: Edited paths to move aside before they are put again.
        owned: What the workspace's ownership list must say afterwards.
    """

    put: tuple[Put, ...] = ()
    remove: tuple[RepoPath, ...] = ()
    changed: tuple[Change, ...] = ()
    kept: tuple[RepoPath, ...] = ()
    quarantine: tuple[RepoPath, ...] = ()
    owned: Mapping[RepoPath, str]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do and nothing in the way."""
        return not (self.put or self.remove or self.changed or self.quarantine)

    @property
    def put_files(self) -> tuple[FileNode, ...]:
        """Each file to bring from the store."""
        return tuple(put.node for put in self.put if isinstance(put.node, FileNode))


def content_of(node: Node) -> str:
    """What the ownership list says of a node that we wrote: a BLAKE3, or `-> target`."""
    match node:
        case LinkNode():
            return f"-> {node.target}"
        case FileNode() | TextNode() | SentinelNode():
            return node.identity
        case _:
            assert_never(node)


def found_content(found: Found) -> str:
    """The same of what a scan found; nothing that we could have written for anything else."""
    match found:
        case FoundFile():
            return found.identity
        case FoundLink():
            return f"-> {found.target}"
        case FoundOther():
            return f"({found.kind})"
        case _:
            assert_never(found)


def holds(node: Node, found: Found | None) -> bool:
    """Whether what was found is what `node` asks for."""
    if isinstance(node, TextNode) and node.advisory:
        return isinstance(found, FoundFile)
    return found is not None and found_content(found) == content_of(node)


def make_plan(
    tree: Tree,
    inventory: Inventory,
    *,
    spared: Collection[RepoPath] = (),
    repair: bool = False,
) -> Plan:
    """What to do so that the workspace is as `tree` says.

    Args:
        tree: What must be there.
        inventory: What is there, and what earlier syncs wrote.
        spared: Owned paths outside `tree` that stay (models of other groups).
        repair: Move edited paths to quarantine instead of stopping at them.
    """
    put, changed = _differences(tree, inventory)
    owned = {path: content_of(node) for path, node in tree.nodes.items()}
    leaving = [path for path in inventory.owned if path not in owned and path not in spared]
    present = [path for path in sorted(leaving) if path in inventory.found]
    removable = {path for path in present if found_content(inventory.found[path]) == inventory.owned[path]}
    staying = {path: content for path, content in inventory.owned.items() if path in spared}
    return Plan(
        put=tuple(sorted(put if not repair else (*put, *_again(changed, tree)), key=_put_order)),
        remove=tuple(path for path in present if path in removable),
        changed=() if repair else tuple(changed),
        kept=tuple(path for path in present if path not in removable),
        quarantine=tuple(sorted({_in_the_way(change) for change in changed})) if repair else (),
        owned={**staying, **owned},
    )


def _differences(tree: Tree, inventory: Inventory) -> tuple[list[Put], list[Change]]:
    put: list[Put] = []
    changed: list[Change] = []
    for path, node in tree.nodes.items():
        found = inventory.found.get(path)
        if holds(node, found):
            continue
        if found is None or found_content(found) == inventory.owned.get(path):
            put.append(Put(path=path, node=node))
        else:
            changed.append(Change(path=path, found=found, expected=content_of(node)))
    return put, changed


def _again(changed: list[Change], tree: Tree) -> Iterator[Put]:
    for change in changed:
        yield Put(path=change.path, node=tree.nodes[change.path])


def _in_the_way(change: Change) -> RepoPath:
    at = change.found.at if isinstance(change.found, FoundOther) else ""
    return RepoPath(at) if at else change.path


def _put_order(put: Put) -> tuple[int, str]:
    """Files, links, texts, then refs, then sentinels: whatever makes a model look complete comes last."""
    match put.node:
        case FileNode():
            rank = 0
        case LinkNode():
            rank = 1
        case TextNode():
            rank = 3 if put.node.ref else 2
        case SentinelNode():
            rank = 4
        case _:
            assert_never(put.node)
    return rank, put.path
