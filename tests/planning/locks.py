"""Small locks for the planning suites: real hashes, made-up bytes."""

import hashlib

from blake3 import blake3

from mlxlock.planning.assemble import snapshot_of
from mlxlock.spec.digest import Blake3, GitOid, Sha256, git_blob_header
from mlxlock.spec.lockfile import Artifact, LockedModel, Request
from mlxlock.spec.names import CommitHash, ModelName, RepoId, RepoPath, Revision
from mlxlock.spec.resolution import FileEntry

COMMIT = CommitHash("a" * 40)
OTHER = CommitHash("b" * 40)


def seen(path: str, data: bytes = b"x", *, lfs: bool = False) -> FileEntry:
    oid = hashlib.sha1(git_blob_header(len(data)) + data).hexdigest()
    return FileEntry(
        path=RepoPath(path),
        size_bytes=len(data),
        git=None if lfs else GitOid(oid),
        sha256=Sha256(hashlib.sha256(data).hexdigest()),
        blake3=Blake3(blake3(data).hexdigest()),
    )


def artifact(
    repo: str = "org/tok",
    *files: FileEntry,
    revision: str = "main",
    commit: CommitHash = OTHER,
    absent: tuple[str, ...] = (),
) -> Artifact:
    return Artifact(
        repo=RepoId(repo),
        revision=Revision(revision),
        commit=commit,
        files=files,
        absent=tuple(map(RepoPath, absent)),
    )


def model(
    name: str = "chat",
    repo: str = "org/chat",
    *files: FileEntry,
    revision: str = "main",
    commit: CommitHash = COMMIT,
    artifacts: tuple[Artifact, ...] = (),
) -> LockedModel:
    content = files or (seen("config.json", b"{}"), seen("model.safetensors", b"w" * 10, lfs=True))
    return LockedModel(
        name=ModelName(name),
        repo=RepoId(repo),
        request=Request(revision=Revision(revision)),
        commit=commit,
        snapshot=snapshot_of(content, date=None, license_id=None),
        files=content,
        artifacts=artifacts,
    )
