"""The contents of files: `/resolve`, the resolve-cache for git files, the CDN for LFS files.

Owns the redirects and the headers that identify a file. Ranges are cut afterwards, by `messages`.
"""

import re
import time
from pathlib import PurePosixPath
from urllib.parse import quote, urlsplit

from tests.testhub.messages import Incoming, RefusalError, Reply, text_reply
from tests.testhub.repos import Commit, File, Repo
from tests.testhub.state import State, commit_of, refuse, signature
from tests.testhub.target import Target

_SIGNED = re.compile(
    r"(?P<signed>[^?]+/(?P<sha256>[0-9a-f]{64})\?.*&Expires=(?P<expires>\d+))&Signature=(?P<sig>\w+)&.*"
)
_TEXT_SUFFIXES = {".txt", ".md", ".py", ".jinja", ".yaml", ".yml", ".jsonl"}


def answer_resolve(state: State, incoming: Incoming, target: Target) -> Reply:
    """Answer `/{repo}/resolve/{revision}/{path}`: a redirect to where the bytes are.

    A 307 to this server's own resolve-cache for a git file, a 302 to the CDN for an LFS file.
    """
    repo = state.readable(incoming, target.repo_type, target.repo_id)
    commit = commit_of(repo, target.revision)
    file = _entry(commit, target.path)
    headers = {"X-Repo-Commit": commit.id, "X-Linked-Etag": f'"{file.etag}"', "Accept-Ranges": "bytes"}
    headers |= _lfs_headers(state, repo, commit, file) if file.lfs else {}
    if not state.manners.redirects:
        return _body(target.path, file).having(headers | {"ETag": f'"{file.etag}"'})
    if file.lfs:
        location = state.sign(repo, file, PurePosixPath(target.path).name)
        return text_reply(
            f"Found. Redirecting to {location}", status=302, headers=headers | {"Location": location}
        )
    location = _resolve_cache_url(repo, commit, target.path, file)
    text = f"Temporary Redirect. Redirecting to {location}"
    return text_reply(text, status=307, headers=headers | {"Location": location})


def answer_resolve_cache(state: State, incoming: Incoming, target: Target) -> Reply:
    """Answer `/api/resolve-cache/...`: the bytes of a git file."""
    repo = state.readable(incoming, target.repo_type, target.repo_id)
    commit = commit_of(repo, target.revision)
    file = _entry(commit, target.path)
    return _body(target.path, file).having({"ETag": f'"{file.oid}"', "X-Repo-Commit": commit.id})


def answer_cdn(state: State, incoming: Incoming) -> Reply:
    """Answer a signed URL: the bytes of an LFS file. The CDN's ETag is not the file's SHA-256."""
    signed = _SIGNED.fullmatch(incoming.target)
    if signed is None or signature(signed["signed"]) != signed["sig"] or int(signed["expires"]) < time.time():
        return text_reply("<Error><Code>AccessDenied</Code></Error>", status=403)
    file = state.stored(signed["sha256"])
    if file is None:
        return text_reply("<Error><Code>NoSuchKey</Code></Error>", status=404)
    return _body(urlsplit(incoming.target).path, file).having({"ETag": f'"{file.xet_hash}"'})


def _entry(commit: Commit, path: str) -> File:
    file = commit.files.get(path)
    if file is None:
        more = {"X-Repo-Commit": commit.id}
        raise RefusalError(refuse(404, code="EntryNotFound", message="Entry not found", more=more))
    return file


def _lfs_headers(state: State, repo: Repo, commit: Commit, file: File) -> dict[str, str]:
    headers = {"X-Linked-Size": str(file.size)}
    if state.manners.xet:
        refresh = f"{state.endpoint}/api/{repo.type}s/{repo.id}/xet-read-token/{commit.id}"
        headers |= {"X-Xet-Hash": file.xet_hash, "Link": f'<{refresh}>; rel="xet-auth"'}
    return headers


def _resolve_cache_url(repo: Repo, commit: Commit, path: str, file: File) -> str:
    folder = f"/api/resolve-cache/{repo.type}s/{repo.id}/{commit.id}"
    prefix = "" if repo.type == "model" else f"{repo.type}s/"
    asked = quote(f"/{prefix}{repo.id}/resolve/{commit.id}/{path}", safe="")
    return f"{folder}/{quote(path, safe='')}?{asked}=&etag=%22{file.oid}%22"


def _body(path: str, file: File) -> Reply:
    headers = {"Content-Type": _media_type(path), "Accept-Ranges": "bytes"}
    return Reply(status=200, headers=headers, body=file.content, ranged=True)


def _media_type(path: str) -> str:
    suffix = PurePosixPath(path).suffix
    if suffix == ".json":
        return "application/json"
    return "text/plain; charset=utf-8" if suffix in _TEXT_SUFFIXES else "application/octet-stream"
