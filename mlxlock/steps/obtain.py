"""Gets bytes into the store: what it has costs nothing, then the user's own cache, then the Hub.

A step of `lock` and `sync`. Owns the order, and who is named when a byte cannot be had.
"""

from collections.abc import Iterable, Mapping

from mlxlock.errors import OfflineMissingError
from mlxlock.planning.assemble import Complete
from mlxlock.ports import BlobStore, Ports
from mlxlock.spec.lockfile import LockedModel
from mlxlock.spec.resolution import FileEntry, RemoteFile


def needs_of(models: Iterable[LockedModel]) -> dict[RemoteFile, str]:
    """Every file of these models, and who needs it and why."""
    needs: dict[RemoteFile, str] = {}
    for model in models:
        own = {(model.repo, model.commit)}
        for remote in model.remote_files():
            declared = (remote.repo, remote.commit) in own
            why = f"`{model.name}`" if declared else f"the first run of `{model.name}`"
            needs.setdefault(remote, why)
    return needs


def missing_from(store: BlobStore, needs: Mapping[RemoteFile, str]) -> dict[RemoteFile, str]:
    """Those that the store does not have."""
    return {remote: why for remote, why in needs.items() if store.find(remote.file) is None}


def obtain(needs: Mapping[RemoteFile, str], ports: Ports) -> None:
    """Bring every file into the store; no request is made when it has everything.

    Raises:
        OfflineMissingError: Offline, and something is missing: each file with who needs it.
        HubError: And its children.
        MismatchError: Bytes differ from what the Hub or the lock asserts.
        DiskError: The store's disk refuses.
    """
    store = ports.store()
    missing = missing_from(store, needs)
    remaining = store.adopt(tuple(missing), ports.on_event) if missing else ()
    if remaining:
        source = ports.source()
        try:
            source.fetch(remaining, store, ports.on_event)
        except OfflineMissingError as offline:
            raise _explained(offline, {remote: needs[remote] for remote in remaining}) from offline


def _explained(offline: OfflineMissingError, missing: Mapping[RemoteFile, str]) -> OfflineMissingError:
    lines = tuple(
        f"`{remote.file.path}` of `{remote.repo}` at {remote.commit[:12]}, needed by {why}"
        for remote, why in missing.items()
    )
    return OfflineMissingError(offline.reason, hint=offline.hint, details=lines)


def completer(store: BlobStore) -> Complete:
    """What adds to a file the hashes that the store saw."""

    def complete(file: FileEntry) -> FileEntry:
        if file.seen:
            return file
        blob = store.find(file)
        return file if blob is None else file.with_seen(sha256=blob.sha256, blake3=blob.blake3)

    return complete
