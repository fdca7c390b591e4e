"""A store that is a directory of blobs, and workspaces made by hand, for the suites of this folder."""

import hashlib
import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from blake3 import blake3

from mlxlock.planning.layout import FileNode, LinkNode, Node, SentinelNode, TextNode, Tree
from mlxlock.planning.plan import Plan, make_plan
from mlxlock.ports import Blob, Deposit, LinkMode, OnEvent, ignore
from mlxlock.spec.digest import Blake3, Sha256
from mlxlock.spec.names import CommitHash, RepoId, RepoPath
from mlxlock.spec.resolution import FileEntry, RemoteFile
from mlxlock.spec.sentinel import Sentinel
from mlxlock.workspace.directory import DirectoryWorkspace

COMMIT: Final = CommitHash("d149729398750b98c0af14eb82c78cfe92750796")
SNAPSHOT: Final = f".hf_cache/hub/models--org--m/snapshots/{COMMIT}"
REF: Final = RepoPath(".hf_cache/hub/models--org--m/refs/main")
CONFIG: Final = RepoPath("m/config.json")
WEIGHTS: Final = RepoPath("m/w.safetensors")
LINK: Final = RepoPath(f"{SNAPSHOT}/w.safetensors")
SENTINEL: Final = RepoPath("m/.mlxk_workspace.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryStore:
    """A `BlobStore` over one directory: blobs by their BLAKE3, read-only, as the real one keeps them."""

    directory: Path

    def add(self, data: bytes) -> FileEntry:
        """Keep bytes; return their identity."""
        name = Blake3(blake3(data).hexdigest())
        blob = self.directory / name
        if not blob.exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            blob.write_bytes(data)
            blob.chmod(0o444)
        sha256 = Sha256(hashlib.sha256(data).hexdigest())
        return FileEntry(path=RepoPath("f"), size_bytes=len(data), sha256=sha256, blake3=name)

    def find(self, file: FileEntry) -> Blob | None:
        assert file.blake3 is not None
        assert file.sha256 is not None
        path = self.directory / file.blake3
        if not path.exists():
            return None
        return Blob(blake3=file.blake3, sha256=file.sha256, size_bytes=file.size_bytes, path=path)

    def deposit(self, file: FileEntry) -> AbstractContextManager[Deposit]:
        raise NotImplementedError(file)

    def adopt(self, files: Sequence[RemoteFile], on_event: OnEvent = ignore) -> tuple[RemoteFile, ...]:
        raise NotImplementedError(files, on_event)


@dataclass(kw_only=True)
class Bench:
    """A store, and a workspace beside it."""

    base: Path
    store: DirectoryStore
    link_mode: LinkMode = "auto"
    events: list[object] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.base / "models"

    @property
    def index(self) -> Path:
        return self.base / "store" / "workspaces" / "w.index"

    def workspace(self) -> DirectoryWorkspace:
        return DirectoryWorkspace(
            self.root,
            index_path=self.index,
            version="1.2.3",
            link_mode=self.link_mode,
            clock=lambda: datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC),
            on_event=self.events.append,
        )

    def plan(self, tree: Tree, *, repair: bool = False) -> Plan:
        return make_plan(tree, self.workspace().scan(tree), repair=repair)

    def sync(self, tree: Tree, *, repair: bool = False) -> Plan:
        """Scan, plan and apply with one workspace, as `mlxk sync` does."""
        workspace = self.workspace()
        plan = make_plan(tree, workspace.scan(tree), repair=repair)
        workspace.apply(plan, self.store, self.events.append)
        return plan

    def path(self, path: str) -> Path:
        return self.root / path

    def file(self, data: bytes, *, large: bool = False) -> FileNode:
        return FileNode(file=self.store.add(data), source="m", large=large)


def make_bench(base: Path, link_mode: LinkMode = "auto") -> Bench:
    return Bench(base=base, store=DirectoryStore(directory=base / "store" / "blobs"), link_mode=link_mode)


def sentinel(content_hash: str = "sha256:1") -> SentinelNode:
    return SentinelNode(
        sentinel=Sentinel(
            source_repo=RepoId("org/m"), source_revision=COMMIT, operation="sync", content_hash=content_hash
        )
    )


def tree_of(nodes: Mapping[str, Node]) -> Tree:
    return Tree(nodes={RepoPath(path): nodes[path] for path in sorted(nodes)})


def a_model(
    bench: Bench, config: bytes = b'{"model_type": "llama"}', weights: bytes = b"w" * 100_000
) -> Tree:
    """A model with its snapshot, an artifact and a ref: each kind of node."""
    artifact = ".hf_cache/hub/models--org--tok"
    return tree_of(
        {
            CONFIG: bench.file(config),
            WEIGHTS: bench.file(weights, large=True),
            SENTINEL: sentinel(),
            f"{SNAPSHOT}/config.json": LinkNode(target="../../../../../m/config.json"),
            LINK: LinkNode(target="../../../../../m/w.safetensors"),
            REF: TextNode(content=COMMIT.encode(), ref=True),
            ".hf_cache/hub/CACHEDIR.TAG": TextNode(content=b"Signature: 1\n"),
            f"{artifact}/blobs/aa": bench.file(b"vocabulary"),
            f"{artifact}/snapshots/{COMMIT}/vocab.txt": LinkNode(target="../../blobs/aa"),
            f"{artifact}/.no_exist/{COMMIT}/config.json": TextNode(content=b""),
        }
    )


def picture(root: Path, *, modes: bool = True) -> dict[str, tuple[str, int, bytes]]:
    """Every path below `root`: what it is, its permissions and what it holds."""
    shown: dict[str, tuple[str, int, bytes]] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        mode = stat.S_IMODE(status.st_mode) if modes else 0
        if stat.S_ISLNK(status.st_mode):
            shown[str(path.relative_to(root))] = ("link", 0, os.fsencode(path.readlink()))
        elif stat.S_ISDIR(status.st_mode):
            shown[str(path.relative_to(root))] = ("directory", mode, b"")
        else:
            shown[str(path.relative_to(root))] = ("file", mode, path.read_bytes())
    return shown


def age(root: Path, seconds: int = 3600) -> None:
    """Make every file look as if it had been written long ago."""
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            then = path.stat().st_mtime_ns - seconds * 10**9
            os.utime(path, ns=(then, then))
