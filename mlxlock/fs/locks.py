"""One holder at a time, across processes; a killed holder lets go."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlxlock.errors import BusyError
from mlxlock.fs.refusals import disk_errors


def _nobody() -> None:
    """What `locked` tells when nobody listens."""


@contextmanager
def locked(path: Path, *, timeout_s: float, on_wait: Callable[[], None] = _nobody) -> Iterator[None]:
    """Hold a lock file alone, against other processes and other threads; a killed holder lets go.

    The file may be removed by who holds the lock: who waited for it notices and takes the new one.

    Args:
        path: The lock file; made when missing.
        timeout_s: How long to wait for another holder.
        on_wait: Called once when waiting begins.

    Raises:
        BusyError: Another process did not let go in time.
        DiskError: The lock file cannot be made.
    """
    fd = _acquire(path, time.monotonic() + timeout_s, on_wait)
    try:
        yield
    finally:
        os.close(fd)


def _acquire(path: Path, deadline: float, on_wait: Callable[[], None]) -> int:
    waited_s = 0.0
    while (fd := _try_lock(path)) is None:
        if not waited_s:
            on_wait()
        if time.monotonic() >= deadline:
            raise BusyError(f"another process holds `{path}`", hint=_holder_hint(path))
        waited_s = min(0.25, waited_s * 2 or 0.005)
        time.sleep(waited_s)
    return fd


def _try_lock(path: Path) -> int | None:
    with disk_errors(path, doing="lock"):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        held = False
        try:
            held = _flock(fd) and _still_named(fd, path)
        finally:
            if not held:
                os.close(fd)
    if held:
        _sign(fd)
    return fd if held else None


def _sign(fd: int) -> None:
    with suppress(OSError):  # only for another process's hint, and a full disk must not refuse a lock
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)


def _flock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _still_named(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False


def _holder_hint(path: Path) -> str:
    try:
        pid = path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        pid = ""
    return f"wait for process {pid} to end, or stop it" if pid.isdigit() else "wait for it to end, or stop it"
