"""What a Hub stores: files, commits, refs, repos.

Owns the values and their identities (git blob ids, LFS pointers, SHA-256, commit ids). Never speaks HTTP
and never decides who may see what.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Literal

from tests.testhub.content import Content, InMemory, OnDisk
from tests.testhub.gitids import blob_hasher, blob_id, commit_id, lfs_pointer, tree_ids

RepoType = Literal["model", "dataset", "space"]
Gate = Literal[False, "auto", "manual"]
Source = bytes | Path | Content

LFS_SUFFIXES = frozenset({".safetensors", ".npz", ".bin", ".gguf", ".pt", ".pth", ".wav", ".zip"})
LFS_FROM_BYTES = 10_000_000
_FIRST_COMMIT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of a commit, hashed once.

    Attributes:
        content: Its bytes.
        sha256: SHA-256 of the bytes.
        oid: Git's id of the blob; for an LFS file that of the pointer, as on the Hub.
        lfs: Whether Git LFS keeps it.
        pointer_size: Length of the pointer in bytes; 0 for a git file.
    """

    content: Content
    sha256: str
    oid: str
    lfs: bool
    pointer_size: int

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self.content.size

    @property
    def etag(self) -> str:
        """What `X-Linked-Etag` announces: SHA-256 for LFS, the git id for the rest."""
        return self.sha256 if self.lfs else self.oid

    @property
    def xet_hash(self) -> str:
        """An id of the right form; the CDN uses it as its own ETag, so that nobody takes that for SHA-256."""
        return hashlib.sha256(f"xet:{self.sha256}".encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A whole tree with its place in history.

    Attributes:
        id: 40 hex digits, as git computes them.
        files: Every file by its POSIX path, sorted.
        trees: Git's tree id of every directory, the root's under `""`.
        date: UTC.
    """

    id: str
    parent: str | None
    files: Mapping[str, File]
    trees: Mapping[str, str]
    title: str
    date: datetime


def lfs(source: Source) -> File:
    """Make a file that Git LFS keeps, whatever its name."""
    content = _content(source)
    sha256, _ = _hash(content)
    pointer = lfs_pointer(sha256, content.size)
    return File(content=content, sha256=sha256, oid=blob_id(pointer), lfs=True, pointer_size=len(pointer))


def plain(source: Source) -> File:
    """Make a file that git itself keeps, whatever its name."""
    content = _content(source)
    sha256, oid = _hash(content)
    return File(content=content, sha256=sha256, oid=oid, lfs=False, pointer_size=0)


def file_named(path: str, source: Source | File) -> File:
    """Make the file the Hub would: weights and everything large go to LFS, the rest to git."""
    if isinstance(source, File):
        return source
    content = _content(source)
    heavy = PurePosixPath(path).suffix.lower() in LFS_SUFFIXES or content.size > LFS_FROM_BYTES
    return lfs(content) if heavy else plain(content)


@dataclass(slots=True, kw_only=True)
class Repo:
    """A repo that grows by commits.

    Attributes:
        id: One segment or two; changes when the repo is renamed.
        refs: Commit by full name (`refs/heads/main`, `refs/tags/v1.0`, `refs/pr/1`).
    """

    id: str
    type: RepoType = "model"
    private: bool = False
    gated: Gate = False
    disabled: bool = False
    license: str | None = None
    refs: dict[str, str] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)

    def commit(
        self, files: Mapping[str, Source | File], *, ref: str | None = "main", title: str = "Update"
    ) -> str:
        """Add a commit that holds exactly `files` and let branch `ref` point at it.

        Args:
            files: Whole tree; what is not here is gone. Bytes, paths and contents become LFS or git files by
                their name and size.
            ref: Branch that moves; None leaves the commit reachable by its id alone.
            title: First line of the message.

        Returns:
            The commit's id, 40 hex digits.
        """
        parent = self.refs.get(f"refs/heads/{ref or 'main'}")
        made = _make_commit(files, parent=parent, title=title, number=len(self.commits))
        self.commits[made.id] = made
        if ref is not None:
            self.refs[f"refs/heads/{ref}"] = made.id
        return made.id

    def branch(self, name: str, commit: str | None = None) -> None:
        """Let branch `name` point at `commit`, by default at the head of main."""
        self.point(f"refs/heads/{name}", commit)

    def tag(self, name: str, commit: str | None = None) -> None:
        """Let tag `name` point at `commit`, by default at the head of main."""
        self.point(f"refs/tags/{name}", commit)

    def pull_request(self, number: int, commit: str | None = None) -> None:
        """Let `refs/pr/<number>` point at `commit`, by default at the head of main."""
        self.point(f"refs/pr/{number}", commit)

    def point(self, ref: str, commit: str | None = None) -> None:
        """Let the full name `ref` point at `commit`, by default at the head of main.

        Raises:
            KeyError: The repo has no such commit.
        """
        self.refs[ref] = self.commits[commit or self.refs["refs/heads/main"]].id

    def forget(self, commit: str) -> None:
        """Lose a commit, as a force-push or a squash does. No ref may point at it any more."""
        assert commit not in self.refs.values(), f"{commit} is still the target of a ref"
        del self.commits[commit]

    def find(self, revision: str) -> Commit | None:
        """Return the commit that `HEAD`, a tag, a branch, a full ref, an id or the start of one names."""
        for name in (revision, f"refs/tags/{revision}", f"refs/heads/{revision}"):
            if name in self.refs:
                return self.commits[self.refs[name]]
        if revision == "HEAD":
            return self.find("main")
        if not re.fullmatch(r"[0-9a-f]{7,40}", revision):
            return None
        found = [commit for commit_id_, commit in self.commits.items() if commit_id_.startswith(revision)]
        return found[0] if len(found) == 1 else None

    def history(self, commit: Commit) -> Iterator[Commit]:
        """Yield `commit` and what came before it, newest first."""
        step: Commit | None = commit
        while step is not None:
            yield step
            step = self.commits.get(step.parent) if step.parent else None


def _make_commit(
    sources: Mapping[str, Source | File], *, parent: str | None, title: str, number: int
) -> Commit:
    files = {path: file_named(path, sources[path]) for path in sorted(sources)}
    trees = tree_ids({path: file.oid for path, file in files.items()})
    date = _FIRST_COMMIT + timedelta(hours=number)
    return Commit(
        id=commit_id(tree=trees[""], parent=parent, title=title, timestamp=int(date.timestamp())),
        parent=parent,
        files=MappingProxyType(files),
        trees=MappingProxyType(trees),
        title=title,
        date=date,
    )


def _content(source: Source) -> Content:
    if isinstance(source, bytes):
        return InMemory(source)
    if isinstance(source, Path):
        return OnDisk(path=source.resolve(), size=source.stat().st_size)
    return source


def _hash(content: Content) -> tuple[str, str]:
    """Return SHA-256 and git's blob id after one pass over the bytes."""
    sha256, git = hashlib.sha256(), blob_hasher(content.size)
    for piece in content.chunks(0, content.size):
        sha256.update(piece)
        git.update(piece)
    return sha256.hexdigest(), git.hexdigest()
