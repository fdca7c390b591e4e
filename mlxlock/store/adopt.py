"""Takes files from the user's existing Hugging Face cache instead of downloading them again.

Each file is opened once; its stat and its bytes go through that one descriptor (or, for clones and links,
through the descriptor of what arrived), so that a file which is swapped underneath cannot get in. That cache
is only read. Source of its shape: huggingface_hub's `file_download`.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Event, Lock
from typing import Final, Literal

from mlxlock.errors import MismatchError
from mlxlock.fs import clone, hardlink, read_chunks
from mlxlock.ports import Advanced, Finished, Note, OnEvent, Started
from mlxlock.ports import Event as Progress
from mlxlock.spec.resolution import FileEntry, RemoteFile
from mlxlock.spec.toml_text import shown
from mlxlock.store.deposit import FileDeposit, partial_key

TASK: Final = "adopt"
AdoptMode = Literal["copy", "link"]
_WORKERS: Final = 3
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_UNSEEN: Final = getattr(os, "O_NOATIME", 0)  # Linux, and only for a file's owner


class _InterruptedError(Exception):
    """Another file's adoption failed: this one need not go on."""


class Adoption:
    """One round of adopting.

    Args:
        open_deposit: The store's `deposit`.
        caches: Hub caches, such as `~/.cache/huggingface/hub`.
        mode: How bytes come.
        on_event: Told of bytes, and of files that are not what their name says.
    """

    def __init__(
        self,
        open_deposit: Callable[[FileEntry], AbstractContextManager[FileDeposit]],
        caches: Sequence[Path],
        mode: AdoptMode,
        on_event: OnEvent,
    ) -> None:
        self._open_deposit = open_deposit
        self._caches = caches
        self._mode = mode
        self._on_event = on_event
        self._one_at_a_time = Lock()
        self._stopped = Event()

    def adopt(self, files: Sequence[RemoteFile]) -> tuple[RemoteFile, ...]:
        """Bring what the caches have into the store; return the others, in their order.

        Raises:
            DiskError: The store's disk refuses.
        """
        wanted = {partial_key(remote.file): remote for remote in files if self._candidates(remote)}
        if not wanted:
            return tuple(files)
        total = sum(remote.file.size_bytes for remote in wanted.values())
        self._tell(Started(task=TASK, label="Adopting", total=total))
        done = {key for key, there in zip(wanted, self._adopt_all(wanted.values()), strict=True) if there}
        self._tell(Finished(task=TASK))
        return tuple(remote for remote in files if partial_key(remote.file) not in done)

    def _adopt_all(self, files: Iterable[RemoteFile]) -> list[bool]:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - costs what a listing costs

        with ThreadPoolExecutor(_WORKERS) as pool:
            try:
                return list(pool.map(self._adopt_one, files))
            except BaseException:
                self._stopped.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _tell(self, event: Progress) -> None:
        with self._one_at_a_time:
            self._on_event(event)

    def _advance(self, count: int) -> None:
        if self._stopped.is_set():
            raise _InterruptedError
        self._tell(Advanced(task=TASK, amount=count))

    # --- one file

    def _candidates(self, remote: RemoteFile) -> tuple[Path, ...]:
        """Where a hub cache would have it: the blob by its name, else the snapshot's file; each file once."""
        found: dict[tuple[int, int], Path] = {}
        for cache in self._caches:
            for path in _places(cache, remote):
                which = _may_be(path, remote)
                if which is not None:
                    found.setdefault(which, path)
        return tuple(found.values())

    def _adopt_one(self, remote: RemoteFile) -> bool:
        return any(self._adopt_from(path, remote) for path in self._candidates(remote))

    def _adopt_from(self, path: Path, remote: RemoteFile) -> bool:
        where = f"`{shown(remote.file.path)}` of `{remote.repo}` in your Hugging Face cache"
        try:
            with _opened(path) as fd, self._open_deposit(remote.file) as deposit:
                problem = self._bring(deposit, fd, path, remote.file)
        except MismatchError:
            problem = "it is not what its name says"
        except OSError as error:  # of that cache; the store's own are `DiskError`
            problem = (error.strerror or str(error)).lower()
        if problem is not None:
            self._tell(Note(text=f"{where} is not adopted: {problem}", level="warning"))
        return problem is None

    def _bring(self, deposit: FileDeposit, fd: int, path: Path, file: FileEntry) -> str | None:
        """Bring one file; the reason, when it cannot come by link."""
        if deposit.offset == file.size_bytes:
            self._advance(file.size_bytes)
        elif self._mode == "link":
            if not deposit.take(lambda new: _link(path, fd, new), self._advance):
                return "it cannot be hard-linked into the store"
        elif not deposit.take(lambda new: clone(fd, new, mode=0o600), self._advance):
            self._copy(deposit, fd)
        deposit.commit()
        return None

    def _copy(self, deposit: FileDeposit, fd: int) -> None:
        deposit.restart()
        for chunk in read_chunks(fd):
            deposit.write(chunk)
            self._advance(len(chunk))


def _places(cache: Path, remote: RemoteFile) -> tuple[Path, Path]:
    folder = cache / remote.repo.cache_folder(remote.repo_type)
    return folder / "blobs" / remote.file.etag, folder / "snapshots" / remote.commit / remote.file.path


def _may_be(path: Path, remote: RemoteFile) -> tuple[int, int] | None:
    """Which file it is (device and inode), when it is worth opening."""
    try:
        found = path.stat()
    except OSError:
        return None
    fits = stat.S_ISREG(found.st_mode) and found.st_size == remote.file.size_bytes
    return (found.st_dev, found.st_ino) if fits else None


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """A descriptor for reading, through symlinks: that cache is made of them."""
    try:
        fd = os.open(path, _READ | _UNSEEN)
    except PermissionError:  # not the owner: then a read is seen, as everybody's is
        fd = os.open(path, _READ)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError("it is no regular file")
        yield fd
    finally:
        os.close(fd)


def _link(path: Path, fd: int, new: Path) -> bool:
    """Give the open file a second name; False when the path has come to mean another one."""
    return hardlink(path.resolve(), new) and os.path.samestat(os.fstat(fd), new.lstat())
