"""Many files into the store: each content once, biggest first, a bounded number at a time.

Owns the queue, the workers and their end: the first error, or Ctrl-C, stops all of them and keeps what has
arrived. Never imports huggingface_hub: the lock has all that a download needs.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

from mlxlock.errors import MismatchError, MlxlockError
from mlxlock.hub.endpoint import Endpoint
from mlxlock.hub.retry import PATIENCE, Patience, Persistence, StoppedError, Wait
from mlxlock.ports import Advanced, BlobStore, Event, Finished, OnEvent, Started, ignore
from mlxlock.spec.resolution import RemoteFile

if TYPE_CHECKING:
    from mlxlock.hub.transport import Live, Transport

JOBS: Final = 8
_FAREWELL_S: Final = 2.0


class Fetcher:
    """Fetches from one endpoint, over connections that are kept.

    Args:
        endpoint: Whom to ask, with whose token.
        jobs: Files fetched at the same time.
        wait: How pauses pass.
        patience: How many and how long.
        read_s: How long a server may be silent.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        jobs: int = JOBS,
        wait: Wait = threading.Event.wait,
        patience: Patience = PATIENCE,
        read_s: float = 60.0,
    ) -> None:
        self._endpoint = endpoint
        self._jobs = jobs
        self._wait = wait
        self._patience = patience
        self._read_s = read_s

    def fetch(self, files: Sequence[RemoteFile], store: BlobStore, on_event: OnEvent = ignore) -> None:
        """Bring every file into the store; what the store has costs nothing.

        Args:
            files: In any order, with repetitions.
            store: Hashes and compares.
            on_event: Hears of each file; never called by two threads at once.

        Raises:
            MismatchError: Bytes differ from what the Hub or the lock asserts.
            HubError: And its children.
            DiskError: The store's disk refuses.
        """
        missing = [remote for remote in distinct(files) if store.find(remote.file) is None]
        if not missing:
            return
        from mlxlock.hub.transport import Live  # noqa: PLC0415 - urllib3 costs more than a no-op sync

        stop, live, tell = threading.Event(), Live(), _one_at_a_time(on_event)
        persist = Persistence(stop=stop, wait=self._wait, on_event=tell, patience=self._patience)
        errand = _Errand(
            endpoint=self._endpoint,
            transport=self._transport,
            live=live,
            store=store,
            persist=persist,
            tell=tell,
        )
        for remote in missing:  # all before the first byte, so that whoever draws knows how much it is
            tell(Started(task=_task(remote), label=remote.file.path, total=remote.file.size_bytes))
        crew = _Crew(work=errand.bring, queue=deque(missing), stop=stop, interrupt=live.abort)
        crew.run(min(self._jobs, len(missing)))

    @cached_property
    def _transport(self) -> "Transport":
        from mlxlock.hub.transport import Transport  # noqa: PLC0415 - urllib3 costs more than a no-op sync

        return Transport(self._endpoint, jobs=self._jobs, read_s=self._read_s)


def distinct(files: Iterable[RemoteFile]) -> tuple[RemoteFile, ...]:
    """One file for each content, biggest first, so that the last ones to end are small."""
    by_content: dict[str, RemoteFile] = {}
    for remote in files:
        by_content.setdefault(remote.file.sha256 or remote.file.etag, remote)
    return tuple(sorted(by_content.values(), key=lambda remote: -remote.file.size_bytes))


def _task(remote: RemoteFile) -> str:
    return f"{remote.repo}@{remote.commit}/{remote.file.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Errand:
    """What a worker does with one file."""

    endpoint: Endpoint
    transport: "Transport"
    live: "Live"
    store: BlobStore
    persist: Persistence
    tell: OnEvent

    def bring(self, remote: RemoteFile) -> None:
        """Download, compare, name."""
        task = _task(remote)
        if not self._try(remote, task, afresh=False):
            self._try(remote, task, afresh=True)
        self.tell(Finished(task=task))

    def _try(self, remote: RemoteFile, task: str, *, afresh: bool) -> bool:
        """Return whether the blob has its name; False when bytes of an earlier try were wrong."""
        from mlxlock.hub.download import Download  # noqa: PLC0415 - brings urllib3

        with self.store.deposit(remote.file) as deposit:
            download = Download(
                endpoint=self.endpoint,
                remote=remote,
                deposit=deposit,
                transport=self.transport,
                live=self.live,
                stop=self.persist.stop,
                advance=lambda amount: self.tell(Advanced(task=task, amount=amount)),
            )
            download.begin(afresh=afresh)
            try:
                self.persist(download.attempt)
                deposit.commit()
            except MismatchError:
                if afresh or not download.resumed:
                    raise
                download.forget()
                return False
        return True


@dataclass(slots=True, kw_only=True)
class _Crew:
    """Threads that empty a queue, until one of them fails.

    Daemons, so that a server which is silent cannot keep an interrupted process alive.
    """

    work: Callable[[RemoteFile], None]
    queue: deque[RemoteFile]
    stop: threading.Event
    interrupt: Callable[[], None]
    done: int = 0
    working: int = 0
    problem: BaseException | None = None
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, jobs: int) -> None:
        """Work until the queue is empty or something fails, and raise what failed first."""
        total = len(self.queue)
        threads = [threading.Thread(target=self._loop, name=f"fetch-{n}", daemon=True) for n in range(jobs)]
        self.working = jobs
        try:
            for thread in threads:
                thread.start()
            self.over.wait()
        finally:
            self._end(threads)
        if isinstance(self.problem, MlxlockError):
            note = f"{self.done} of {total} files were fetched; what has arrived is kept"
            self.problem.details = (*self.problem.details, note)
        if self.problem is not None:
            raise self.problem

    def _loop(self) -> None:
        problem: BaseException | None = None
        try:
            self._empty_queue()
        except (IndexError, StoppedError):
            pass
        except BaseException as caught:  # noqa: BLE001 - raised again by `run`
            problem = caught
        with self.lock:
            self.problem = self.problem or problem
            self.working -= 1
            if problem is not None or self.working == 0:
                self.over.set()

    def _empty_queue(self) -> None:
        while not self.stop.is_set():
            self.work(self.queue.popleft())
            with self.lock:
                self.done += 1

    def _end(self, threads: Sequence[threading.Thread]) -> None:
        """Stop whoever still works, and do not wait long for one that hears nothing."""
        self.stop.set()
        self.interrupt()
        for thread in threads:
            if thread.ident is not None:
                thread.join(_FAREWELL_S / len(threads))


def _one_at_a_time(on_event: OnEvent) -> OnEvent:
    lock = threading.Lock()

    def tell(event: Event) -> None:
        with lock:
            on_event(event)

    return tell
