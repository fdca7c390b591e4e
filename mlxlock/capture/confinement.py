"""What the stub puts around a child with the kernel's own means, worked out from a job.

Owns the allow-list for Landlock (what a job names, what programs need of the system, nothing else) and which
masks and mounts a mount namespace gets. The stub does as it is told; nothing here touches the kernel but to
ask for Landlock's version.
"""

import ctypes
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlxlock.capture.seccomp import Rules, system_call_filter
from mlxlock.capture.view import SYSTEM_DIRECTORIES, SYSTEM_FILES, Mount, masks, mounts, user_home
from mlxlock.errors import SandboxError
from mlxlock.ports import Job

_CREATE_RULESET: Final = 444
_ASK_VERSION: Final = 1
_DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
_OWN_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - mounted anew, inside only
_OWN_PROC: Final = ("/proc",)
_HOST_PROC: Final = (
    *("/proc/self", "/proc/cpuinfo", "/proc/filesystems", "/proc/loadavg", "/proc/meminfo"),
    *("/proc/stat", "/proc/sys", "/proc/uptime", "/proc/version", "/proc/vmstat"),
)
"""What the host's `/proc` tells of the machine and of the child, and of no other process."""

NETWORK_ABI: Final = 4
"""Landlock limits TCP from this version on (Linux 6.7)."""
_TRUNCATE_ABI: Final = 3
_SIGNALS_ABI: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """An order to the stub.

    Attributes:
        namespaces: Whether the child gets user, network, IPC, host name and mount namespaces.
        processes: Whether it gets a process id namespace too, and a `/proc` of it.
        mounts: With namespaces: what may be written, or not although it lies in what may be, outermost
            first; all else is read-only.
        masked: With namespaces: what is covered, and whether it is a directory.
        shared_memory: With namespaces: whether the child gets a `/dev/shm` of its own; not when paths of the
            job lie there.
        abi: Which of Landlock's versions to use.
        readable: To be read and executed, with everything below.
        listable: Of which only the names below may be listed.
        writable: To be read and written, with everything below.
        devices: To be read and written.
        ports: To be connected to by TCP; every other is refused from ABI 4 on. None in a network namespace,
            where there is nothing else to connect to.
        seccomp: The system call filter's program, in hexadecimal.
    """

    namespaces: bool
    processes: bool
    mounts: tuple[tuple[str, bool], ...]
    masked: tuple[tuple[str, bool], ...]
    shared_memory: bool
    abi: int
    readable: tuple[str, ...]
    listable: tuple[str, ...]
    writable: tuple[str, ...]
    devices: tuple[str, ...]
    ports: tuple[int, ...] | None
    seccomp: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What the kernel lets a backend use.

    Attributes:
        namespaces: See `Confinement`.
        processes: See `Confinement`.
        abi: Landlock's version, or less.
        visible: Paths that every job may read beside its own.
    """

    namespaces: bool
    processes: bool
    abi: int
    visible: tuple[Path, ...]


def landlock_abi() -> int:
    """Landlock's version here; 0 when the kernel has none, or it is switched off."""
    found = ctypes.CDLL(None).syscall(
        ctypes.c_long(_CREATE_RULESET), None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION)
    )
    return max(int(found), 0)


def confine(job: Job, means: Means, ports: Mapping[str, int], guardian: int) -> Confinement:
    """Work out what keeps a job in.

    Args:
        job: The job.
        means: What there is to keep it in with.
        ports: The ports that its services really have.
        guardian: The process that ends everything, and that no signal of the job may reach.

    Raises:
        SandboxError: A path would open too much, or cannot be kept read-only by these means.
    """
    shown = mounts((*means.visible, *job.readable), job.writable, home=user_home())
    hidden = masks(job.hidden, shown)
    if not means.namespaces:
        _check_nesting(shown)
    own_memory = means.namespaces and not any(_OWN_SHARED_MEMORY in mount.target.parents for mount in shown)
    listable, parted = _parted(shown, () if means.namespaces else hidden)
    return Confinement(
        namespaces=means.namespaces,
        processes=means.processes,
        mounts=tuple((str(mount.target), mount.writable) for mount in shown if _is_apart(mount, shown)),
        masked=tuple((str(mask.target), mask.source.is_dir()) for mask in hidden),
        shared_memory=own_memory,
        abi=means.abi,
        readable=(
            *SYSTEM_DIRECTORIES,
            *SYSTEM_FILES,
            *(_OWN_PROC if means.processes else _HOST_PROC),
            *parted,
        ),
        listable=listable,
        writable=tuple(_writable(shown, own_memory=own_memory)),
        devices=_DEVICES,
        ports=None if means.namespaces else tuple(ports.values()),
        seccomp=system_call_filter(platform.machine(), _rules(means, ports, guardian)).hex(),
    )


def _rules(means: Means, ports: Mapping[str, int], guardian: int) -> Rules:
    exposed = means.abi < _SIGNALS_ABI and not means.processes
    return Rules(
        network="namespace" if means.namespaces else "tcp" if ports else "none",
        own_view=False,
        shared=not means.namespaces,
        truncates=means.abi >= _TRUNCATE_ABI,
        guardian=guardian if exposed else None,
    )


def _is_apart(mount: Mount, shown: Sequence[Mount]) -> bool:
    """Whether it differs from the read-only disk, or from the writable mount that it lies in."""
    return mount.writable or any(above.writable and above.target in mount.target.parents for above in shown)


def _check_nesting(shown: Sequence[Mount]) -> None:
    """Refuse what an allow-list cannot say: write here, but not there below it."""
    for mount in shown:
        if not mount.writable and _is_apart(mount, shown):
            raise SandboxError(
                f"`{mount.target}` cannot be kept read-only inside a writable directory without namespaces"
            )


def _writable(shown: Sequence[Mount], *, own_memory: bool) -> Iterator[str]:
    yield from (str(mount.target) for mount in shown if mount.writable)
    if own_memory:
        yield str(_OWN_SHARED_MEMORY)


def _parted(shown: Sequence[Mount], hidden: Sequence[Mount]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What may only be listed and what may be read: around hidden paths, each neighbour by itself."""
    listable, readable = list[str](), list[str]()
    covered = {mask.target for mask in hidden}
    pending = [mount.target for mount in shown if not mount.writable]
    while pending:
        path = pending.pop()
        if path in covered:
            continue
        if any(path in mask.parents for mask in covered):
            listable.append(str(path))
            pending += [below for below in sorted(path.iterdir()) if not below.is_symlink()]
        else:
            readable.append(str(path))
    return tuple(listable), tuple(readable)
