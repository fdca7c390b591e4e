"""What a filesystem refuses, in one sentence with a cure; and what it can still take."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mlxlock.errors import DiskError

_FULL: Final = "free some space there, then run the same command again"
_RIGHTS: Final = "see who owns it with `ls -ld`, and give yourself the right to write there"
_CAUSES: Final[dict[int, tuple[str, str]]] = {
    errno.ENOSPC: ("no space left on its disk", _FULL),
    errno.EDQUOT: ("your disk quota is used up", _FULL),
    errno.EFBIG: ("the file is larger than this filesystem or `ulimit -f` allows", "use another disk"),
    errno.EROFS: ("its filesystem is read-only", "mount it writable, or use another directory"),
    errno.EACCES: ("permission denied", _RIGHTS),
    errno.EPERM: ("operation not permitted", _RIGHTS),
    errno.EIO: ("the disk reports an input/output error", "check the disk before you trust its bytes"),
    errno.EMFILE: ("too many open files", "raise the limit with `ulimit -n 4096`"),
    errno.ENOTDIR: ("a part of the path is a symlink or a file", "move it out of the way"),
    errno.ELOOP: ("a part of the path is a symlink", "move it out of the way"),
    errno.ENOENT: ("it does not exist", "look whether its directory was moved or removed"),
}


@contextmanager
def disk_errors(path: Path | str, doing: str = "write") -> Iterator[None]:
    """Translate what a filesystem refuses into one sentence with a cure.

    Args:
        path: What the body works on.
        doing: The verb after "cannot".

    Raises:
        DiskError: The body raised an `OSError`.
    """
    try:
        yield
    except OSError as error:
        known = _CAUSES.get(error.errno or 0)
        cause, hint = known or (str(error.strerror or error).lower(), "check that directory and its disk")
        raise DiskError(f"cannot {doing} `{path}`: {cause}", hint=hint) from error


def free_bytes(path: Path) -> int:
    """Bytes that this user may still write on the disk of `path` (or of the nearest parent that exists)."""
    existing = next(parent for parent in [path.absolute(), *path.absolute().parents] if parent.exists())
    return shutil.disk_usage(existing).free


def same_filesystem(a: Path, b: Path) -> bool:
    """Whether a hard link from one existing path to the other is thinkable.

    Raises:
        DiskError: One of them cannot be looked at.
    """
    with disk_errors(a, doing="look at"):
        left = a.stat().st_dev
    with disk_errors(b, doing="look at"):
        return left == b.stat().st_dev
