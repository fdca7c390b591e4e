"""The Hub for whoever may write to it, over huggingface_hub.

Owns that bytes go by plain HTTP through our own client, so that the token stays with its endpoint, and that a
commit is only made on the parent that was looked at. Never decides what is uploaded.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from mlxlock.errors import AuthError, HubError, HubUnreachableError
from mlxlock.hub.client import HubSource
from mlxlock.hub.endpoint import Endpoint
from mlxlock.hub.refusals import Subject, refusal
from mlxlock.hub.retry import TransientError
from mlxlock.ports import Edit, OnEvent, Published, Wanted, ignore
from mlxlock.spec.names import CommitHash, RepoId, Revision

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationCopy, HfApi

T = TypeVar("T")


class HubPublisher:
    """A `ports.Publisher` over one endpoint.

    Args:
        endpoint: Whom to write to, with whose token.
        on_event: Hears when a read has to wait.

    Raises:
        AuthError: There is no token: nobody writes anonymously.
    """

    def __init__(self, endpoint: Endpoint, *, on_event: OnEvent = ignore) -> None:
        if endpoint.token is None:
            raise AuthError(f"writing to `{endpoint.url}` needs a login", hint=endpoint.login_hint)
        self._endpoint = endpoint
        self._source = HubSource(endpoint, on_event=on_event)

    def look(self, repo: RepoId, branch: Revision) -> Published:
        """What is there.

        Raises:
            RepoNotFoundError: No such repo, or not for this user.
            RevisionNotFoundError: No such branch.
            HubError: And its other children.
        """
        private = self._once(repo, branch, lambda: self._api().model_info(repo, revision=branch).private)
        found = self._source.resolve(Wanted(repo=repo, revision=branch))
        return Published(private=private is True, commit=found.commit, files=found.files)

    def create(self, repo: RepoId, *, private: bool) -> None:
        """Make a repo.

        Raises:
            HubError: And its children.
        """
        self._once(repo, "main", lambda: self._api().create_repo(repo, private=private))

    def commit(self, repo: RepoId, edit: Edit) -> CommitHash:
        """Upload and commit, unless the branch has moved.

        Raises:
            HubError: And its children; nothing was committed.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete  # noqa: PLC0415 - slow to import

        operations: list[CommitOperationAdd | CommitOperationCopy | CommitOperationDelete] = [
            *(CommitOperationAdd(path_in_repo=path, path_or_fileobj=at) for path, at in edit.put.items()),
            *(CommitOperationDelete(path_in_repo=path, is_folder=False) for path in edit.removed),
        ]
        made = self._once(
            repo,
            edit.branch,
            lambda: self._api().create_commit(
                repo,
                operations,
                commit_message=edit.message,
                revision=edit.branch,
                parent_commit=edit.parent,
            ),
        )
        return CommitHash(made.oid)

    def _api(self) -> "HfApi":
        from huggingface_hub import HfApi, constants  # noqa: PLC0415 - slow to import
        from huggingface_hub.utils.tqdm import disable_progress_bars  # noqa: PLC0415 - the same

        from mlxlock.hub import session  # noqa: PLC0415 - the same

        disable_progress_bars()  # nobody talks past the renderer
        constants.HF_HUB_DISABLE_XET = True  # its client has connections and rules of its own
        constants.HF_HUB_DISABLE_IMPLICIT_TOKEN = True  # LFS uploads would look for the stored login
        session.use(self._endpoint)
        return HfApi(endpoint=self._endpoint.url, token=False, library_name="mlxlock")

    def _once(self, repo: RepoId, revision: str, call: Callable[[], T]) -> T:
        """Make a call, once: nobody knows whether a write that was cut off has happened."""
        from huggingface_hub.errors import HfHubHTTPError  # noqa: PLC0415 - slow to import

        subject = Subject(endpoint=self._endpoint, repo=repo, revision=revision)
        try:
            return call()
        except HfHubHTTPError as problem:
            raise self._refused(subject, problem.response.status_code, problem.response.headers) from problem
        except TransientError as problem:
            raise _cut_off(repo, problem) from problem
        except RuntimeError as problem:  # huggingface_hub's word for an upload that failed
            cause = problem.__cause__
            if isinstance(cause, HfHubHTTPError):
                raise self._refused(subject, cause.response.status_code, cause.response.headers) from problem
            if isinstance(cause, TransientError):
                raise _cut_off(repo, cause) from problem
            raise
        except (KeyError, TypeError, ValueError) as problem:
            raise HubError(
                f"`{self._endpoint.url}` does not take what was sent to `{repo}`", details=(str(problem),)
            ) from problem

    def _refused(self, subject: Subject, status: int, headers: Mapping[str, str]) -> HubError:
        if status == 403:
            reason = f"`{self._endpoint.url}` does not let this token write `{subject.repo}`"
            return AuthError(reason, hint=self._endpoint.login_hint)
        if status == 409:
            return HubError(f"`{subject.repo}` exists already", hint="push without `--create`")
        if status == 412:
            reason = f"`{subject.repo}` got another commit in the meantime; nothing was committed"
            return HubError(reason, hint="look at it, then push again")
        return refusal(subject, status, headers)


def _cut_off(repo: RepoId, problem: TransientError) -> HubUnreachableError:
    hint = f"see whether `{repo}` has the commit, then push again: what has arrived is not sent twice"
    return HubUnreachableError(f"the push to `{repo}` was cut off: {problem.what}", hint=hint)
