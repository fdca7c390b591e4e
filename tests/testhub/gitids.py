"""Object ids exactly as git and Git LFS compute them.

Owns the arithmetic only: bytes and ids in, ids out. Never reads a file, never knows what a Hub is.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Protocol


class Hasher(Protocol):
    """What hashlib's objects have in common."""

    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


def blob_hasher(size: int) -> Hasher:
    """Return a SHA-1 that has already taken git's header for a blob of `size` bytes."""
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)


def blob_id(data: bytes) -> str:
    """Return the id git gives a file holding `data`."""
    hasher = blob_hasher(len(data))
    hasher.update(data)
    return hasher.hexdigest()


def lfs_pointer(sha256: str, size: int) -> bytes:
    """Return the text git stores in place of a file of `size` bytes that Git LFS keeps."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def tree_ids(blobs: Mapping[str, str]) -> dict[str, str]:
    """Return the tree id of every directory, the root's under `""`.

    Args:
        blobs: Blob id of every file by its POSIX path.
    """
    ids: dict[str, str] = {}
    for directory in sorted(_directories(blobs), key=lambda path: path.count("/") + bool(path), reverse=True):
        ids[directory] = _object_id("tree", _tree_body(directory, blobs, ids))
    return ids


def commit_id(*, tree: str, parent: str | None, title: str, timestamp: int) -> str:
    """Return the id of a commit made by the Hub itself, `timestamp` in seconds of UTC."""
    who = f"Loopback Hub <hub@localhost> {timestamp} +0000"
    lines = [f"tree {tree}", *([f"parent {parent}"] if parent else []), f"author {who}", f"committer {who}"]
    return _object_id("commit", ("\n".join(lines) + f"\n\n{title}\n").encode())


def parents(path: str) -> list[str]:
    """Return the directories above `path`, outermost first, without the root."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]


def _object_id(kind: str, body: bytes) -> str:
    return hashlib.sha1(f"{kind} {len(body)}\0".encode() + body, usedforsecurity=False).hexdigest()


def _directories(paths: Iterable[str]) -> set[str]:
    return {"", *(directory for path in paths for directory in parents(path))}


def _tree_body(directory: str, blobs: Mapping[str, str], trees: Mapping[str, str]) -> bytes:
    entries = [(_name(path) + "/", "40000", oid) for path, oid in trees.items() if _is_in(path, directory)]
    entries += [(_name(path), "100644", oid) for path, oid in blobs.items() if _is_in(path, directory)]
    # git sorts a directory as if its name ended with a slash
    lines = sorted((key.encode(), mode, oid) for key, mode, oid in entries)
    return b"".join(
        f"{mode} ".encode() + key.rstrip(b"/") + b"\0" + bytes.fromhex(oid) for key, mode, oid in lines
    )


def _is_in(path: str, directory: str) -> bool:
    return path != "" and path.rpartition("/")[0] == directory


def _name(path: str) -> str:
    return path.rpartition("/")[2]
