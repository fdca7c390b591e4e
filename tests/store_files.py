"""Files as the Hub would describe them, for the store's suites."""

import hashlib

from mlxlock.spec.digest import GitOid, Sha256, git_blob_header
from mlxlock.spec.names import CommitHash, RepoId, RepoPath
from mlxlock.spec.resolution import FileEntry, RemoteFile

DATA = b"the quick brown fox" * 1000


def git_file(data: bytes, path: str = "config.json") -> FileEntry:
    oid = hashlib.sha1(git_blob_header(len(data)) + data).hexdigest()
    return FileEntry(path=RepoPath(path), size_bytes=len(data), git=GitOid(oid))


def lfs_file(data: bytes, path: str = "model.safetensors") -> FileEntry:
    digest = Sha256(hashlib.sha256(data).hexdigest())
    return FileEntry(path=RepoPath(path), size_bytes=len(data), sha256=digest)


def remote(file: FileEntry, repo: str = "org/name") -> RemoteFile:
    return RemoteFile(repo=RepoId(repo), commit=CommitHash("a" * 40), file=file)
