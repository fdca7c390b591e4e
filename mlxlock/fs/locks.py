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
    """What is told that somebody waits, when nobody listens."""


def _wait_hint() -> str:
    return "wait for it to end, or stop it"


@contextmanager
def locked_file(
    path: Path,
    *,
    timeout_s: float,
    on_wait: Callable[[], None] = _nobody,
    hint: Callable[[], str] = _wait_hint,
) -> Iterator[int]:
    """Hold a file alone while working on it; made when missing. Yields a descriptor to read and write it.

    The holder may remove or rename the file: who waited for it notices and takes the new one.

    Args:
        path: The file, no symlink.
        timeout_s: How long to wait for another holder.
        on_wait: Called once when waiting begins.
        hint: Says what to do about another holder.

    Raises:
        BusyError: Another process did not let go in time.
        DiskError: The file cannot be made.
    """
    fd = _acquire(path, time.monotonic() + timeout_s, on_wait, hint)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def locked(path: Path, *, timeout_s: float, on_wait: Callable[[], None] = _nobody) -> Iterator[None]:
    """Hold a lock file alone, against other processes and other threads; a killed holder lets go.

    Args:
        path: The lock file; made when missing, and never removed.
        timeout_s: How long to wait for another holder.
        on_wait: Called once when waiting begins.

    Raises:
        BusyError: Another process did not let go in time.
        DiskError: The lock file cannot be made.
    """
    with locked_file(path, timeout_s=timeout_s, on_wait=on_wait, hint=lambda: _holder_hint(path)) as fd:
        _sign(fd)
        yield


def _acquire(path: Path, deadline: float, on_wait: Callable[[], None], hint: Callable[[], str]) -> int:
    waited_s = 0.0
    while (fd := _try_lock(path)) is None:
        if not waited_s:
            on_wait()
        if time.monotonic() >= deadline:
            raise BusyError(f"another process holds `{path}`", hint=hint())
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
    return f"wait for process {pid} to end, or stop it" if pid.isdigit() else _wait_hint()
