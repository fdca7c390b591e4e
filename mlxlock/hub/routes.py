"""What a request to a Hub is about: one of the Hub's reads, or nothing that we answer.

Owns the grammar of the paths. Pure: knows no repo and sends nothing. Whoever asks is a stranger's code, so
whatever is not clearly one of the reads is none.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast
from urllib.parse import parse_qs, unquote, urlsplit

from mlxlock.spec.names import RepoId, RepoType

Verb = Literal["info", "tree", "refs", "paths-info", "resolve"]
DEFAULT_REVISION: Final = "main"
_VERBS: Final = "revision|tree|refs|paths-info"
_TYPES: Final[Mapping[str, RepoType]] = {"models": "model", "datasets": "dataset", "spaces": "space"}

# A repo id has one segment or two, and a verb is never the second one.
_API: Final = re.compile(
    rf"/api/(?P<type>models|datasets|spaces)/(?P<repo>[^/]+(?:/(?!(?:{_VERBS})(?:/|$))[^/]+)?)"
    rf"(?:/(?P<verb>{_VERBS})(?:/(?P<revision>[^/]+)(?:/(?P<path>.*))?)?)?/?"
)
_RESOLVE: Final = re.compile(
    r"/(?:(?P<type>datasets|spaces)/)?(?P<repo>[^/]+(?:/(?!resolve/)[^/]+)?)"
    r"/(?P<verb>resolve)/(?P<revision>[^/]+)/(?P<path>.+)"
)
_WITH_REVISION: Final = frozenset({"revision", "tree", "paths-info", "resolve"})
_WITH_PATH: Final = frozenset({"tree", "resolve"})
_MAX_PARAMETERS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One read of the Hub.

    Attributes:
        revision: As asked, unquoted; `main` where the request names none.
        path: The file or directory, unquoted, of whatever form; empty for the root and where there is none.
        query: Each parameter's values.
    """

    verb: Verb
    repo: RepoId
    repo_type: RepoType
    revision: str
    path: str
    query: Mapping[str, tuple[str, ...]]

    def flag(self, name: str) -> bool:
        """Whether a parameter is true."""
        return self.first(name).lower() in {"true", "1"}

    def first(self, name: str) -> str:
        """A parameter's first value; empty when there is none."""
        return self.query.get(name, ("",))[0]


def parse(method: str, target: str) -> Asked | None:
    """Take a request's method and target apart; None for what is no read of the Hub.

    Args:
        method: In capitals.
        target: The path with its query, as it stands in the request line, without any prefix of ours.
    """
    path, _, query = target.partition("?")
    found = _API.fullmatch(path) or _RESOLVE.fullmatch(path)
    if found is None:
        return None
    verb = found["verb"] or "info"
    if method not in _methods(verb) or not _is_whole(verb, found["revision"], found["path"]):
        return None
    try:
        repo, values = RepoId(found["repo"]), parse_qs(query, max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        return None
    return Asked(
        verb=cast("Verb", "info" if verb == "revision" else verb),
        repo=repo,
        repo_type=_TYPES[found["type"] or "models"],
        revision=unquote(found["revision"] or DEFAULT_REVISION),
        path=unquote(found["path"] or ""),
        query={name: tuple(given) for name, given in values.items()},
    )


def location(target: str) -> str:
    """The path of a request's target without its query, fit to be shown and written down."""
    path = urlsplit(f"//host{target}").path if target.startswith("/") else target.partition("?")[0]
    return "".join(char if "!" <= char <= "~" else f"%{ord(char) & 0xFF:02X}" for char in path)


def _methods(verb: str) -> frozenset[str]:
    return frozenset({"POST"}) if verb == "paths-info" else frozenset({"GET", "HEAD"})


def _is_whole(verb: str, revision: str | None, path: str | None) -> bool:
    return (verb in _WITH_REVISION) == (revision is not None) and (verb in _WITH_PATH or not path)
