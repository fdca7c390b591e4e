"""The Hub's JSON and headers, made from a `Resolution` alone.

Owns the field names and header names that clients read. Pure: what is not in the resolution is left out or,
where clients insist, follows from what is (an LFS file's pointer and its git id). No Xet, no redirect.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

from mlxlock.hub.routes import Asked
from mlxlock.spec.digest import git_blob_header
from mlxlock.spec.resolution import FileEntry, Resolution

Json = dict[str, object]
_EXPANDABLE_ALWAYS: Final = frozenset({"_id", "id"})


def describe(resolution: Resolution, asked: Asked) -> Json:
    """What `/api/models/{repo}` says: everything, or what `expand` names."""
    full = asked.flag("blobs")
    described: Json = {
        "_id": resolution.commit[:24],
        "id": resolution.canonical or resolution.repo,
        "author": resolution.repo.partition("/")[0] if "/" in resolution.repo else None,
        "sha": resolution.commit,
        "private": False,
        "gated": "auto" if resolution.gated else False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": [f"license:{resolution.license}"] if resolution.license else [],
        "cardData": {"license": resolution.license} if resolution.license else {},
        "siblings": [_sibling(file) if full else {"rfilename": file.path} for file in resolution.files],
    }
    if resolution.date is not None:
        described["lastModified"] = described["createdAt"] = f"{resolution.date}T00:00:00.000Z"
    if resolution.repo_type == "model":
        described["modelId"] = described["id"]
    wanted = asked.query.get("expand")
    if wanted is None:
        return described
    return {name: described[name] for name in described if name in {*_EXPANDABLE_ALWAYS, *wanted}}


def list_tree(resolution: Resolution, folder: str, *, recursive: bool) -> list[Json] | None:
    """The entries below a directory, each directory before what it holds; None when there is no such one."""
    prefix = f"{folder}/" if folder else ""
    below = {path: file for path, file in _everything(resolution).items() if path.startswith(prefix)}
    if folder and not below:
        return None
    return [
        _entry(resolution, path, file)
        for path, file in below.items()
        if recursive or "/" not in path.removeprefix(prefix)
    ]


def list_paths(resolution: Resolution, wanted: Iterable[str]) -> list[Json]:
    """The entries of those paths that exist, files and directories."""
    known = _everything(resolution)
    return [_entry(resolution, path, known[path]) for path in dict.fromkeys(wanted) if path in known]


def list_refs(resolution: Resolution) -> Json:
    """The one branch that was resolved: others are not this commit's business."""
    branch = {"name": "main", "ref": "refs/heads/main", "targetCommit": resolution.commit}
    return {"branches": [branch], "tags": [], "converts": [], "pullRequests": []}


def file_headers(resolution: Resolution, file: FileEntry) -> dict[str, str]:
    """What `resolve` says of a file, beside its length."""
    etag = f'"{file.etag}"'
    return {
        "X-Repo-Commit": resolution.commit,
        "ETag": etag,
        "X-Linked-ETag": etag,
        "X-Linked-Size": str(file.size_bytes),
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream",
        "Content-Disposition": "inline",
    }


def _sibling(file: FileEntry) -> Json:
    sibling: Json = {"rfilename": file.path, "blobId": _git_id(file), "size": file.size_bytes}
    if file.git is None:
        size = len(_pointer(file))
        sibling["lfs"] = {"sha256": file.sha256, "size": file.size_bytes, "pointerSize": size}
    return sibling


def _entry(resolution: Resolution, path: str, file: FileEntry | None) -> Json:
    if file is None:
        # Git's own id of a directory would need file modes, which nobody told us; clients do not read it.
        oid = _sha1(f"{resolution.commit}:{path}".encode())
        return {"type": "directory", "oid": oid, "size": 0, "path": path}
    entry: Json = {"type": "file", "oid": _git_id(file), "size": file.size_bytes, "path": path}
    if file.git is None:
        size = len(_pointer(file))
        entry["lfs"] = {"oid": file.sha256, "size": file.size_bytes, "pointerSize": size}
    return entry


def _everything(resolution: Resolution) -> dict[str, FileEntry | None]:
    """Every path with its file, or None for a directory, each directory before what it holds."""
    found: dict[str, FileEntry | None] = {}
    for file in resolution.files:
        for folder in file.path.parents:
            found.setdefault(folder, None)
        found[file.path] = file
    return found


def _pointer(file: FileEntry) -> bytes:
    """The pointer that git holds instead of an LFS file."""
    return (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{file.sha256}\nsize {file.size_bytes}\n"
    ).encode()


def _git_id(file: FileEntry) -> str:
    if file.git is not None:
        return file.git
    pointer = _pointer(file)
    return _sha1(git_blob_header(len(pointer)) + pointer)


def _sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()
