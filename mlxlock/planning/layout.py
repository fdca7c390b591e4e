"""Lays a lockfile out: every path the workspace must have, and what must be there.

Owns the shape of the workspace (formats.md §3). Never looks at a disk.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from blake3 import blake3

from mlxlock.errors import LockfileError, RefClashError
from mlxlock.spec.digest import Blake3, Sha256
from mlxlock.spec.lockfile import Artifact, LockedModel
from mlxlock.spec.names import CommitHash, RepoId, RepoPath, RepoType, collision_key
from mlxlock.spec.resolution import FileEntry
from mlxlock.spec.sentinel import SENTINEL_NAME, Sentinel

CACHE_DIR: Final = ".hf_cache"
HUB_DIR: Final = f"{CACHE_DIR}/hub"
CACHEDIR_TAG: Final = b"Signature: 8a477f597d28d172789f06886806bc55\n"
WEIGHT_SUFFIXES: Final = frozenset(
    {".bin", ".gguf", ".npy", ".npz", ".pt", ".pth", ".safetensors", ".zst"},
)
LARGE_BYTES: Final = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FileNode:
    """A file whose bytes come from the store.

    Attributes:
        file: Its identity, with the hashes that we saw.
        source: Who needs it: model name, repo and path, for messages.
        large: Weights, or anything over 8 MiB: linked where a clone is not to be had; others are copied,
            since people edit them.
    """

    file: FileEntry
    source: str
    large: bool

    @property
    def identity(self) -> Blake3:
        """The content's BLAKE3."""
        if self.file.blake3 is None:
            raise LockfileError(
                f"`{self.file.path}` of `{self.source}` was never seen, so it cannot be laid out",
                hint="run `mlxk lock` without `--no-capture`",
            )
        return self.file.blake3


@dataclass(frozen=True, slots=True, kw_only=True)
class TextNode:
    """A small file whose bytes follow from the lock.

    Attributes:
        content: All of it.
        ref: Whether it is a `refs/<revision>`: written after everything it points to.
        advisory: Its presence is enough, whatever it says (other programs write it too).
    """

    content: bytes
    ref: bool = False
    advisory: bool = False

    @property
    def identity(self) -> Blake3:
        """The content's BLAKE3."""
        return Blake3(blake3(self.content).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class SentinelNode:
    """A `.mlxk_workspace.json`: the only file that holds a time of day."""

    sentinel: Sentinel

    @property
    def identity(self) -> Blake3:
        """Of all it says but the times and the writing version."""
        return Blake3(blake3(json.dumps(self.sentinel.lasting(), sort_keys=True).encode()).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkNode:
    """A relative symlink."""

    target: str


Node = FileNode | TextNode | SentinelNode | LinkNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Every path the workspace must have, relative to its root; directories are implied."""

    nodes: Mapping[RepoPath, Node]

    def files(self) -> Iterator[tuple[RepoPath, FileNode]]:
        """Each file that comes from the store."""
        for path, node in self.nodes.items():
            if isinstance(node, FileNode):
                yield path, node
