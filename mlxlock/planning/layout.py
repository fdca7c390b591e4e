"""Lays a lockfile out: every path the workspace must have, and what must be there.

Owns the shape of the workspace (formats.md §3). Never looks at a disk.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from blake3 import blake3

from mlxlock.errors import LockfileError
from mlxlock.spec import sentinel
from mlxlock.spec.digest import Blake3, Sha256, content_hash
from mlxlock.spec.lockfile import Artifact, LockedModel
from mlxlock.spec.names import CommitHash, RepoId, RepoPath, RepoType, Revision
from mlxlock.spec.resolution import FileEntry
from mlxlock.spec.sentinel import SENTINEL_NAME, Sentinel, is_hashed, lasting_part

CACHE_DIR: Final = sentinel.CACHE_DIR
HUB_DIR: Final = f"{CACHE_DIR}/hub"
HOMES: Final = (f"{CACHE_DIR}/home", f"{CACHE_DIR}/xdg")
"""Where a program takes its user to be at home."""
CACHEDIR_TAG: Final = (
    b"Signature: 8a477f597d28d172789f06886806bc55\n"
    b"# This directory can be rebuilt by `mlxk sync`, see https://bford.info/cachedir/\n"
)
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
        advisory: Its presence is enough, whatever it says (huggingface_hub writes CACHEDIR.TAG too).
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
        """Of all it says but when, by which version and by which verb it was written."""
        lasting = lasting_part(self.sentinel.lasting())
        return Blake3(blake3(json.dumps(lasting, sort_keys=True).encode()).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkNode:
    """A relative symlink."""

    target: str


Node = FileNode | TextNode | SentinelNode | LinkNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Every path the workspace must have, relative to its root; directories are implied.

    Attributes:
        closed: Directories of models: a library may load whatever else stands there.
    """

    nodes: Mapping[RepoPath, Node]
    closed: tuple[str, ...] = ()

    def files(self) -> Iterator[tuple[RepoPath, FileNode]]:
        """Each file that comes from the store."""
        for path, node in self.nodes.items():
            if isinstance(node, FileNode):
                yield path, node


def lay_out(models: Iterable[LockedModel]) -> Tree:
    """Every path that these models need in one workspace.

    Args:
        models: Locked models that obey `invariants`; all their files seen.

    Raises:
        LockfileError: A file was never seen, so its content has no name in the store.
    """
    chosen = sorted(models, key=lambda model: model.name)
    nodes: dict[str, Node] = {f"{HUB_DIR}/CACHEDIR.TAG": TextNode(content=CACHEDIR_TAG, advisory=True)}
    for model in chosen:
        nodes.update(_model_nodes(model))
        _add(nodes, _declared_cache_nodes(model))
    for model in chosen:
        for artifact in model.artifacts:
            _add(nodes, _artifact_nodes(artifact, f"{model.name}: {artifact.repo}"))
        _add(nodes, _effect_nodes(model))
    _add(nodes, _ref_nodes(chosen))
    return Tree(
        nodes={RepoPath(path): nodes[path] for path in sorted(nodes)},
        closed=tuple(model.directory for model in chosen),
    )


def _add(nodes: dict[str, Node], more: Iterable[tuple[str, Node]]) -> None:
    """Add what is not there yet: a declared model's files stand before an artifact's copies of them."""
    for path, node in more:
        nodes.setdefault(path, node)


def _file_node(file: FileEntry, source: str) -> FileNode:
    return FileNode(file=file, source=source, large=is_large(file.path, file.size_bytes))


def is_large(path: RepoPath, size_bytes: int) -> bool:
    """Whether a file is worth a hard link: weights and anything over 8 MiB; people edit the others."""
    return size_bytes >= LARGE_BYTES or path.suffix in WEIGHT_SUFFIXES


def _model_nodes(model: LockedModel) -> Iterator[tuple[str, Node]]:
    for file in model.files:
        yield f"{model.directory}/{file.path}", _file_node(file, model.name)
    yield f"{model.directory}/{SENTINEL_NAME}", SentinelNode(sentinel=_sentinel(model))


def _sentinel(model: LockedModel) -> Sentinel:
    hashes: dict[str, Sha256] = {
        file.path: _seen_sha256(file, model.name) for file in model.files if is_hashed(file.path)
    }
    return Sentinel(
        source_repo=model.repo,
        source_revision=model.commit,
        operation="sync",
        content_hash=content_hash(hashes),
    )


def _seen_sha256(file: FileEntry, source: str) -> Sha256:
    _file_node(file, source).identity  # noqa: B018 - raises for a file that was never seen
    assert file.sha256 is not None  # noqa: S101 - seen files have both hashes
    return file.sha256


def _snapshot(repo: RepoId, repo_type: RepoType, commit: CommitHash, path: RepoPath) -> str:
    return f"{HUB_DIR}/{repo.cache_folder(repo_type)}/snapshots/{commit}/{path}"


def _declared_cache_nodes(model: LockedModel) -> Iterator[tuple[str, Node]]:
    """A declared model under its repo id: links to the files in its directory, at no space."""
    for file in model.files:
        link = _snapshot(model.repo, "model", model.commit, file.path)
        up = "../" * link.count("/")
        yield link, LinkNode(target=f"{up}{model.directory}/{file.path}")


def _artifact_nodes(artifact: Artifact, source: str) -> Iterator[tuple[str, Node]]:
    folder = f"{HUB_DIR}/{artifact.repo.cache_folder(artifact.repo_type)}"
    for file in artifact.files:
        yield f"{folder}/blobs/{file.etag}", _file_node(file, source)
        up = "../" * (2 + file.path.count("/"))
        link = _snapshot(artifact.repo, artifact.repo_type, artifact.commit, file.path)
        yield link, LinkNode(target=f"{up}blobs/{file.etag}")
    for path in artifact.absent:
        yield f"{folder}/.no_exist/{artifact.commit}/{path}", TextNode(content=b"")


def _effect_nodes(model: LockedModel) -> Iterator[tuple[str, Node]]:
    """What first runs left outside the Hub's own cache; in a program's home it is the program's to write."""
    for path, node in _effects(model):
        at_home = path.startswith(tuple(f"{home}/" for home in HOMES))
        yield path, replace(node, large=False) if at_home and isinstance(node, FileNode) else node


def _effects(model: LockedModel) -> Iterator[tuple[str, Node]]:
    effects, contents = model.effects, model.contents()
    for download in effects.downloads:
        if download.path is not None:
            yield f"{CACHE_DIR}/{download.path}", _file_node(download.file, f"{model.name}: {download.url}")
    for _, member in effects.members:
        yield f"{CACHE_DIR}/{member.path}", _file_node(member.file, f"{model.name}: {member.name}")
    for copy in effects.copies:
        original = contents.get(copy.blake3)
        place = f"{CACHE_DIR}/{copy.path}"
        if original is None:
            yield place, TextNode(content=b"")
        else:
            file = replace(original, path=copy.path)
            yield place, _file_node(file, f"{model.name}: a copy of {original.path}")
    for write in effects.writes:
        yield f"{CACHE_DIR}/{write.path}", _file_node(write, f"{model.name}: its first run")


def _ref_nodes(models: Iterable[LockedModel]) -> Iterator[tuple[str, Node]]:
    """`refs/<revision>` of everything, and `refs/main` where nobody else claims it."""
    claims: dict[tuple[str, str], CommitHash] = {}
    commits: dict[str, set[CommitHash]] = {}
    for folder, revision, commit in _revisions(models):
        commits.setdefault(folder, set()).add(commit)
        if not revision.is_commit:
            claims[folder, revision] = commit
    crowded = {folder for folder, name in claims if name.startswith("main/")}
    for folder, meant in commits.items():
        if len(meant) == 1 and folder not in crowded:
            claims.setdefault((folder, "main"), next(iter(meant)))
    for (folder, revision_name), commit in claims.items():
        yield f"{HUB_DIR}/{folder}/refs/{revision_name}", TextNode(content=commit.encode(), ref=True)


def _revisions(models: Iterable[LockedModel]) -> Iterator[tuple[str, Revision, CommitHash]]:
    for model in models:
        yield model.repo.cache_folder(), model.resolved_revision, model.commit
        for artifact in model.artifacts:
            yield artifact.repo.cache_folder(artifact.repo_type), artifact.revision, artifact.commit
