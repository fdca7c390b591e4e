"""The Hub as a `Source`: which commit a revision means, and the bytes of its files.

Owns the choice of API calls: one a model, two for a version range, and pages of the tree only where a mirror
leaves out what the first answer should have said. Never reads a file's bytes itself; `fetch` does.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, cast

from mlxlock.errors import HubError, RevisionNotFoundError
from mlxlock.hub.endpoint import Endpoint
from mlxlock.hub.fetch import JOBS, Fetcher
from mlxlock.hub.refusals import Subject, refusal
from mlxlock.hub.retry import PATIENCE, Patience, Persistence, Wait
from mlxlock.hub.tags import Tag, newest
from mlxlock.ports import BlobStore, OnEvent, Wanted, ignore
from mlxlock.spec.names import CommitHash, Revision
from mlxlock.spec.resolution import FileEntry, RemoteFile, Resolution

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from mlxlock.hub.listing import Info

T = TypeVar("T")

_DEFAULT = Revision("main")


class HubSource:
    """A `Source` over one endpoint.

    huggingface_hub is imported by the first `resolve`; `fetch` never needs it.

    Args:
        endpoint: Whom to ask, with whose token.
        jobs: Files fetched at the same time.
        on_event: Hears when `resolve` has to wait.
        wait: How pauses pass.
        patience: How many and how long.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        jobs: int = JOBS,
        on_event: OnEvent = ignore,
        wait: Wait = threading.Event.wait,
        patience: Patience = PATIENCE,
    ) -> None:
        self._endpoint = endpoint
        self._persist = Persistence(stop=threading.Event(), wait=wait, on_event=on_event, patience=patience)
        self._fetcher = Fetcher(endpoint, jobs=jobs, wait=wait, patience=patience)

    def resolve(self, wanted: Wanted) -> Resolution:
        """Find the commit and list its files with their hashes, without mixing commits.

        Raises:
            HubError: And its children, for every way in which the Hub may refuse.
            ManifestError: The version range is none.
        """
        with self._understood(wanted):
            return self._resolved(wanted)

    def _resolved(self, wanted: Wanted) -> Resolution:
        from mlxlock.hub import listing  # noqa: PLC0415 - brings huggingface_hub, which `fetch` can do without

        tag = None if wanted.version is None else self._tag(wanted, wanted.version)
        revision = tag.name if tag else wanted.revision or _DEFAULT
        asked = tag.commit if tag else revision
        info = self._info(wanted, asked)
        commit = listing.commit_of(info, wanted.repo)
        if Revision(asked).is_commit and commit != asked:
            raise HubError(f"`{wanted.repo}` was asked for `{asked}`, and the Hub answers with `{commit}`")
        files = listing.files_of_info(info, wanted.repo)
        files = self._tree(wanted, commit) if files is None else files
        return listing.resolution(info, wanted, revision, files)

    def fetch(self, files: Sequence[RemoteFile], store: BlobStore, on_event: OnEvent = ignore) -> None:
        """Bring every file into the store, hashed as it arrives and compared before it gets a name.

        Raises:
            MismatchError: Bytes differ from what the Hub or the lock asserts.
            HubError: And its children.
            DiskError: The store's disk refuses.
        """
        self._fetcher.fetch(files, store, on_event)

    @cached_property
    def _api(self) -> "HfApi":
        from huggingface_hub import HfApi  # noqa: PLC0415 - costs more than a whole no-op sync

        from mlxlock.hub import session  # noqa: PLC0415 - the same

        session.use(self._endpoint)
        # The session adds the token, to requests that may have it; HfApi must not look for one itself.
        return HfApi(endpoint=self._endpoint.url, token=False, library_name="mlxlock")

    def _info(self, wanted: Wanted, revision: str) -> "Info":
        info = self._ask(
            wanted,
            revision,
            lambda: self._api.repo_info(
                wanted.repo, revision=revision, repo_type=wanted.repo_type, files_metadata=True
            ),
        )
        return cast("Info", info)  # huggingface_hub knows a fourth type, which no manifest can name

    def _tag(self, wanted: Wanted, version: str) -> Tag:
        tag = newest(self._tags(wanted, version), version)
        if tag is None:
            raise RevisionNotFoundError(
                f"`{wanted.repo}` has no tag in the range `{version}`",
                hint=f"see {self._endpoint.page(wanted.repo, wanted.repo_type)}/tree/main for its tags",
            )
        return tag

    def _tags(self, wanted: Wanted, version: str) -> list[Tag]:
        refs = self._ask(
            wanted, version, lambda: self._api.list_repo_refs(wanted.repo, repo_type=wanted.repo_type)
        )
        try:
            return [Tag(name=Revision(tag.name), commit=CommitHash(tag.target_commit)) for tag in refs.tags]
        except ValueError as problem:
            raise HubError(f"`{wanted.repo}` has a tag that is none", details=(str(problem),)) from problem

    def _tree(self, wanted: Wanted, commit: CommitHash) -> tuple[FileEntry, ...]:
        """List the tree of a commit, page by page: of a commit, so that a moving branch cannot mix in."""
        from mlxlock.hub import listing  # noqa: PLC0415 - brings huggingface_hub

        entries = self._ask(
            wanted,
            commit,
            lambda: list(
                self._api.list_repo_tree(
                    wanted.repo, revision=commit, repo_type=wanted.repo_type, recursive=True
                )
            ),
        )
        return listing.files_of_tree(entries, wanted.repo, self._endpoint)

    def _ask(self, wanted: Wanted, revision: str, call: Callable[[], T]) -> T:
        """Make an API call, patiently, and say in our words what went wrong."""
        from huggingface_hub.errors import HfHubHTTPError  # noqa: PLC0415 - brings huggingface_hub

        subject = Subject(
            endpoint=self._endpoint, repo=wanted.repo, repo_type=wanted.repo_type, revision=revision
        )
        try:
            return self._persist(call)
        except HfHubHTTPError as problem:
            answer = problem.response
            raise refusal(subject, answer.status_code, answer.headers) from problem

    @contextmanager
    def _understood(self, wanted: Wanted) -> Iterator[None]:
        """Read answers: neither huggingface_hub nor we check every value of one for its type."""
        try:
            yield
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as problem:
            raise HubError(
                f"`{self._endpoint.url}` answers for `{wanted.repo}` in a way that is not the Hub's",
                hint="check `HF_ENDPOINT`",
            ) from problem
