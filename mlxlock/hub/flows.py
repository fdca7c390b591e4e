"""Files on their way from the Hub into the store, followed by the children that asked for them.

Owns the promise that nobody gets a whole file before it was verified: bytes go out as they arrive, the last
of them only when every hash agrees. One fetch serves all who ask for one content; nobody's slowness delays
it. Who was sent bytes that turned out wrong is cut off, and that content is not served again.
"""

import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import IO, Final

from mlxlock.errors import MismatchError, StoreError
from mlxlock.hub.tap import Tap
from mlxlock.ports import Blob, BlobStore, OnEvent, Source
from mlxlock.spec.record import Exchange
from mlxlock.spec.resolution import RemoteFile

HELD_BYTES: Final = 1 << 20
"""How much of a file's end is kept back until all of it is verified; smaller files are sent in one piece."""


class Flow:
    """One content on its way. Every method may be called by any thread.

    Args:
        size_bytes: Of the whole file.
    """

    def __init__(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes
        self._changed = threading.Condition()
        self._fd: int | None = None
        self._written = 0
        self._verified = False
        self._followed = False
        self._spoiled = False
        self._blob: Blob | None = None
        self._problem: BaseException | None = None

    # --- who brings it

    def follow(self, path: Path) -> None:
        """Let the bytes that arrive from now on in this empty file be sent."""
        with self._changed:
            self._close()
            if not self._spoiled:
                self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)

    def grow(self, written: int) -> None:
        """Say how many bytes there are."""
        with self._changed:
            self._written = written
            self._changed.notify_all()

    def spoil(self, why: MismatchError) -> None:
        """Say that what was written so far counts no more."""
        with self._changed:
            if self._followed:
                self._spoiled, self._problem = True, why
            self._close()
            self._changed.notify_all()

    def verify(self) -> None:
        """Say that every hash agrees."""
        with self._changed:
            self._verified = True
            self._changed.notify_all()

    def end(self, result: Blob | BaseException) -> None:
        """Say that it is in the store, or why it is not."""
        with self._changed:
            if not isinstance(result, Blob):
                self._problem = self._problem or result
            elif not self._spoiled:
                self._blob = result
            self._close()
            self._changed.notify_all()

    def _close(self) -> None:
        self._written, self._verified = 0, False
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    # --- who wants it

    @property
    def size_bytes(self) -> int:
        """Of the whole file."""
        return self._size_bytes

    @property
    def spoiled(self) -> bool:
        """Whether somebody was sent bytes that counted no more afterwards."""
        return self._spoiled

    @property
    def problem(self) -> BaseException | None:
        """Why it did not arrive, once that is known."""
        return self._problem

    def settle(self, exchange: Exchange) -> Exchange:
        """The exchange in which it was sent, with why it did not get there, if so.

        Waits for one whose bytes are all right and have no name yet.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._over() or not self._verified)
        if self._blob is not None:
            return exchange
        return replace(exchange, denied=str(self._problem or "it was not sent to its end"))

    def blob(self) -> Blob:
        """Wait until it is in the store.

        Raises:
            MlxlockError: It does not come.
        """
        with self._changed:
            self._changed.wait_for(self._over)
        return self._result()

    def begun(self) -> bool:
        """Wait until there are bytes to send; False when it is in the store by then.

        Raises:
            MlxlockError: It does not come.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._sendable() > 0 or self._over())
            if not self._over():
                return True
        self._result()
        return False

    def open(self) -> IO[bytes] | None:
        """The file in which the bytes arrive; None when they do not."""
        with self._changed:
            self._followed = True
            self._changed.wait_for(lambda: self._fd is not None or self._over())
            if self._fd is not None:
                return os.fdopen(os.dup(self._fd), "rb", buffering=0)
        return None if self._blob is None else self._blob.path.open("rb", buffering=0)

    def wait(self, sent: int, timeout_s: float) -> int | None:
        """How many bytes may have been sent by now; None when no more ever will.

        Args:
            sent: How many have been sent: waits for more.
            timeout_s: How long; then the answer is `sent`.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._sendable() > sent or self._over(), timeout_s)
            sendable = self._sendable()
            return None if self._over() and sendable <= sent else max(sendable, sent)

    def _sendable(self) -> int:
        if self._spoiled:
            return 0
        if self._blob is not None:
            return self._size_bytes
        if self._size_bytes <= HELD_BYTES:
            return 0
        return self._size_bytes if self._verified else min(self._written, self._size_bytes - HELD_BYTES)

    def _over(self) -> bool:
        return self._blob is not None or self._problem is not None

    def _result(self) -> Blob:
        if self._problem is not None:
            raise self._problem
        assert self._blob is not None  # noqa: S101 - only called when it is over
        return self._blob


class Flows:
    """What is being fetched for children, each content once.

    Args:
        source: Brings what the store lacks.
        store: Where it goes.
        on_event: Hears of it.
    """

    def __init__(self, source: Source, store: BlobStore, on_event: OnEvent) -> None:
        self._source = source
        self._store = store
        self._on_event = on_event
        self._lock = threading.Lock()
        self._live: dict[str, Flow] = {}
        self._busy_since: float | None = None
        self._busy_s = 0.0
        self._spoiled: set[str] = set()

    def busy_s(self) -> float:
        """For how many seconds, so far, at least one file was on its way."""
        with self._lock:
            since = self._busy_since
            return self._busy_s + (0.0 if since is None else time.monotonic() - since)

    def of(self, remote: RemoteFile) -> Flow:
        """The flow of a file that the store lacks, begun if nobody asked for it yet.

        Raises:
            MismatchError: Wrong bytes of it were sent to somebody before.
        """
        key = remote.file.etag
        with self._lock:
            if key in self._spoiled:
                raise MismatchError(f"wrong bytes of `{remote.file.path}` were sent before")
            flow = self._live.get(key)
            if flow is None:
                if self._busy_since is None:
                    self._busy_since = time.monotonic()
                flow = self._live[key] = Flow(remote.file.size_bytes)
                work = threading.Thread(target=self._bring, args=(remote, flow), name="flow", daemon=True)
                work.start()
        return flow

    def _bring(self, remote: RemoteFile, flow: Flow) -> None:
        try:
            result: Blob | BaseException = self._blob(remote, flow)
        except BaseException as problem:  # noqa: BLE001 - raised again where it is waited for
            result = problem
        with self._lock:
            del self._live[remote.file.etag]
            if not self._live and self._busy_since is not None:
                self._busy_s += time.monotonic() - self._busy_since
                self._busy_since = None
            if flow.spoiled:
                self._spoiled.add(remote.file.etag)
        flow.end(result)

    def _blob(self, remote: RemoteFile, flow: Flow) -> Blob:
        missing = self._store.adopt([remote], self._on_event)
        if missing:
            self._source.fetch(missing, Tap(self._store, flow), self._on_event)
        blob = self._store.find(remote.file)
        if blob is None:
            raise StoreError(f"`{remote.file.path}` of `{remote.repo}` was fetched, and the store lacks it")
        return blob
