"""What files hold: hashes them, several at a time, in constant memory.

Owns what "the same content" means for a sentinel: all it says but when and by which version it was written.
Never decides which files need to be read.
"""

import json
import os
from collections.abc import Iterable, Mapping
from threading import Lock, Thread
from typing import Final

from blake3 import blake3

from mlxlock.errors import DiskError
from mlxlock.fs import Root, read_chunks
from mlxlock.ports import Advanced, Finished, OnEvent, Started
from mlxlock.spec.digest import Blake3
from mlxlock.spec.names import RepoPath
from mlxlock.spec.sentinel import CACHE_DIR, SENTINEL_NAME, lasting_part
from mlxlock.workspace.index import Entry, Stamp

_SENTINEL_MAX_BYTES: Final = 64 << 10
_TOLD_BYTES: Final = 64 << 20
"""From here on reading takes long enough that a person wants to see it move."""
_TASK: Final = "check-workspace"
_READERS: Final = min(4, os.cpu_count() or 1)


def is_sentinel(path: RepoPath) -> bool:
    """Whether `path` is where a model's sentinel stands: right below the model's directory."""
    directory, _, name = path.partition("/")
    return name == SENTINEL_NAME and directory != CACHE_DIR


def read_contents(root: Root, sizes: Mapping[RepoPath, int], on_event: OnEvent) -> dict[RepoPath, Entry]:
    """What each file holds, by reading all of it; those that this user may not read are left out.

    Args:
        root: Where they are.
        sizes: The files, and how many bytes each is expected to have, for progress.
        on_event: Called by one thread at a time, though not always by the same.

    Raises:
        DiskError: A file changed while it was read, or the disk fails.
    """
    total = sum(sizes.values())
    told = total >= _TOLD_BYTES
    if told:
        on_event(Started(task=_TASK, label="checking the workspace", total=total))
    reader = _Reader(root, sizes, on_event if told else None)
    reader.run(_READERS if told else 1)
    if told:
        on_event(Finished(task=_TASK))
    return reader.done


class _Reader:
    """One pass over many files, shared by its threads.

    Plain threads: an executor's import alone costs more than a no-op on a small workspace.
    """

    def __init__(self, root: Root, paths: Iterable[RepoPath], on_event: OnEvent | None) -> None:
        self.done: dict[RepoPath, Entry] = {}
        self._root = root
        self._left = iter(sorted(paths))
        self._on_event = on_event
        self._lock = Lock()
        self._failures: list[BaseException] = []

    def run(self, threads: int) -> None:
        others = [Thread(target=self._work, daemon=True) for _ in range(threads - 1)]
        for other in others:
            other.start()
        self._work()
        for other in others:
            other.join()
        if self._failures:
            raise self._failures[0]

    def _work(self) -> None:
        try:
            while (path := self._next()) is not None:
                self._read(path)
        except BaseException as error:  # noqa: BLE001 - raised again by `run`, in the caller's thread
            self._failures.append(error)

    def _next(self) -> RepoPath | None:
        with self._lock:
            return None if self._failures else next(self._left, None)

    def _read(self, path: RepoPath) -> None:
        try:
            with self._root.opened(path) as fd:
                self.done[path] = self._identify(path, fd)
        except DiskError as error:
            if not isinstance(error.__cause__, PermissionError):
                raise

    def _identify(self, path: RepoPath, fd: int) -> Entry:
        before = os.fstat(fd)
        if is_sentinel(path) and before.st_size <= _SENTINEL_MAX_BYTES:
            identity = sentinel_identity(b"".join(map(bytes, read_chunks(fd))))
        else:
            identity = self._hash(fd)
        after = os.fstat(fd)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            hint = "stop what writes it, then run the same command again"
            raise DiskError(f"`{self._root.path / path}` changed while it was read", hint=hint)
        return Entry(Stamp.of(after), identity)

    def _hash(self, fd: int) -> Blake3:
        hasher = blake3()
        for chunk in read_chunks(fd):
            hasher.update(chunk)
            self._advance(len(chunk))
        return Blake3(hasher.hexdigest())

    def _advance(self, amount: int) -> None:
        if self._on_event is not None:
            with self._lock:
                self._on_event(Advanced(task=_TASK, amount=amount))


def sentinel_identity(packed: bytes) -> Blake3:
    """What `SentinelNode.identity` is for a sentinel that says this; else simply the bytes' own BLAKE3."""
    try:
        document = json.loads(packed)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        packed = json.dumps(lasting_part(document), sort_keys=True).encode()
    return Blake3(blake3(packed).hexdigest())
