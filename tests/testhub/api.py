"""The JSON API: repo info, tree, paths-info, refs, commits, whoami, Xet tokens.

Owns what each endpoint takes and how listings are paged. Never serves the contents of a file.
"""

import base64
import json
import time
from collections.abc import Sequence
from urllib.parse import parse_qs, urlencode

from tests.testhub.listing import (
    Json,
    describe_commits,
    describe_path,
    describe_refs,
    describe_repo,
    describe_tree,
)
from tests.testhub.messages import Incoming, Reply, json_reply
from tests.testhub.repos import Repo
from tests.testhub.state import State, commit_of, refuse
from tests.testhub.target import Target

_EXPANDED_PAGE = 50
_DEAD_XET_STORE = "http://127.0.0.1:9"


def answer_api(state: State, incoming: Incoming, repo: Repo, target: Target) -> Reply:
    """Answer `/api/{type}s/{repo}[/{verb}/...]` for a repo this client may see."""
    match target.verb:
        case "refs":
            return json_reply(describe_refs(repo, pull_requests=incoming.flag("include_prs")))
        case "tree":
            return _tree(state, incoming, repo, target)
        case "paths-info":
            return _paths_info(state, incoming, repo, target)
        case "commits":
            history = describe_commits(repo, commit_of(repo, target.revision))
            return _page(state, incoming, history, limit=state.manners.page)
        case "xet-read-token":
            return _xet_token()
        case _:
            return _info(state, incoming, repo, target)


def answer_whoami(state: State, incoming: Incoming) -> Reply:
    """Answer `/api/whoami-v2`."""
    user = state.user(incoming)
    if user is None:
        return refuse(401, message="Invalid username or password.")
    token = {"type": "access_token", "accessToken": {"displayName": "test", "role": "read"}}
    return json_reply({"type": "user", "id": "0" * 24, "name": user.name, "orgs": [], "auth": token})


def _info(state: State, incoming: Incoming, repo: Repo, target: Target) -> Reply:
    described = describe_repo(
        repo,
        commit_of(repo, target.revision),
        blobs=incoming.flag("blobs"),
        hashes=state.manners.sibling_hashes,
        security=incoming.flag("securityStatus"),
    )
    wanted = incoming.query.get("expand")
    if wanted is not None:
        described = {name: value for name, value in described.items() if name in {"_id", "id", *wanted}}
    return json_reply(described)


def _tree(state: State, incoming: Incoming, repo: Repo, target: Target) -> Reply:
    commit, expand = commit_of(repo, target.revision), incoming.flag("expand")
    if target.path not in commit.trees:
        message = f'{target.path} does not exist on "{target.revision}"'
        return refuse(404, code="EntryNotFound", message=message)
    recursive, xet = incoming.flag("recursive"), state.manners.xet
    entries = describe_tree(commit, target.path, recursive=recursive, expand=expand, xet=xet)
    limit = min(state.manners.page, _EXPANDED_PAGE) if expand else state.manners.page
    return _page(state, incoming, entries, limit=limit)


def _paths_info(state: State, incoming: Incoming, repo: Repo, target: Target) -> Reply:
    commit = commit_of(repo, target.revision)
    paths, expand = _asked_paths(incoming)
    known = [path for path in paths if path in commit.files or (path and path in commit.trees)]
    return json_reply([describe_path(commit, path, expand=expand, xet=state.manners.xet) for path in known])


def _asked_paths(incoming: Incoming) -> tuple[list[str], bool]:
    if "json" in incoming.headers.get("content-type", ""):
        asked = json.loads(incoming.body)
        return [str(path) for path in asked["paths"]], bool(asked.get("expand"))
    form = parse_qs(incoming.body.decode())
    return form.get("paths", []), form.get("expand", ["false"])[0].lower() == "true"


def _page(state: State, incoming: Incoming, entries: Sequence[Json], *, limit: int) -> Reply:
    """Answer with one page and, when there is more, the absolute URL of the next."""
    limit = min(int(incoming.first("limit", str(limit))), limit)
    start = int(base64.b64decode(incoming.first("cursor", "MA==")))
    stop = start + limit
    if stop >= len(entries):
        return json_reply(entries[start:])
    query = incoming.query | {
        "limit": [str(limit)],
        "cursor": [base64.b64encode(str(stop).encode()).decode()],
    }
    url = f"{state.endpoint}{incoming.path}?{urlencode(query, doseq=True)}"
    return json_reply(entries[start:stop], headers={"Link": f'<{url}>; rel="next"'})


def _xet_token() -> Reply:
    expires = int(time.time()) + 900
    headers = {
        "X-Xet-Cas-Url": _DEAD_XET_STORE,
        "X-Xet-Access-Token": "loopback",
        "X-Xet-Token-Expiration": str(expires),
    }
    return json_reply({"casUrl": _DEAD_XET_STORE, "exp": expires, "accessToken": "loopback"}, headers=headers)
