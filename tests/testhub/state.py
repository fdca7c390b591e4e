"""What the running Hub knows: repos, redirects, users, manners, quotas, the log.

Owns the shared state and the questions about it that may end in a refusal: does this repo exist for this
client, may it read the contents, has it asked too often. Never builds a successful reply.
"""

import hashlib
import hmac
import math
import threading
import time
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote

from tests.testhub.faults import FaultBook
from tests.testhub.messages import Incoming, RefusalError, Reply, Request, json_reply
from tests.testhub.repos import Commit, File, Repo, RepoType

Bucket = Literal["api", "resolvers"]
Key = tuple[RepoType, str]
_MAX_ALIAS_STEPS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How well the server behaves; the defaults are huggingface.co, `SLOPPY` is a careless mirror.

    Attributes:
        ranges: Honour `Range`.
        linked_headers: Send `X-Linked-Etag` and `X-Linked-Size`.
        quoted_etags: Put ETags in quotes, as HTTP asks.
        error_codes: Send `X-Error-Code` and `X-Error-Message`.
        sibling_hashes: Let `?blobs=true` list sizes and hashes.
        redirects: Send contents from the resolve-cache and the CDN instead of straight from `/resolve`.
        xet: Announce Xet, behind which there is no working store.
        page: Entries of a listing before `Link: rel="next"`.
        url_ttl_s: How long a signed CDN URL lives.
    """

    ranges: bool = True
    linked_headers: bool = True
    quoted_etags: bool = True
    error_codes: bool = True
    sibling_hashes: bool = True
    redirects: bool = True
    xet: bool = False
    page: int = 1000
    url_ttl_s: float = 3600.0


SLOPPY = Manners(
    ranges=False,
    linked_headers=False,
    quoted_etags=False,
    error_codes=False,
    sibling_hashes=False,
    redirects=False,
)


@dataclass(slots=True, kw_only=True)
class User:
    """The holder of a token.

    Attributes:
        grants: Ids of the private and gated repos it may read.
        writes: Ids of the repos it may write, and owners below whom it may create some.
    """

    name: str
    grants: frozenset[str]
    writes: frozenset[str] = frozenset()

    def may_write(self, repo_id: str) -> bool:
        """Whether the repo, or its owner, is among `writes`."""
        return bool(self.writes & {repo_id, repo_id.partition("/")[0]})

    def own(self, repo_id: str) -> None:
        """Be granted what was just created."""
        self.grants |= {repo_id}


@dataclass(slots=True, kw_only=True)
class Quota:
    """Fixed windows: `limit` requests in the `window_s` seconds that begin with the first one of a window."""

    limit: int
    window_s: float
    used: int = 0
    since: float | None = None

    def charge(self) -> tuple[bool, int, int]:
        """Count one request; return whether it is allowed, how many are left and the seconds to the reset."""
        now = time.monotonic()
        if self.since is None or now - self.since >= self.window_s:
            self.used, self.since = 0, now
        allowed = self.used < self.limit
        self.used += allowed
        return allowed, self.limit - self.used, math.ceil(self.since + self.window_s - now)


@dataclass(slots=True, kw_only=True)
class State:
    """Everything the handlers may ask about.

    Attributes:
        endpoint: URL of the hub, without a slash at the end.
        cdn: URL of the CDN, on another host name.
        redirects: Repo id by the id it once had, or is also known under.
        uploads: LFS files by SHA-256 that no commit holds yet.
    """

    endpoint: str = ""
    cdn: str = ""
    manners: Manners = field(default_factory=Manners)
    repos: dict[Key, Repo] = field(default_factory=dict)
    redirects: dict[Key, str] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    uploads: dict[str, File] = field(default_factory=dict)
    quotas: dict[Bucket, Quota] = field(default_factory=dict)
    faults: FaultBook = field(default_factory=FaultBook)
    log: list[Request] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def charge(self, bucket: Bucket) -> dict[str, str]:
        """Count a request against its quota and return the headers that say how much is left.

        Raises:
            RefusalError: 429, the window is used up.
        """
        quota = self.quotas.get(bucket)
        if quota is None:
            return {}
        with self.lock:
            allowed, left, reset_s = quota.charge()
        headers = {
            "RateLimit": f'"{bucket}";r={left};t={reset_s}',
            "RateLimit-Policy": f'"fixed window";"{bucket}";q={quota.limit};w={quota.window_s:g}',
        }
        if not allowed:
            raise RefusalError(
                refuse(429, message="Too Many Requests", more=headers | {"Retry-After": str(reset_s)})
            )
        return headers

    def user(self, incoming: Incoming) -> User | None:
        """Return who asks; None is nobody in particular.

        Raises:
            RefusalError: 401, the token is unknown.
        """
        header = incoming.headers.get("authorization")
        if header is None:
            return None
        user = self.users.get(header.removeprefix("Bearer ").strip())
        if user is None:
            raise RefusalError(refuse(401, message="Invalid credentials in Authorization header"))
        return user

    def visible(self, incoming: Incoming, repo_type: RepoType, repo_id: str) -> Repo:
        """Return a repo whose metadata this client may see, under whatever id it was asked for.

        Raises:
            RefusalError: 401 or 404, it does not exist as far as this client can know; 403, it is disabled.
        """
        user, repo = self.user(incoming), self._lookup(repo_type, repo_id)
        if repo is None or (repo.private and not _granted(user, repo)):
            raise RefusalError(_unknown(user))
        if repo.disabled:
            raise RefusalError(refuse(403, message="Access to this resource is disabled."))
        return repo

    def readable(self, incoming: Incoming, repo_type: RepoType, repo_id: str) -> Repo:
        """Return a repo whose contents this client may read.

        Raises:
            RefusalError: As `visible`; besides 401 or 403, it is gated.
        """
        repo = self.visible(incoming, repo_type, repo_id)
        user = self.user(incoming)
        if repo.gated and not _granted(user, repo):
            message = f"Access to {repo.type} {repo.id} is restricted and you are not in the authorized list."
            raise RefusalError(refuse(403 if user else 401, code="GatedRepo", message=message))
        return repo

    def sign(self, repo: Repo, file: File, name: str) -> str:
        """Return the signed, expiring CDN URL of an LFS file."""
        owner = hashlib.sha256(f"{repo.type}/{repo.id}".encode()).hexdigest()
        disposition = quote(f"inline; filename*=UTF-8''{quote(name)}; filename=\"{name}\";", safe="")
        expires = math.ceil(time.time() + self.manners.url_ttl_s)
        path = f"/repos/{owner[:2]}/{owner[2:4]}/{owner}/{file.sha256}"
        target = f"{path}?response-content-disposition={disposition}&Expires={expires}"
        return f"{self.cdn}{target}&Signature={signature(target)}&Key-Pair-Id=LOOPBACK"

    def stored(self, sha256: str) -> File | None:
        """Return any LFS file with this digest."""
        commits = (commit for repo in list(self.repos.values()) for commit in list(repo.commits.values()))
        files = (file for commit in commits for file in commit.files.values())
        return next((file for file in files if file.lfs and file.sha256 == sha256), None)

    def _lookup(self, repo_type: RepoType, repo_id: str) -> Repo | None:
        for _ in range(_MAX_ALIAS_STEPS):
            if (repo := self.repos.get((repo_type, repo_id))) is not None:
                return repo
            if (target := self.redirects.get((repo_type, repo_id))) is None:
                return None
            repo_id = target
        return None


def commit_of(repo: Repo, revision: str) -> Commit:
    """Return the commit that a revision names.

    Raises:
        RefusalError: 404, there is none.
    """
    commit = repo.find(revision)
    if commit is None:
        raise RefusalError(refuse(404, code="RevisionNotFound", message=f"Invalid rev id: {revision}"))
    return commit


def refuse(
    status: int, *, code: str | None = None, message: str = "", more: dict[str, str] | None = None
) -> Reply:
    """Answer with an error the way the Hub words it: a JSON body and `X-Error-*` headers."""
    # What a client asked for may come back in the message, and a header holds printable ASCII only.
    printable = message if message.isascii() and message.isprintable() else ascii(message)
    headers = {"X-Error-Code": code} if code else {}
    headers |= {"X-Error-Message": printable} | (more or {})
    return json_reply({"error": message}, status=status, headers=headers)


def signature(target: str) -> str:
    """Return the CDN's signature of a path with its query up to the expiry."""
    return hmac.new(b"loopback", target.encode(), hashlib.sha256).hexdigest()


def _granted(user: User | None, repo: Repo) -> bool:
    return user is not None and repo.id in user.grants


def _unknown(user: User | None) -> Reply:
    if user is not None:
        return refuse(404, code="RepoNotFound", message="Repository not found")
    challenge = {"WWW-Authenticate": 'Bearer realm="Authentication required", charset="UTF-8"'}
    return refuse(401, message="Invalid username or password.", more=challenge)
