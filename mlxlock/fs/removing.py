"""Removes a directory with all that is in it, whatever a stranger left there.

Owns that depth does not matter: `shutil.rmtree` recurses, and one first run that nests a thousand directories
would leave a scratch directory over which every later run stumbles. Directories are moved up before they are
emptied, so neither a stack nor a path grows. No symlink is followed.
"""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: Path) -> None:
    """Remove it; what the system does not let go of stays, and so does what it is in.

    Args:
        path: A directory in which nobody writes any more.
    """
    with suppress(OSError):
        root = os.open(path, _DIRECTORY)
        try:
            _empty(root)
        finally:
            os.close(root)
        path.rmdir()


def _empty(root: int) -> None:
    waiting = os.listdir(root)
    while waiting:
        name = waiting.pop()
        with suppress(OSError):
            if _is_directory(name, root):
                _dissolve(name, root, waiting)
            else:
                os.unlink(name, dir_fd=root)


def _dissolve(name: str, root: int, waiting: list[str]) -> None:
    """Remove one directory; those in it come up into the root, to wait for the same."""
    os.chmod(name, stat.S_IRWXU, dir_fd=root)
    fd = os.open(name, _DIRECTORY, dir_fd=root)
    try:
        for below in os.listdir(fd):  # noqa: PTH208 - a descriptor has no path
            if _is_directory(below, fd):
                waiting.append(_raise(below, fd, root))
            else:
                os.unlink(below, dir_fd=fd)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=root)


def _raise(name: str, fd: int, root: int) -> str:
    # A directory that is moved has to be writable itself: its `..` changes.
    os.chmod(name, stat.S_IRWXU, dir_fd=fd)
    raised = f"raised-{secrets.token_hex(8)}"
    os.rename(name, raised, src_dir_fd=fd, dst_dir_fd=root)
    return raised


def _is_directory(name: str, fd: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode)
