"""Writes small files whole or not at all."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from mlxlock.fs.hashing import open_regular, read_chunks
from mlxlock.fs.refusals import disk_errors

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
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
    with _temporary(dir_fd, mode) as (fd, temporary):
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
def _temporary(dir_fd: int, mode: int) -> Iterator[tuple[int, str]]:
    name = f".mlxk-{secrets.token_hex(8)}.tmp"
    fd = os.open(name, _CREATE, mode, dir_fd=dir_fd)
    try:
        yield fd, name
    finally:
        os.close(fd)
        with suppress(FileNotFoundError):  # it has got its real name
            os.unlink(name, dir_fd=dir_fd)


@contextmanager
def _opened_directory(path: Path) -> Iterator[int]:
    fd = os.open(path, _DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)
