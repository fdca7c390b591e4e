"""Which Hub to talk to, and with whose token.

Owns the rule that a login goes only to the endpoint it belongs to: the stored login, `HF_TOKEN` and
`HUGGING_FACE_HUB_TOKEN` are huggingface.co's, every other endpoint gets what `MLXK_ENDPOINT_TOKEN` says or
nothing. Never shows a token and never opens a connection.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlsplit

from mlxlock.errors import AuthError, UsageError
from mlxlock.spec.names import RepoId, RepoType
from mlxlock.spec.resolution import RemoteFile

OFFICIAL: Final = "https://huggingface.co"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_TRUE: Final = frozenset({"1", "on", "yes", "true"})

Origin = tuple[str, str, int]


def origin(url: str) -> Origin:
    """Scheme, host and port: what decides whether two URLs are of one server.

    Raises:
        ValueError: The URL is no absolute `http` or `https` URL, or has a backslash before its path: there,
            who connects may find another host than we do.
    """
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "\\" in parts.netloc:
        raise ValueError(f"{url!r} is not an http or https URL")
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A Hub and the token that it, and nobody else, may see.

    Attributes:
        url: Without a slash at the end.
        token: What `Authorization: Bearer` carries; None asks anonymously.
    """

    url: str = OFFICIAL
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse what could not be sent.

        Raises:
            UsageError: The URL is no plain http or https URL.
            AuthError: The token could not stand in a header.
        """
        _check_url(self.url)
        if self.token is not None and not (self.token.isascii() and self.token.isprintable() and self.token):
            raise AuthError(f"the token for `{self.url}` has characters that no token has")

    @property
    def official(self) -> bool:
        """Whether this is huggingface.co itself."""
        return self.url == OFFICIAL

    @property
    def login_hint(self) -> str:
        """How a person gets this endpoint to know them."""
        if self.official:
            return "log in with `hf auth login`, or set `HF_TOKEN`"
        return f"set `MLXK_ENDPOINT_TOKEN` to a token of `{self.url}`"

    def authorization(self, url: str) -> dict[str, str]:
        """The header that `url` may see: none unless it has this endpoint's own origin."""
        if self.token is None or origin(url) != origin(self.url):
            return {}
        return {"Authorization": f"Bearer {self.token}"}

    def page(self, repo: RepoId, repo_type: RepoType = "model") -> str:
        """Where a person reads about a repo."""
        return f"{self.url}/{_prefix(repo_type)}{repo}"

    def file_url(self, remote: RemoteFile) -> str:
        """Where the bytes of a file are asked for."""
        page = self.page(remote.repo, remote.repo_type)
        return f"{page}/resolve/{remote.commit}/{quote(remote.file.path)}"


def stored_login() -> str | None:
    """The user's token for huggingface.co, as huggingface_hub finds it and keeps it fresh.

    Raises:
        AuthError: There is a login, and it cannot be renewed.
    """
    from huggingface_hub import get_token  # noqa: PLC0415 - costs more than a whole no-op sync
    from huggingface_hub.errors import DeviceCodeError, OIDCError  # noqa: PLC0415 - the same

    try:
        return get_token()
    except (DeviceCodeError, OIDCError) as problem:
        raise AuthError(
            "the stored login for huggingface.co cannot be renewed", hint="run `hf auth login`"
        ) from problem


def endpoint_from(environ: Mapping[str, str], *, login: Callable[[], str | None] = stored_login) -> Endpoint:
    """The endpoint that the environment names, with its own token.

    Args:
        environ: `HF_ENDPOINT` (default huggingface.co) and the variables that hold tokens.
        login: Asked for huggingface.co's token when no variable has one, and for no other endpoint.

    Raises:
        UsageError: `HF_ENDPOINT` is not an http or https URL.
        AuthError: The token cannot be used.
    """
    url = (environ.get("HF_ENDPOINT") or OFFICIAL).strip().rstrip("/")
    if url != OFFICIAL:
        return Endpoint(url=url, token=_tidy(environ.get("MLXK_ENDPOINT_TOKEN")))
    if environ.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").lower() in _TRUE:
        return Endpoint()
    return Endpoint(token=_tidy(environ.get("HF_TOKEN") or environ.get("HUGGING_FACE_HUB_TOKEN")) or login())


def _check_url(url: str) -> None:
    try:
        origin(url)
        parts = urlsplit(url)
    except ValueError as problem:
        raise UsageError("`HF_ENDPOINT` is not an http or https URL", details=(repr(url),)) from problem
    if parts.username or parts.password or parts.query or parts.fragment or not url.isprintable():
        raise UsageError(
            "`HF_ENDPOINT` must be a plain URL, without a user, a query or a fragment",
            hint="give a token in `MLXK_ENDPOINT_TOKEN`",
        )


def _tidy(token: str | None) -> str | None:
    return (token or "").strip() or None


def _prefix(repo_type: RepoType) -> str:
    return "" if repo_type == "model" else f"{repo_type}s/"
