"""The Hub when there is none to be asked.

Owns the refusal. Never opens a socket.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from mlxlock.errors import OfflineMissingError
from mlxlock.ports import BlobStore, OnEvent, Wanted, ignore
from mlxlock.ports.outside import Read, WebAnswer
from mlxlock.spec.effects import Download
from mlxlock.spec.resolution import RemoteFile, Resolution


class _Offline:
    """What has only what the store has.

    Args:
        why: What asked for offline, e.g. `--offline`.
        cure: What to do, where that is more than to leave it out.
    """

    def __init__(self, why: str, cure: str | None = None) -> None:
        self._why = why
        self._hint = cure or f"run it once with a network, without `{why}`"

    def _refuse_missing(self, missing: tuple[str, ...], asked: int, what: str) -> None:
        if missing:
            raise OfflineMissingError(
                f"{len(missing)} of {asked} {what} are not in the store, "
                f"and `{self._why}` forbids to fetch them",
                hint=self._hint,
                details=missing,
            )


class OfflineSource(_Offline):
    """A `Source` that has only what the store has."""

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
        missing = [remote for remote in files if store.find(remote.file) is None]
        names = tuple(f"{remote.repo}@{remote.commit}: {remote.file.path}" for remote in missing)
        self._refuse_missing(names, len(files), "files")


class OfflineWeb(_Offline):
    """An `outside.Web` that has only what the store has."""

    def open(self, method: Read, url: str, headers: Mapping[str, str]) -> AbstractContextManager[WebAnswer]:
        """Refuse.

        Raises:
            OfflineMissingError: Always.
        """
        del method, headers
        raise OfflineMissingError(f"`{url}` cannot be asked for (`{self._why}`)", hint=self._hint)

    def fetch(self, downloads: Sequence[Download], store: BlobStore, on_event: OnEvent) -> None:
        """Do nothing when the store has everything.

        Raises:
            OfflineMissingError: It does not; `details` names each missing URL.
        """
        del on_event
        missing = [download for download in downloads if store.find(download.file) is None]
        self._refuse_missing(tuple(download.url for download in missing), len(downloads), "downloads")
