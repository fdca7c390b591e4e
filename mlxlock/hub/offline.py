"""The Hub when there is none to be asked.

Owns the refusal. Never opens a socket.
"""

from collections.abc import Sequence

from mlxlock.errors import OfflineMissingError
from mlxlock.ports import BlobStore, OnEvent, Wanted, ignore
from mlxlock.spec.resolution import RemoteFile, Resolution


class OfflineSource:
    """A `Source` that has only what the store has.

    Args:
        why: What asked for offline, e.g. `--offline`.
    """

    def __init__(self, why: str) -> None:
        self._why = why
        self._hint = f"run it once with a network, without `{why}`"

    def resolve(self, wanted: Wanted) -> Resolution:
        """Refuse: what a revision means now, only the Hub knows.

        Raises:
            OfflineMissingError: Always.
        """
        raise OfflineMissingError(
            f"`{wanted.repo}` cannot be resolved offline (`{self._why}`)", hint=self._hint
        )

    def fetch(self, files: Sequence[RemoteFile], store: BlobStore, on_event: OnEvent = ignore) -> None:
        """Do nothing when the store has everything.

        Raises:
            OfflineMissingError: It does not; `details` names each missing file.
        """
        del on_event
        missing = tuple(remote for remote in files if store.find(remote.file) is None)
        if missing:
            raise OfflineMissingError(
                f"{len(missing)} of {len(files)} files are not in the store, "
                f"and `{self._why}` forbids to fetch them",
                hint=self._hint,
                details=tuple(f"{remote.repo}@{remote.commit}: {remote.file.path}" for remote in missing),
            )
