"""Compares a tree with what is there, and says what to do about it. Pure: nothing is touched.

Owns `Inventory` (what a scan found) and `Plan` (what `apply` will do, what `--dry-run` prints).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

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
    """Something in the way: a directory, a device, or a parent that is no directory of ours."""

    kind: Literal["directory", "special", "parent-is-link", "parent-is-file", "unreadable"]


Found = FoundFile | FoundLink | FoundOther
Content = Blake3 | str
"""What an owned path held when we wrote it: a BLAKE3, or a link's target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What a scan found.

    Attributes:
        found: Each path of the tree, or of `owned`, that exists.
        owned: What earlier syncs wrote, and what they wrote there (`blake3 hex`, or `-> target`).
    """

    found: Mapping[RepoPath, Found]
    owned: Mapping[RepoPath, str]


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
