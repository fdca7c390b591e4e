"""The answers to the Hub's reads: metadata from a resolution, bytes from the store.

Owns which status and headers each read gets, and that parts of files are sent only from verified blobs. Knows
no prefix and writes nothing down.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qs, quote, urlencode

from mlxlock.errors import (
    AuthError,
    GatedError,
    MlxlockError,
    OfflineMissingError,
    RepoNotFoundError,
    RevisionNotFoundError,
)
from mlxlock.hub.answers import Json, describe, file_headers, list_paths, list_refs, list_tree
from mlxlock.hub.flows import Flow, Flows
from mlxlock.hub.loopback import Reply, Request, Slice
from mlxlock.hub.pinning import Pinning
from mlxlock.hub.ranges import UnsatisfiableError, wanted_part
from mlxlock.hub.routes import Asked
from mlxlock.ports import Blob, BlobStore, OnEvent, Source, Withhold, withhold_nothing
from mlxlock.spec.names import CommitHash, RepoPath
from mlxlock.spec.resolution import FileEntry, Resolution

_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_CANNOT: Final = 424
"""Something behind us failed. Clients try a 5xx again and again, and this has been tried enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A reply, and what there is to write down about it.

    Attributes:
        commit: What was served, as far as it got.
        path: The file, for `resolve`.
        denied: Why nothing was served, when that was a refusal and not an answer.
        failure: What stood in the way, for the parent to tell.
        flow: The file, while it is on its way.
    """

    reply: Reply
    commit: CommitHash | None = None
    path: RepoPath | None = None
    denied: str | None = None
    failure: MlxlockError | None = None
    flow: Flow | None = None


class Reads:
    """Answers reads.

    Args:
        pinning: What revisions mean.
        source: Brings what the store lacks.
        store: Where every served byte comes from.
        on_event: Hears of fetches.
        withhold: Says why a file is not given away; listings do not show it then.
    """

    def __init__(
        self,
        pinning: Pinning,
        source: Source,
        store: BlobStore,
        on_event: OnEvent,
        withhold: Withhold = withhold_nothing,
    ) -> None:
        self._pinning = pinning
        self._withhold = withhold
        self._store = store
        self._flows = Flows(source, store, on_event)

    def fetching_s(self) -> float:
        """For how many seconds, so far, a file was on its way."""
        return self._flows.busy_s()

    def answer(self, asked: Asked, request: Request, base: str) -> Answer:
        """Answer one read.

        Args:
            asked: What it is about.
            request: For its method, headers and body.
            base: What comes before `/api` in the URLs of further pages.
        """
        try:
            resolution = self._pinning.resolution(asked)
        except MlxlockError as error:
            return _unresolved(error)
        match asked.verb:
            case "resolve":
                return self._file(resolution, asked, request)
            case "tree":
                return _tree(self._shown(resolution), asked, base)
            case "paths-info":
                return _paths(self._shown(resolution), request)
            case "refs":
                return _found(resolution, list_refs(resolution))
            case "info":
                return _found(resolution, describe(self._shown(resolution), asked))

    def _shown(self, resolution: Resolution) -> Resolution:
        """Without what is withheld: who fetches all that is listed must not stumble over it."""
        files = tuple(file for file in resolution.files if self._withhold(file.path) is None)
        return resolution if len(files) == len(resolution.files) else replace(resolution, files=files)

    def _file(self, resolution: Resolution, asked: Asked, request: Request) -> Answer:
        file = next((file for file in resolution.files if file.path == asked.path), None)
        if file is None:
            return (
                _no_entry(resolution, asked) if resolution.lacks(asked.path) else _unknown(resolution, asked)
            )
        why = self._withhold(file.path)
        if why is not None:
            reply = refusal(403, message=why)
            return Answer(reply=reply, commit=resolution.commit, path=file.path, denied=why)
        headers = file_headers(resolution, file)
        if request.method == "HEAD":
            reply = Reply(status=200, headers=headers, length=file.size_bytes)
            return Answer(reply=reply, commit=resolution.commit, path=file.path)
        try:
            part = wanted_part(request.headers.get("range"), file.size_bytes)
        except UnsatisfiableError:
            reply = Reply(status=416, headers={**headers, "Content-Range": f"bytes */{file.size_bytes}"})
            return Answer(reply=reply, commit=resolution.commit, path=file.path)
        try:
            return self._sent(resolution, file, part)
        except MlxlockError as error:
            return _unfetched(error, resolution, file)

    def _sent(self, resolution: Resolution, file: FileEntry, part: tuple[int, int] | None) -> Answer:
        """The file from the store, or as it comes when neither that nor the user's own cache has it.

        Raises:
            MlxlockError: It cannot be had.
        """
        headers = file_headers(resolution, file)
        blob = self._store.find(file)
        if blob is None:
            flow = self._flows.of(resolution.remote(file))
            if part is None and flow.begun():
                reply = Reply(status=200, headers=headers, body=flow)
                return Answer(reply=reply, commit=resolution.commit, path=file.path, flow=flow)
            blob = flow.blob()
        return Answer(reply=_sliced(blob, part, headers), commit=resolution.commit, path=file.path)


def _sliced(blob: Blob, part: tuple[int, int] | None, headers: Mapping[str, str]) -> Reply:
    if part is None:
        return Reply(
            status=200, headers=headers, body=Slice(path=blob.path, offset=0, size_bytes=blob.size_bytes)
        )
    start, end = part
    told = {**headers, "Content-Range": f"bytes {start}-{end - 1}/{blob.size_bytes}"}
    return Reply(status=206, headers=told, body=Slice(path=blob.path, offset=start, size_bytes=end - start))


def _tree(resolution: Resolution, asked: Asked, base: str) -> Answer:
    entries = list_tree(resolution, asked.path.strip("/"), recursive=asked.flag("recursive"))
    if entries is None:
        return _no_entry(resolution, asked)
    start, limit = _number(asked.first("cursor"), 0), _number(asked.first("limit"), len(entries))
    stop = start + limit
    more = {} if stop >= len(entries) or limit == 0 else {"Link": f'<{_page(asked, base, stop)}>; rel="next"'}
    return _found(resolution, entries[start:stop], more)


def _page(asked: Asked, base: str, start: int) -> str:
    query = {**asked.query, "cursor": (str(start),)}
    path = f"{quote(asked.revision, safe='')}/{quote(asked.path, safe='')}".rstrip("/")
    return f"{base}/api/{asked.repo_type}s/{asked.repo}/tree/{path}?{urlencode(query, doseq=True)}"


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else otherwise


def _paths(resolution: Resolution, request: Request) -> Answer:
    try:
        wanted = _wanted_paths(request)
    except (ValueError, KeyError, TypeError, RecursionError):
        reply = refusal(400, message="paths-info takes a form or JSON with `paths`")
        return Answer(reply=reply, denied="a malformed request for paths")
    return _found(resolution, list_paths(resolution, wanted))


def _wanted_paths(request: Request) -> list[str]:
    if "json" in request.headers.get("content-type", ""):
        return [str(path) for path in json.loads(request.body)["paths"]]
    return parse_qs(request.body.decode()).get("paths", [])


def _found(
    resolution: Resolution, document: Json | list[Json], headers: Mapping[str, str] = _NO_HEADERS
) -> Answer:
    told = {"Content-Type": "application/json; charset=utf-8", **headers}
    return Answer(
        reply=Reply(status=200, headers=told, body=json.dumps(document).encode()), commit=resolution.commit
    )


def _no_entry(resolution: Resolution, asked: Asked) -> Answer:
    try:
        path = RepoPath(asked.path) if asked.verb == "resolve" else None
    except ValueError:
        path = None
    reply = refusal(
        404,
        code="EntryNotFound",
        message=f"{asked.path} does not exist on {asked.revision}",
        headers={"X-Repo-Commit": resolution.commit},
    )
    return Answer(reply=reply, commit=resolution.commit, path=path)


def _unknown(resolution: Resolution, asked: Asked) -> Answer:
    """The commit may have the file, and the Hub may not be asked."""
    error = OfflineMissingError(
        f"`{asked.path}` of `{resolution.repo}` is not in the lock, and the Hub may not be asked",
        hint="run it once with a network",
    )
    no_entry, refused = _no_entry(resolution, asked), _refused(error)
    return replace(refused, commit=resolution.commit, path=no_entry.path)


def _unresolved(error: MlxlockError) -> Answer:
    """Say it as the Hub would. That a repo is not there is an answer; that we may not look is a refusal."""
    match error:
        case RevisionNotFoundError():
            return Answer(reply=refusal(404, code="RevisionNotFound", message=error.reason))
        case RepoNotFoundError():
            return Answer(reply=refusal(404, code="RepoNotFound", message=error.reason))
        case OfflineMissingError():
            reply = refusal(404, code="RepoNotFound", message=error.reason)
            return Answer(reply=reply, denied=error.reason, failure=error)
        case _:
            return _refused(error)


def _unfetched(error: MlxlockError, resolution: Resolution, file: FileEntry) -> Answer:
    refused = _refused(error)
    return Answer(
        reply=refused.reply,
        commit=resolution.commit,
        path=file.path,
        denied=refused.denied,
        failure=error,
    )


def _refused(error: MlxlockError) -> Answer:
    match error:
        case GatedError():
            reply = refusal(403, code="GatedRepo", message=error.reason)
        case AuthError():
            reply = refusal(401, message=error.reason)
        case _:
            reply = refusal(_CANNOT, message=error.reason)
    return Answer(reply=reply, denied=error.reason, failure=error)


def refusal(
    status: int, *, message: str, code: str | None = None, headers: Mapping[str, str] = _NO_HEADERS
) -> Reply:
    """A reply that says why not, in the headers in which clients look for it."""
    told = {
        "X-Error-Message": _one_line(message),
        "Content-Type": "application/json; charset=utf-8",
        **headers,
    }
    if code is not None:
        told["X-Error-Code"] = code
    return Reply(status=status, headers=told, body=json.dumps({"error": message}).encode())


def _one_line(text: str) -> str:
    return "".join(char if " " <= char <= "~" else "?" for char in text)
