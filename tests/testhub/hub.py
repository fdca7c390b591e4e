"""The loopback Hub as tests use it.

Owns the life of the two listeners and the vocabulary of a test: repos, users, faults, manners, the log.
"""

import ssl
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.testhub.faults import Delivery, Fault, MoveRef, deliver
from tests.testhub.messages import Incoming, Request, Server, log_line
from tests.testhub.repos import Gate, Repo, RepoType
from tests.testhub.routes import route
from tests.testhub.server import Listener
from tests.testhub.state import SLOPPY, Bucket, Manners, Quota, State, User
from tests.testhub.trees import read_tree


class LoopbackHub:
    """A Hub on `http://localhost`, with its CDN on `http://127.0.0.1`.

    The host *names* differ on purpose: huggingface_hub before 2.2 compares names, not ports, when it decides
    whether a redirect has left the Hub and the token stays behind.

    Args:
        port: Where the hub listens; 0 lets the kernel choose.
        tls: Serves https on both; the certificate must be for `localhost` and 127.0.0.1.

    Attributes:
        manners: How well the server behaves; replace it at any time.
    """

    def __init__(self, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._state = State()
        self._hub = Listener("hub", self._answer, port=port, tls=tls)
        self._cdn = Listener("cdn", self._answer, port=0, tls=tls)
        scheme = "https" if tls else "http"
        self._state.endpoint = f"{scheme}://localhost:{self._hub.port}"
        self._state.cdn = f"{scheme}://127.0.0.1:{self._cdn.port}"

    def __enter__(self) -> Self:
        self._hub.start()
        self._cdn.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hub.close()
        self._cdn.close()
        crashes = [*self._hub.crashes, *self._cdn.crashes]
        if crashes and error is None:
            raise crashes[0]

    @property
    def endpoint(self) -> str:
        """What `HF_ENDPOINT` must be."""
        return self._state.endpoint

    @property
    def cdn(self) -> str:
        """Where LFS files are redirected to."""
        return self._state.cdn

    @property
    def manners(self) -> Manners:
        """How well the server behaves."""
        return self._state.manners

    @manners.setter
    def manners(self, manners: Manners) -> None:
        self._state.manners = manners

    @property
    def requests(self) -> tuple[Request, ...]:
        """Every request so far, in the order in which they were answered."""
        return tuple(self._state.log)

    def forget_requests(self) -> None:
        """Begin a new log."""
        self._state.log.clear()

    def repo(
        self,
        repo_id: str,
        *,
        repo_type: RepoType = "model",
        private: bool = False,
        gated: Gate | bool = False,
        disabled: bool = False,
        license: str | None = None,  # noqa: A002 - the Hub's own word
    ) -> Repo:
        """Make an empty repo; it answers from its first commit on.

        Args:
            repo_id: `org/name`, or one segment.
            repo_type: What it is listed as.
            private: Only users with a grant know that it exists.
            gated: Everyone sees the metadata, only users with a grant read the files. True means `"auto"`.
            disabled: Refused to everyone.
            license: What the model card says.

        Raises:
            ValueError: There is one of this name.
        """
        if (repo_type, repo_id) in self._state.repos:
            raise ValueError(f"{repo_type} {repo_id} exists")
        gate: Gate = "auto" if gated is True else gated
        repo = Repo(
            id=repo_id, type=repo_type, private=private, gated=gate, disabled=disabled, license=license
        )
        self._state.repos[repo_type, repo_id] = repo
        return repo

    def load_tree(self, root: Path) -> tuple[Repo, ...]:
        """Serve the repos below a directory: `<org>/<name>/` or `<name>/`, also in `datasets/`, `spaces/`."""
        loaded = []
        for found in read_tree(root):
            repo = self.repo(found.repo_id, repo_type=found.repo_type, license=found.license)
            repo.commit(found.files)
            loaded.append(repo)
        return tuple(loaded)

    def rename(self, old: str, new: str, *, repo_type: RepoType = "model") -> None:
        """Give a repo another id; the old one redirects."""
        repo = self._state.repos.pop((repo_type, old))
        repo.id = new
        self._state.repos[repo_type, new] = repo
        self.alias(old, new, repo_type=repo_type)

    def alias(self, name: str, repo_id: str, *, repo_type: RepoType = "model") -> None:
        """Let an id that is no repo redirect to one."""
        self._state.redirects[repo_type, name] = repo_id

    def remove(self, repo_id: str, *, repo_type: RepoType = "model") -> None:
        """Delete a repo."""
        del self._state.repos[repo_type, repo_id]

    def user(
        self,
        token: str,
        *,
        name: str = "ada",
        grants: tuple[str, ...] | list[str] = (),
        writes: tuple[str, ...] | list[str] = (),
    ) -> None:
        """Accept a token.

        Args:
            token: What `Authorization: Bearer` will carry.
            name: Its holder.
            grants: Ids of the private and gated repos that its holder may read.
            writes: Ids of the repos it may write, and owners below whom it may create some.
        """
        self._state.users[token] = User(name=name, grants=frozenset(grants), writes=frozenset(writes))

    def find(self, repo_id: str) -> Repo | None:
        """The model repo of this id, also one that a client created."""
        return self._state.repos.get(("model", repo_id))

    def limit(self, bucket: Bucket, *, quota: int, window_s: float) -> None:
        """Answer 429 after `quota` requests in a window: `"api"`, or `"resolvers"` for the files."""
        self._state.quotas[bucket] = Quota(limit=quota, window_s=window_s)

    def fault(
        self,
        match: str,
        *faults: Fault,
        server: Server | None = None,
        method: str | None = None,
        times: int | None = 1,
    ) -> None:
        """Let requests go wrong.

        Args:
            match: Regex (a plain substring mostly is one) for the unquoted path with its query. A CDN URL
                has the file's name in its query.
            faults: What goes wrong, all of it together.
            server: Only there.
            method: Only for this method, in capitals.
            times: For how many requests; None is for ever.
        """
        self._state.faults.add(match, faults, server=server, method=method, times=times)

    def clear_faults(self) -> None:
        """Let everything work again."""
        self._state.faults.clear()

    def sloppy(self, **kept: bool) -> None:
        """Behave like a careless mirror, but for the `Manners` that are given as True."""
        self._state.manners = replace(SLOPPY, **kept)

    def _answer(self, incoming: Incoming) -> Delivery:
        faults = self._state.faults.take(incoming)
        delivery = deliver(incoming, faults, lambda request: route(self._state, request))
        for fault in faults:
            if isinstance(fault, MoveRef):
                self._move(fault)
        # Logged before a byte leaves, so that a test which has its answer finds the line.
        self._state.log.append(log_line(incoming, 0 if delivery.stop_at == -1 else delivery.reply.status))
        return delivery

    def _move(self, fault: MoveRef) -> None:
        repo = next(repo for repo in self._state.repos.values() if repo.id == fault.repo)
        repo.point(fault.ref, fault.commit)
