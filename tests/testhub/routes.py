"""Which handler a request reaches, and the redirects of ids that are not, or no longer, a repo's own.

Owns the order of the questions: quota, visibility, redirect, answer. The handlers are in `api` and `resolve`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from tests.testhub.api import answer_api, answer_whoami
from tests.testhub.messages import Incoming, RefusalError, Reply, json_reply, text_reply
from tests.testhub.repos import Repo
from tests.testhub.resolve import answer_cdn, answer_resolve, answer_resolve_cache
from tests.testhub.state import Bucket, State, refuse
from tests.testhub.target import Target, parse_target
from tests.testhub.upload import answer_create, answer_upload, answer_write


def route(state: State, incoming: Incoming) -> Reply:
    """Answer a request; a refusal is an answer as well."""
    try:
        reply = _route_cdn(state, incoming) if incoming.server == "cdn" else _route_hub(state, incoming)
    except RefusalError as refusal:
        reply = refusal.reply
    return _behave(state, reply)


def _route_cdn(state: State, incoming: Incoming) -> Reply:
    return answer_upload(state, incoming) if incoming.method == "PUT" else answer_cdn(state, incoming)


def _route_hub(state: State, incoming: Incoming) -> Reply:
    target = parse_target(incoming.path)
    bucket: Bucket = "resolvers" if target and target.verb.startswith("resolve") else "api"
    quota = state.charge(bucket)
    return _answer(state, incoming, target).having(quota)


def _answer(state: State, incoming: Incoming, target: Target | None) -> Reply:
    if incoming.path in _WITHOUT_REPO:
        return _WITHOUT_REPO[incoming.path](state, incoming)
    if target is None:
        return refuse(404, message="Sorry, we can't find the page you are looking for.")
    repo = state.visible(incoming, target.repo_type, target.repo_id)
    if repo.id != target.repo_id:
        return _moved(incoming, target, repo)
    return _answer_repo(state, incoming, repo, target)


def _answer_repo(state: State, incoming: Incoming, repo: Repo, target: Target) -> Reply:
    match target.verb:
        case "resolve":
            return answer_resolve(state, incoming, target)
        case "resolve-cache":
            return answer_resolve_cache(state, incoming, target)
        case "preupload" | "branch" | "batch" | "commit":
            return answer_write(state, incoming, repo, target)
        case _:
            return answer_api(state, incoming, repo, target)


def _any_yaml(_state: State, _incoming: Incoming) -> Reply:
    return json_reply({"errors": [], "warnings": []})


_WITHOUT_REPO: Final[Mapping[str, Callable[[State, Incoming], Reply]]] = {
    "/api/whoami-v2": answer_whoami,
    "/api/repos/create": answer_create,
    "/api/validate-yaml": _any_yaml,
}


def _moved(incoming: Incoming, target: Target, repo: Repo) -> Reply:
    location = incoming.target.replace(f"/{target.repo_id}", f"/{repo.id}", 1)
    text = f"Temporary Redirect. Redirecting to {location}"
    return text_reply(text, status=307, headers={"Location": location})


def _behave(state: State, reply: Reply) -> Reply:
    """Take away what a server with such manners would not send."""
    manners = state.manners
    if not manners.ranges:
        reply = replace(reply.lacking("Accept-Ranges"), ranged=False)
    if not manners.linked_headers:
        reply = reply.lacking("X-Linked-Etag", "X-Linked-Size")
    if not manners.error_codes:
        reply = reply.lacking("X-Error-Code", "X-Error-Message")
    if not manners.quoted_etags and "ETag" in reply.headers:
        reply = reply.having({"ETag": reply.headers["ETag"].strip('"')})
    return reply
