"""What the Hub means when it says no.

Owns the translation of statuses and `X-Error-*` headers into our errors, with the cure. One table for API
calls and downloads alike, so that both explain a gated repo in the same words. Never sends a request.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mlxlock.errors import AuthError, GatedError, HubError, RepoNotFoundError, RevisionNotFoundError
from mlxlock.hub.endpoint import Endpoint
from mlxlock.spec.names import RepoId, RepoPath, RepoType, printable

_SHOWN_CHARS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What was asked for.

    Attributes:
        revision: Branch, tag, pull request or commit.
        path: The file, or None for the repo itself.
    """

    endpoint: Endpoint
    repo: RepoId
    revision: str
    repo_type: RepoType = "model"
    path: RepoPath | None = None


def refusal(subject: Subject, status: int, headers: Mapping[str, str]) -> HubError:
    """The error that a refusing answer means.

    Args:
        subject: What was asked for.
        status: The HTTP status, 400 or more.
        headers: Names in any case.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    code, message = lowered.get("x-error-code", ""), lowered.get("x-error-message", "")
    if "disabled" in message:
        return HubError(f"`{subject.repo}` is disabled on `{subject.endpoint.url}`")
    match code:
        case "GatedRepo":
            return _gated(subject)
        case "RevisionNotFound":
            return _no_revision(subject)
        case "EntryNotFound":
            return _no_entry(subject)
        case "RepoNotFound":
            return _no_repo(subject)
        case _:
            return _by_status(subject, status, message)


def shown(text: str) -> str:
    """A stranger's text, cut and free of control characters."""
    cut = text[:_SHOWN_CHARS]
    return cut if printable(cut) else cut.encode("unicode_escape").decode("ascii")


def _by_status(subject: Subject, status: int, message: str) -> HubError:
    # Anonymously, 401 is the Hub's answer for repos that are missing and for private ones alike.
    if status == 401 and subject.endpoint.token is None:
        return _no_repo(subject)
    if status == 401:
        return AuthError(
            f"`{subject.endpoint.url}` does not accept the token", hint=subject.endpoint.login_hint
        )
    if status == 403:
        return AuthError(
            f"`{subject.endpoint.url}` does not let this token read `{subject.repo}`",
            hint=subject.endpoint.login_hint,
            details=(shown(message),) if message else (),
        )
    if status in {404, 410}:
        return _not_there(subject)
    said = f": {shown(message)}" if message else ""
    return HubError(f"`{subject.endpoint.url}` answers {status} for `{subject.repo}`{said}")


def _gated(subject: Subject) -> HubError:
    page = subject.endpoint.page(subject.repo, subject.repo_type)
    login = f"; then {subject.endpoint.login_hint}"
    return GatedError(
        f"`{subject.repo}` is gated: its files are only for those who accepted its terms",
        hint=f"accept them at {page}{login if subject.endpoint.token is None else ''}",
    )


def _no_repo(subject: Subject) -> HubError:
    noun = "repo" if subject.repo_type == "model" else subject.repo_type
    reason = f"there is no {noun} `{subject.repo}` on `{subject.endpoint.url}`, or it is private"
    login = f", or {subject.endpoint.login_hint}" if subject.endpoint.token is None else ""
    return RepoNotFoundError(reason, hint=f"check the spelling{login}")


def _no_revision(subject: Subject) -> HubError:
    return RevisionNotFoundError(
        f"`{subject.repo}` has no revision `{subject.revision}`",
        hint=f"see {subject.endpoint.page(subject.repo, subject.repo_type)}/tree/main for its branches and "
        "tags; a commit can vanish by a force-push",
    )


def _no_entry(subject: Subject) -> HubError:
    return HubError(
        f"`{subject.repo}` at `{subject.revision}` has no file `{subject.path}`",
        hint="run `mlxk lock` to ask the Hub again",
    )


def _not_there(subject: Subject) -> HubError:
    """A 404 that does not say what is missing: careless mirrors leave that out."""
    if subject.path is not None:
        return HubError(
            f"`{subject.endpoint.url}` does not have `{subject.path}` of `{subject.repo}` at "
            f"`{subject.revision}`"
        )
    return RepoNotFoundError(
        f"`{subject.endpoint.url}` does not have `{subject.repo}` at `{subject.revision}`",
        hint="check the spelling of the repo and of the revision",
    )
