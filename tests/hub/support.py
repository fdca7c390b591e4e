"""A source for a loopback Hub, pauses that take no time, and the files of a resolution."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event, Lock

from mlxlock.hub.client import HubSource
from mlxlock.hub.endpoint import Endpoint
from mlxlock.ports import Advanced, BlobStore, Finished, Note, Started, Wanted
from mlxlock.ports import Event as Progress
from mlxlock.spec.names import RepoId, Revision
from mlxlock.spec.resolution import RemoteFile, Resolution
from tests.testhub import LoopbackHub, Request


@dataclass(slots=True)
class Pauses:
    """Lets time pass at once, and remembers how much."""

    seconds: list[float] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def __call__(self, stop: Event, seconds: float) -> bool:
        with self.lock:
            self.seconds.append(seconds)
        return stop.is_set()


@dataclass(slots=True)
class Heard:
    """Every event of a run."""

    events: list[Progress] = field(default_factory=list)

    def __call__(self, event: Progress) -> None:
        self.events.append(event)

    @property
    def notes(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Note)]

    @property
    def bytes_advanced(self) -> int:
        return sum(event.amount for event in self.events if isinstance(event, Advanced))

    @property
    def started(self) -> list[str]:
        return [event.label for event in self.events if isinstance(event, Started)]

    @property
    def finished(self) -> int:
        return sum(isinstance(event, Finished) for event in self.events)


def source_for(
    hub: LoopbackHub, *, token: str | None = None, pauses: Pauses | None = None, jobs: int = 4
) -> HubSource:
    """A source that never really waits."""
    return HubSource(Endpoint(url=hub.endpoint, token=token), jobs=jobs, wait=pauses or Pauses())


def wanted(repo: str, revision: str | None = None, version: str | None = None) -> Wanted:
    return Wanted(
        repo=RepoId(repo), revision=None if revision is None else Revision(revision), version=version
    )


def remotes(resolution: Resolution) -> tuple[RemoteFile, ...]:
    return tuple(resolution.remote(file) for file in resolution.files)


def contents(store: BlobStore, files: Sequence[RemoteFile]) -> dict[str, bytes]:
    """What the store holds of some files, by path."""
    found = {remote.file.path: store.find(remote.file) for remote in files}
    return {path: blob.path.read_bytes() for path, blob in found.items() if blob is not None}


def api_calls(hub: LoopbackHub) -> list[Request]:
    """Requests to the API, but for the resolve-cache, which serves files."""
    return [
        request
        for request in hub.requests
        if request.path.startswith("/api/") and "/resolve-cache/" not in request.path
    ]


def downloads(hub: LoopbackHub) -> list[Request]:
    """Requests that were answered with bytes of files."""
    return [request for request in hub.requests if request not in api_calls(hub) and request.status < 300]
