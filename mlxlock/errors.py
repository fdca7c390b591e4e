"""Every error mlxlock raises, in one tree.

::

    MlxlockError                   error
    ├── CheckError                 check-failed        exit 1: a check said no
    │   ├── LockStaleError         lock-stale          the manifest asks for something else than the lock
    │   ├── DriftError             workspace-changed   a file of the workspace was edited
    │   ├── MismatchError          hash-mismatch       bytes differ from what the Hub or the lock asserts
    │   ├── PolicyError            policy              the manifest's own policy refuses a model
    │   ├── ProofError             proof-failed        the offline run did not repeat the captured one
    │   ├── UnhealthyError         unhealthy           a model is not whole
    │   └── ChildError             child-failed        what `run` or `exec` started said no (its own code)
    ├── WorkError                  failed              exit 2: could not do it
    │   ├── UsageError             usage               the command line or its combination is wrong
    │   ├── ManifestError          manifest-invalid    models.toml cannot be read (all problems at once)
    │   ├── ManifestMissingError   manifest-missing    no models.toml here or above
    │   ├── LockfileError          lock-invalid        models.lock cannot be read (all problems at once)
    │   ├── LockMissingError       lock-missing        no models.lock beside models.toml
    │   ├── LockNewerError         lock-newer          written by a newer mlxlock
    │   ├── RefClashError          ref-clash           one (repo, revision) would mean two commits
    │   ├── HubError               hub-error           the Hub answered something we cannot use
    │   │   ├── HubUnreachableError   hub-unreachable
    │   │   ├── RateLimitedError      rate-limited
    │   │   ├── RepoNotFoundError     repo-not-found
    │   │   ├── RevisionNotFoundError revision-not-found
    │   │   ├── GatedError            auth-gated
    │   │   └── AuthError             auth-invalid
    │   ├── DownloadError          download-failed     a URL outside the Hub gives nothing
    │   ├── UnattributedError      unattributed        a first run left files that nobody could bring back
    │   ├── UnrebuildableError     write-missing       only the machine that locked has these bytes
    │   ├── OfflineMissingError    offline-missing     offline, and the store lacks a blob
    │   ├── DiskError              disk                full, read-only or otherwise refusing
    │   ├── StoreError             store-invalid       the blob store is not what it should be
    │   ├── BusyError              busy                another mlxk holds the lock and did not let go
    │   ├── SandboxError           sandbox-unavailable no sandbox works here
    │   ├── RuntimeMissingError    runtime-missing     the project's interpreter lacks a library
    │   ├── FirstRunError          first-run-failed    the model did not run
    │   └── ConvertError           convert-failed      a library did not make a whole model of another
    ├── PartialError               partial             exit 3: done in part (`--keep-going`)
    ├── InternalError              internal            exit 2: a bug in mlxlock
    └── InterruptError             interrupted         exit 130: Ctrl-C

Adapters translate foreign exceptions at their border with ``raise … from``; only ``cli`` catches.
A negative *answer* (a verdict, a staleness) is a value, not an exception.
"""

from typing import ClassVar


class MlxlockError(Exception):
    """What went wrong and what to do about it.

    Attributes:
        reason: One lower-case sentence, paths and names in backticks, no trailing period.
        hint: The command or edit that cures it, or None.
        details: Further lines, one fact each (expected / actual, each problem of a file).
        code: Stable identifier for scripts.
        exit_code: The process's exit status.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 2

    def __init__(self, reason: str, *, hint: str | None = None, details: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.details = details


class CheckError(MlxlockError):
    """A check said no."""

    code = "check-failed"
    exit_code = 1


class LockStaleError(CheckError):
    """The manifest asks for something else than the lock's requests say."""

    code = "lock-stale"


class DriftError(CheckError):
    """Files of the workspace differ from the lock; nothing was changed."""

    code = "workspace-changed"


class MismatchError(CheckError):
    """Bytes differ from what the Hub or the lock asserts; they got no name."""

    code = "hash-mismatch"


class PolicyError(CheckError):
    """The manifest's policy refuses a model."""

    code = "policy"


class ProofError(CheckError):
    """The offline run did not repeat what the captured run did."""

    code = "proof-failed"


class UnhealthyError(CheckError):
    """A model is not whole, or what a first run left of it is not."""

    code = "unhealthy"


class ChildError(CheckError):
    """The program that `run` or `exec` started ended with an exit code of its own."""

    code = "child-failed"


class WorkError(MlxlockError):
    """The work could not be done."""

    code = "failed"
    exit_code = 2


class UsageError(WorkError):
    """The command line is wrong."""

    code = "usage"


class ManifestError(WorkError):
    """`models.toml` cannot be read; `details` holds every problem with its place."""

    code = "manifest-invalid"


class ManifestMissingError(WorkError):
    """There is no `models.toml`."""

    code = "manifest-missing"


class LockfileError(WorkError):
    """`models.lock` cannot be read; `details` holds every problem with its place."""

    code = "lock-invalid"


class LockMissingError(WorkError):
    """There is no `models.lock`."""

    code = "lock-missing"


class LockNewerError(WorkError):
    """`models.lock` was written by a newer mlxlock."""

    code = "lock-newer"


class RefClashError(WorkError):
    """One (repo, revision) would have to mean two commits in one `.hf_cache`."""

    code = "ref-clash"


class HubError(WorkError):
    """The Hub answered something that cannot be used."""

    code = "hub-error"


class HubUnreachableError(HubError):
    """No answer from the Hub."""

    code = "hub-unreachable"


class RateLimitedError(HubError):
    """The Hub asks for patience longer than we wait."""

    code = "rate-limited"


class RepoNotFoundError(HubError):
    """No such repo, or not for this user."""

    code = "repo-not-found"


class RevisionNotFoundError(HubError):
    """The repo has no such branch, tag, pull request or commit."""

    code = "revision-not-found"


class GatedError(HubError):
    """The repo is gated and this user has no access."""

    code = "auth-gated"


class AuthError(HubError):
    """The token is not valid."""

    code = "auth-invalid"


class DownloadError(WorkError):
    """A URL outside the Hub does not answer, or not with a file."""

    code = "download-failed"


class UnattributedError(WorkError):
    """A first run left files of which nobody knows where they came from; nothing of it was locked."""

    code = "unattributed"


class UnrebuildableError(WorkError):
    """The lock names files that a first run made itself, and this store does not have them."""

    code = "write-missing"


class OfflineMissingError(WorkError):
    """Offline, and bytes are needed that the store does not have."""

    code = "offline-missing"


class DiskError(WorkError):
    """A filesystem refuses: full, read-only, not permitted."""

    code = "disk"


class StoreError(WorkError):
    """The blob store holds something it must not hold."""

    code = "store-invalid"


class BusyError(WorkError):
    """Another mlxk process holds a lock for too long."""

    code = "busy"


class SandboxError(WorkError):
    """No sandbox works here, or none of the required level."""

    code = "sandbox-unavailable"


class RuntimeMissingError(WorkError):
    """The project's interpreter lacks a library that a first run needs."""

    code = "runtime-missing"


class FirstRunError(WorkError):
    """A model's first run failed; nothing of it was locked."""

    code = "first-run-failed"


class ConvertError(WorkError):
    """A library did not make a whole model of another; nothing was kept."""

    code = "convert-failed"


class PartialError(MlxlockError):
    """Some models were done, others were not."""

    code = "partial"
    exit_code = 3


class InternalError(MlxlockError):
    """A bug in mlxlock; `-v` prints where."""

    code = "internal"


class InterruptError(MlxlockError):
    """The user pressed Ctrl-C; the same command continues where it was."""

    code = "interrupted"
    exit_code = 130
