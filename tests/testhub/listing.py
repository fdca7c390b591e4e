"""The JSON by which the Hub describes repos, files, refs and commits.

Owns the field names. Never decides access and never reads a request.
"""

from collections.abc import Iterator
from datetime import datetime

from tests.testhub.gitids import parents
from tests.testhub.repos import Commit, File, Repo

Json = dict[str, object]


def describe_repo(repo: Repo, commit: Commit, *, blobs: bool, hashes: bool, security: bool) -> Json:
    """Return what `/api/models/{repo}` says.

    Args:
        repo: The repo.
        commit: Where the asked revision stands.
        blobs: Whether siblings were asked for with sizes and hashes.
        hashes: Whether the server is willing to tell them.
        security: Whether the scan status was asked for.
    """
    described: Json = {
        "_id": commit.id[:24],
        "id": repo.id,
        "author": repo.id.split("/")[0] if "/" in repo.id else None,
        "sha": commit.id,
        "lastModified": timestamp(commit.date),
        "createdAt": timestamp(min(known.date for known in repo.commits.values())),
        "private": repo.private,
        "gated": repo.gated,
        "disabled": repo.disabled,
        "downloads": 0,
        "likes": 0,
        "tags": [f"license:{repo.license}"] if repo.license else [],
        "cardData": {"license": repo.license} if repo.license else {},
        "siblings": [_sibling(path, file, full=blobs and hashes) for path, file in commit.files.items()],
        "usedStorage": sum(file.size for file in commit.files.values()),
    }
    scanned: Json = {"securityRepoStatus": {"scansDone": True, "filesWithIssues": []}} if security else {}
    return described | _only_for(repo) | scanned


def describe_tree(commit: Commit, below: str, *, recursive: bool, expand: bool, xet: bool) -> list[Json]:
    """Return the entries below a directory (`""` is the root), each directory before what it holds."""
    prefix = f"{below}/" if below else ""
    return [
        describe_path(commit, path, expand=expand, xet=xet)
        for path in _paths(commit)
        if path.startswith(prefix) and (recursive or "/" not in path[len(prefix) :])
    ]


def describe_path(commit: Commit, path: str, *, expand: bool, xet: bool) -> Json:
    """Return the entry of a file or directory that exists."""
    file = commit.files.get(path)
    if file is None:
        return {"type": "directory", "oid": commit.trees[path], "size": 0, "path": path} | _expanded(
            commit, expand
        )
    entry: Json = {"type": "file", "oid": file.oid, "size": file.size, "path": path}
    if file.lfs:
        entry["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": file.pointer_size}
        entry |= {"xetHash": file.xet_hash} if xet else {}
    return entry | _expanded(commit, expand) | ({"securityFileStatus": _SAFE} if expand else {})


def describe_refs(repo: Repo, *, pull_requests: bool) -> Json:
    """Return branches, tags and, when asked for, pull requests."""
    described: Json = {
        "branches": _refs(repo, "refs/heads/"),
        "tags": _refs(repo, "refs/tags/"),
        "converts": _refs(repo, "refs/convert/"),
    }
    return described | ({"pullRequests": _refs(repo, "refs/pr/")} if pull_requests else {})


def describe_commits(repo: Repo, commit: Commit) -> list[Json]:
    """Return the history of a commit, newest first."""
    authors = [{"user": "loopback", "_id": "0" * 24}]
    return [
        {"id": step.id, "title": step.title, "message": "", "authors": authors, "date": timestamp(step.date)}
        for step in repo.history(commit)
    ]


def timestamp(date: datetime) -> str:
    """Return a UTC time as the Hub writes it."""
    return date.strftime("%Y-%m-%dT%H:%M:%S.000Z")


_SAFE: Json = {
    "status": "safe",
    "avScan": {"status": "safe", "virusFound": False, "virusNames": None},
    "pickleImportScan": None,
    "jFrogScan": {"status": "unscanned"},
    "protectAiScan": {"status": "unscanned"},
}


def _only_for(repo: Repo) -> Json:
    match repo.type:
        case "model":
            return {"modelId": repo.id, "library_name": "mlx", "pipeline_tag": "text-generation"}
        case "dataset":
            return {"description": ""}
        case "space":
            return {"sdk": "static", "subdomain": repo.id.replace("/", "-")}


def _sibling(path: str, file: File, *, full: bool) -> Json:
    if not full:
        return {"rfilename": path}
    sibling: Json = {"rfilename": path, "blobId": file.oid, "size": file.size}
    if file.lfs:
        sibling["lfs"] = {"sha256": file.sha256, "size": file.size, "pointerSize": file.pointer_size}
    return sibling


def _paths(commit: Commit) -> Iterator[str]:
    seen = set[str]()
    for path in commit.files:
        for directory in parents(path):
            if directory not in seen:
                seen.add(directory)
                yield directory
        yield path


def _expanded(commit: Commit, expand: bool) -> Json:
    last = {"id": commit.id, "title": commit.title, "date": timestamp(commit.date)}
    return {"lastCommit": last} if expand else {}


def _refs(repo: Repo, prefix: str) -> list[Json]:
    return [
        {"name": name.removeprefix(prefix), "ref": name, "targetCommit": commit}
        for name, commit in sorted(repo.refs.items())
        if name.startswith(prefix)
    ]
