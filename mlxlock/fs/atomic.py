"""Writes small files whole or not at all.

The new bytes wait in a file beside the old one; its name follows from the old one's, and its writer holds its
lock: what a killed process left there, the next writer clears away.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from blake3 import blake3

from mlxlock.fs.hashing import open_regular, read_chunks
from mlxlock.fs.refusals import disk_errors

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_EXISTING: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OTHER_BYTES: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EINVAL})


def write_all(fd: int, data: bytes | bytearray | memoryview) -> None:
    """Write every byte, however often the system stops short."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644) -> bool:
    """Give a file new bytes at once and for good; equal bytes are not written again.

    Args:
        path: Its directory must exist; a symlink is replaced, not followed.
        data: All bytes.
        mode: Permissions of a new file, less the umask.

    Returns:
        Whether anything was written.

    Raises:
        DiskError: The disk refuses; the old bytes are still there.
    """
    with disk_errors(path), _opened_directory(path.parent) as fd:
        return write_at(fd, path.name, data, mode)


def write_at(dir_fd: int, name: str, data: bytes, mode: int) -> bool:
    """`write_atomic`, relative to a directory's descriptor, with the system's own errors."""
    if _holds(dir_fd, name, data):
        return False
    with _temporary(dir_fd, name, mode) as (fd, temporary):
        write_all(fd, data)
        os.fsync(fd)
        os.replace(temporary, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
    os.fsync(dir_fd)
    return True


def _holds(dir_fd: int, name: str, data: bytes) -> bool:
    try:
        with open_regular(name, dir_fd=dir_fd) as fd:
            return os.fstat(fd).st_size == len(data) and b"".join(map(bytes, read_chunks(fd))) == data
    except OSError as error:
        if error.errno in _OTHER_BYTES:
            return False
        raise


@contextmanager
def _temporary(dir_fd: int, name: str, mode: int) -> Iterator[tuple[int, str]]:
    temporary = f".mlxk-{blake3(os.fsencode(name)).hexdigest()[:16]}.tmp"
    fd = _made_alone(dir_fd, temporary, mode)
    try:
        yield fd, temporary
    except BaseException:
        if _held(fd, dir_fd, temporary):
            os.unlink(temporary, dir_fd=dir_fd)
        raise
    finally:
        os.close(fd)


def _made_alone(dir_fd: int, name: str, mode: int) -> int:
    """A new, locked file of this name; waits for who is writing it, and clears away what nobody writes."""
    while True:
        try:
            fd = os.open(name, _CREATE, mode, dir_fd=dir_fd)
        except FileExistsError:
            _clear_away(dir_fd, name)
            continue
        if _held(fd, dir_fd, name):
            return fd
        os.close(fd)


def _clear_away(dir_fd: int, name: str) -> None:
    try:
        fd = os.open(name, _EXISTING, dir_fd=dir_fd)
    except FileNotFoundError:
        return
    try:
        if _held(fd, dir_fd, name):
            os.unlink(name, dir_fd=dir_fd)
    finally:
        os.close(fd)


def _held(fd: int, dir_fd: int, name: str) -> bool:
    """Whether this file, once nobody else holds it, still has that name."""
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        return os.path.samestat(os.fstat(fd), os.stat(name, dir_fd=dir_fd, follow_symlinks=False))
    except FileNotFoundError:
        return False


@contextmanager
def _opened_directory(path: Path) -> Iterator[int]:
    fd = os.open(path, _DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)
