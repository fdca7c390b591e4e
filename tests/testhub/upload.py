"""The write side: creating repos and branches, announcing files, taking LFS bytes, committing.

Owns what each endpoint takes and refuses; every commit holds what its operations say and nothing else.
"""

import base64
import hashlib
import json
from collections.abc import Mapping

from tests.testhub.content import InMemory
from tests.testhub.listing import Json
from tests.testhub.messages import Incoming, RefusalError, Reply, json_reply, text_reply
from tests.testhub.repos import File, Repo, file_named, lfs, plain
from tests.testhub.state import State, commit_of, refuse, signature
from tests.testhub.target import Target

_ATTRIBUTES = b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"
_UPLOAD = "/upload/"


def answer_create(state: State, incoming: Incoming) -> Reply:
    """Answer `POST /api/repos/create`: a repo that holds a `.gitattributes`, as on the Hub."""
    user, asked = state.user(incoming), json.loads(incoming.body)
    if user is None:
        return refuse(401, message="Invalid username or password.")
    owner = asked.get("organization") or user.name
    repo_id = f"{owner}/{asked['name']}"
    if not user.may_write(repo_id):
        return refuse(403, message=f"You don't have the rights to create a model under {owner}")
    if ("model", repo_id) in state.repos:
        return refuse(409, message="You already created this model repo")
    private = asked.get("visibility") == "private" or asked.get("private") is True
    repo = Repo(id=repo_id, private=private)
    repo.commit({".gitattributes": _ATTRIBUTES}, title="initial commit")
    state.repos["model", repo_id] = repo
    user.own(repo_id)
    return json_reply({"url": f"{state.endpoint}/{repo_id}", "name": repo_id, "id": "0" * 24})


def answer_write(state: State, incoming: Incoming, repo: Repo, target: Target) -> Reply:
    """Answer the verbs that change a repo, or prepare to."""
    refuse_readers(state, incoming, repo)
    match target.verb:
        case "preupload":
            return _preupload(incoming, repo, target)
        case "branch":
            return _branch(incoming, repo, target)
        case "batch":
            return _batch(state, incoming)
        case _:
            return _commit(state, incoming, repo, target)


def refuse_readers(state: State, incoming: Incoming, repo: Repo) -> None:
    """Let only those pass who may write.

    Raises:
        RefusalError: 401 for nobody in particular, 403 for the others.
    """
    user = state.user(incoming)
    if user is None:
        raise RefusalError(refuse(401, message="Invalid username or password."))
    if not user.may_write(repo.id):
        message = "Forbidden: you must use a write token to upload to a repository."
        raise RefusalError(refuse(403, message=message))


def answer_upload(state: State, incoming: Incoming) -> Reply:
    """Take the bytes of an LFS file, under a URL that was signed, if they are what it announced."""
    target, _, sent = incoming.target.rpartition("&Signature=")
    if sent != signature(target) or not target.startswith(_UPLOAD):
        return text_reply("<Error><Code>SignatureDoesNotMatch</Code></Error>", status=403)
    oid = target.removeprefix(_UPLOAD).partition("?")[0]
    if hashlib.sha256(incoming.body).hexdigest() != oid:
        return text_reply("<Error><Code>XAmzContentSHA256Mismatch</Code></Error>", status=400)
    state.uploads[oid] = lfs(InMemory(incoming.body))
    return text_reply("")


def _preupload(incoming: Incoming, repo: Repo, target: Target) -> Reply:
    there = commit_of(repo, target.revision).files
    return json_reply({"files": [_announced(asked, there) for asked in json.loads(incoming.body)["files"]]})


def _announced(asked: Mapping[str, object], there: Mapping[str, File]) -> Json:
    path, sample = str(asked["path"]), base64.b64decode(str(asked["sample"]))
    known = there.get(path)
    heavy = file_named(path, sample).lfs or int(str(asked["size"])) > 10_000_000
    return {
        "path": path,
        "uploadMode": "lfs" if heavy else "regular",
        "shouldIgnore": False,
        "oid": None if known is None else known.etag,
    }


def _branch(incoming: Incoming, repo: Repo, target: Target) -> Reply:
    if f"refs/heads/{target.revision}" in repo.refs:
        return refuse(409, message=f"Reference already exists: {target.revision}")
    start = json.loads(incoming.body or b"{}").get("startingPoint") or "main"
    repo.branch(target.revision, commit_of(repo, start).id)
    return text_reply("OK")


def _batch(state: State, incoming: Incoming) -> Reply:
    objects = [
        _action(state, str(each["oid"]), int(each["size"])) for each in json.loads(incoming.body)["objects"]
    ]
    return json_reply({"transfer": "basic", "objects": objects})


def _action(state: State, oid: str, size: int) -> Json:
    if state.stored(oid) is not None:
        return {"oid": oid, "size": size}
    target = f"{_UPLOAD}{oid}?Expires=1"
    return {
        "oid": oid,
        "size": size,
        "actions": {"upload": {"href": f"{state.cdn}{target}&Signature={signature(target)}"}},
    }


def _commit(state: State, incoming: Incoming, repo: Repo, target: Target) -> Reply:
    lines = [json.loads(line) for line in incoming.body.splitlines() if line]
    header = next(line["value"] for line in lines if line["key"] == "header")
    head = commit_of(repo, target.revision)
    if header.get("parentCommit") not in {None, head.id}:
        return refuse(412, message="A commit has happened since. Please refresh and try again.")
    files: dict[str, File] = dict(head.files)
    for line in lines:
        _apply(state, files, line["key"], line["value"])
    made = repo.commit(files, ref=target.revision, title=str(header["summary"]))
    url = f"{state.endpoint}/{repo.id}/commit/{made}"
    return json_reply({"success": True, "commitOid": made, "commitUrl": url, "hookOutput": ""})


def _apply(state: State, files: dict[str, File], key: str, value: Mapping[str, object]) -> None:
    path = str(value.get("path", ""))
    match key:
        case "file":
            files[path] = plain(base64.b64decode(str(value["content"])))
        case "lfsFile":
            oid = str(value["oid"])
            sent = state.uploads.get(oid) or state.stored(oid)
            if sent is None:
                raise RefusalError(
                    refuse(400, message=f"LFS pointer pointed to a file that does not exist: {oid}")
                )
            files[path] = sent
        case "deletedFile":
            if path not in files:
                message = "A file with this name doesn't exist"
                raise RefusalError(refuse(404, code="EntryNotFound", message=message))
            del files[path]
        case _:
            return
