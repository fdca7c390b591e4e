"""Three ways from one file to another: clone, hard link, hashed copy. Each says when it cannot."""

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from mlxlock.errors import MismatchError
from mlxlock.fs.atomic import write_all
from mlxlock.fs.hashing import Hasher, open_regular, read_chunks
from mlxlock.fs.refusals import disk_errors
from mlxlock.spec.digest import Blake3

if sys.platform == "darwin":
    import ctypes

    _AT_FDCWD: Final = -2
else:
    import fcntl

    _FICLONE: Final = 0x40049409

_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_CLONE: Final = frozenset(
    {errno.EOPNOTSUPP, errno.ENOTSUP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS}
)
_NO_LINK: Final = frozenset({errno.EOPNOTSUPP, errno.ENOTSUP, errno.EXDEV, errno.EMLINK, errno.EPERM})


def clone(src: Path | int, dst: Path, *, mode: int = 0o644) -> bool:
    """Make a private copy that shares its blocks until one of both is written (APFS, Btrfs, XFS).

    Args:
        src: A path (no symlink) or a descriptor.
        dst: Must not exist.
        mode: Permissions, less the umask.

    Returns:
        False when this filesystem cannot; nothing is left then.

    Raises:
        DiskError: Any other refusal.
    """
    with disk_errors(dst, doing="clone to"):
        return clone_at(src, dst, mode)


def clone_at(src: Path | int, dst: Path | str, mode: int, dir_fd: int | None = None) -> bool:
    """`clone`, relative to a directory's descriptor, with the system's own errors."""
    try:
        if isinstance(src, int):
            _clone_descriptor(src, dst, mode, dir_fd)
        else:
            with open_regular(src) as fd:
                _clone_descriptor(fd, dst, mode, dir_fd)
    except OSError as error:
        if error.errno in _NO_CLONE:
            return False
        raise
    return True


if sys.platform == "darwin":

    def _clone_descriptor(src: int, dst: Path | str, mode: int, dir_fd: int | None) -> None:
        # fclonefileat makes the file itself and copies the source's mode: a file made first says what the
        # umask leaves of ours.
        with _created(dst, mode, dir_fd) as fd:
            masked = stat.S_IMODE(os.fstat(fd).st_mode)
            os.unlink(dst, dir_fd=dir_fd)
            _fclonefileat(src, _AT_FDCWD if dir_fd is None else dir_fd, dst)
            os.chmod(dst, masked, dir_fd=dir_fd, follow_symlinks=False)

    def _fclonefileat(src: int, dir_fd: int, dst: Path | str) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.fclonefileat(src, dir_fd, os.fsencode(dst), 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(dst))

else:

    def _clone_descriptor(src: int, dst: Path | str, mode: int, dir_fd: int | None) -> None:
        with _created(dst, mode, dir_fd) as fd:
            fcntl.ioctl(fd, _FICLONE, src)


def hardlink(src: Path, dst: Path) -> bool:
    """Give a file a second name.

    Returns:
        False when these filesystems cannot (another disk, no links, too many links).

    Raises:
        DiskError: Any other refusal, an existing `dst` included.
    """
    with disk_errors(dst, doing="link to"):
        return hardlink_at(src, dst)


def hardlink_at(src: Path, dst: Path | str, dir_fd: int | None = None) -> bool:
    """`hardlink`, relative to a directory's descriptor, with the system's own errors."""
    try:
        os.link(src, dst, dst_dir_fd=dir_fd, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NO_LINK:
            return False
        raise
    return True


def copy_hashed(src: Path, dst: Path, expected: Blake3, *, mode: int = 0o644) -> None:
    """Copy a file and compare what was copied; nothing is left at `dst` when it differs.

    Args:
        src: No symlink.
        dst: Must not exist.
        expected: What the bytes must hash to.
        mode: Permissions, less the umask.

    Raises:
        MismatchError: The bytes are other ones.
        DiskError: The disk refuses.
    """
    with disk_errors(dst, doing=f"copy `{src}` to"):
        copy_at(src, dst, expected, mode)


def copy_at(src: Path, dst: Path | str, expected: Blake3, mode: int, dir_fd: int | None = None) -> None:
    """`copy_hashed`, relative to a directory's descriptor, with the system's own errors."""
    with open_regular(src) as fd, _created(dst, mode, dir_fd) as out:
        _copy(fd, out, src, expected)


def _copy(fd: int, out: int, src: Path, expected: Blake3) -> None:
    hasher = Hasher(0, ("blake3",))
    for chunk in read_chunks(fd):
        hasher.update(chunk)
        write_all(out, chunk)
    actual = hasher.digests().blake3
    if actual != expected:
        details = (f"expected: blake3:{expected}", f"actual: blake3:{actual}")
        raise MismatchError(f"`{src}` changed", hint="run `mlxk verify`", details=details)


@contextmanager
def _created(dst: Path | str, mode: int, dir_fd: int | None) -> Iterator[int]:
    """A new file, gone again when the body fails."""
    fd = os.open(dst, _CREATE, mode, dir_fd=dir_fd)
    try:
        yield fd
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(dst, dir_fd=dir_fd)
        raise
    finally:
        os.close(fd)
