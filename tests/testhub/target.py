"""The grammar of the Hub's URLs.

Owns taking a path apart. Never knows whether the repo it names exists.
"""

import re
from dataclasses import dataclass
from typing import get_args
from urllib.parse import unquote

from tests.testhub.repos import RepoType

_VERBS = "revision|tree|paths-info|refs|commits|commit|preupload|branch|xet-read-token"
_TYPES: dict[str, RepoType] = {f"{name}s": name for name in get_args(RepoType)}
# A repo id has one segment or two; a verb is never the second one.
_API = re.compile(
    rf"/api/(?P<type>models|datasets|spaces)/(?P<repo>[^/]+(?:/(?!(?:{_VERBS})(?:/|$))[^/]+)?)"
    rf"(?:/(?P<verb>{_VERBS})(?:/(?P<revision>[^/]+)(?:/(?P<path>.*))?)?)?"
)
_RESOLVE = re.compile(
    r"/(?:(?P<type>datasets|spaces)/)?(?P<repo>[^/]+(?:/(?!resolve/)[^/]+)?)"
    r"/(?P<verb>resolve)/(?P<revision>[^/]+)/(?P<path>.+)"
)
_LFS_BATCH = re.compile(
    r"/(?:(?P<type>datasets|spaces)/)?(?P<repo>[^/]+(?:/[^/]+)?)\.git/info/lfs/objects/(?P<verb>batch)"
    r"(?P<revision>)(?P<path>)"
)
_RESOLVE_CACHE = re.compile(
    r"/api/(?P<verb>resolve-cache)/(?P<type>models|datasets|spaces)/(?P<repo>[^/]+(?:/[^/]+)?)"
    r"/(?P<revision>[0-9a-f]{40})/(?P<path>.+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a URL is about, unquoted; `path` is empty where the URL names none."""

    repo_type: RepoType
    repo_id: str
    verb: str
    revision: str
    path: str


def parse_target(path: str) -> Target | None:
    """Take a raw URL path apart; None is not about a repo."""
    grammars = (_RESOLVE_CACHE, _LFS_BATCH, _API, _RESOLVE)
    found = next((found for grammar in grammars if (found := grammar.fullmatch(path))), None)
    if found is None:
        return None
    return Target(
        repo_type=_TYPES[found["type"] or "models"],
        repo_id=found["repo"],
        verb=found["verb"] or "revision",
        revision=unquote(found["revision"] or "HEAD"),
        path=unquote(found["path"] or "").strip("/"),
    )
