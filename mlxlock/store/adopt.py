"""Takes files from the user's existing Hugging Face cache instead of downloading them again.

Each file is opened once, and everything (stat, bytes, hash) goes through that one descriptor, so that a file
that is swapped underneath cannot get in. That cache is never modified, and no bad byte is adopted.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from mlxlock.errors import MismatchError
from mlxlock.fs import read_chunks
from mlxlock.ports import Advanced, BlobStore, Finished, Note, OnEvent, Started
from mlxlock.spec.resolution import RemoteFile
from mlxlock.spec.toml_text import shown

TASK = "adopt"


def adopt(
    store: BlobStore,
    files: Sequence[RemoteFile],
    caches: Sequence[Path],
    mode: Literal["copy", "link"],
    on_event: OnEvent,
) -> tuple[RemoteFile, ...]:
    """Bring what the caches have into the store.

    Args:
        store: Where to.
        files: What is wanted.
        caches: Hub caches, such as `~/.cache/huggingface/hub`.
        mode: How; both are verified.
        on_event: Told of bytes, and of files that were not what their name says.

    Returns:
        Those that no cache had.
    """
    there = [remote for remote in files if any(_candidates(cache, remote) for cache in caches)]
    if not there:
        return tuple(files)
    total = sum(remote.file.size_bytes for remote in there)
    on_event(Started(task=TASK, label="Adopting", total=total))
    done = {remote for remote in there if _adopt_one(store, remote, caches, mode, on_event)}
    on_event(Finished(task=TASK))
    return tuple(remote for remote in files if remote not in done)


def _candidates(cache: Path, remote: RemoteFile) -> tuple[Path, ...]:
    """Where a hub cache would have it: the blob by its name, else the snapshot's file."""
    folder = cache / remote.repo.cache_folder(remote.repo_type)
    paths = (folder / "blobs" / remote.file.etag, folder / "snapshots" / remote.commit / remote.file.path)
    return tuple(path for path in paths if path.is_file())


def _adopt_one(
    store: BlobStore,
    remote: RemoteFile,
    caches: Sequence[Path],
    mode: Literal["copy", "link"],
    on_event: OnEvent,
) -> bool:
    for path in (path for cache in caches for path in _candidates(cache, remote)):
        with _opened(path, remote.file.size_bytes) as fd:
            if fd is None:
                continue
            try:
                _deposit(store, remote, fd, on_event)
            except MismatchError:
                text = f"`{shown(str(path))}` is not what its name says: not adopted"
                on_event(Note(text=text, level="warning"))
                continue
        del mode
        return True
    return False


@contextmanager
def _opened(path: Path, size_bytes: int) -> Iterator[int | None]:
    """A descriptor of a regular file of this size; None when it is something else."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    try:
        status = os.fstat(fd)
        fits = stat.S_ISREG(status.st_mode) and status.st_size == size_bytes
        yield fd if fits else None
    finally:
        os.close(fd)


def _deposit(store: BlobStore, remote: RemoteFile, fd: int, on_event: OnEvent) -> None:
    with store.deposit(remote.file) as deposit:
        if deposit.offset not in {0, remote.file.size_bytes}:
            deposit.restart()
        if deposit.offset == 0:
            for chunk in read_chunks(fd):
                deposit.write(chunk)
                on_event(Advanced(task=TASK, amount=len(chunk)))
        deposit.commit()
