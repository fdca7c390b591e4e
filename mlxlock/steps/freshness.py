"""Whether a verb may go on with the lock that is there: `sync`, `run` and `capture` begin with this."""

from mlxlock.errors import LockStaleError
from mlxlock.planning.freshness import staleness
from mlxlock.ports import Note, Ports
from mlxlock.spec.lockfile import Lockfile
from mlxlock.spec.manifest import Manifest
from mlxlock.steps.project import warn_of_newer


def check_fresh(manifest: Manifest, lockfile: Lockfile, ports: Ports, *, frozen: bool) -> None:
    """Stop at a stale lock, or warn of it under `--frozen`.

    Raises:
        LockStaleError: With every reason.
    """
    warn_of_newer(lockfile, ports.on_event)
    reasons = tuple(str(reason) for reason in staleness(manifest, lockfile))
    if reasons and not frozen:
        raise LockStaleError("`models.lock` is stale", hint="run `mlxk lock`", details=reasons)
    if reasons:
        ports.on_event(Note(text=f"`models.lock` is stale: {'; '.join(reasons)}", level="warning"))
