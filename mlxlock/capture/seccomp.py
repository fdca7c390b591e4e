"""A seccomp filter for what namespaces leave open: other socket families, `io_uring`, kernel keyrings.

Owns the filter's program (classic BPF, as `bwrap --seccomp` and `prctl` take it). `AF_VSOCK` reaches the host
of a virtual machine from any network namespace; `io_uring` opens sockets without the system call that is
filtered; keyrings belong to the user, not to a namespace. Installs nothing itself.
Source: `linux/seccomp.h`, `linux/bpf_common.h`, the kernel's system call tables.
"""

import errno
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mlxlock.errors import SandboxError

_LOAD_WORD: Final = 0x20
_JUMP_EQUAL: Final = 0x15
_JUMP_GREATER_OR_EQUAL: Final = 0x35
_RETURN: Final = 0x06
_ALLOW: Final = 0x7FFF0000
_KILL_PROCESS: Final = 0x80000000
_ERRNO: Final = 0x00050000

_NUMBER_AT: Final = 0
_ARCHITECTURE_AT: Final = 4
_FIRST_ARGUMENT_AT: Final = 16
_X32_NUMBERS: Final = 0x40000000
_IO_URING: Final = (425, 426, 427)
_FAMILIES: Final = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, 16)  # 16 is AF_NETLINK, Linux only


@dataclass(frozen=True, slots=True, kw_only=True)
class _Machine:
    architecture: int
    socket: int
    keyrings: tuple[int, ...]


_MACHINES: Final = {
    "x86_64": _Machine(architecture=0xC000003E, socket=41, keyrings=(248, 249, 250)),
    "aarch64": _Machine(architecture=0xC00000B7, socket=198, keyrings=(217, 218, 219)),
}


def network_filter(machine: str) -> bytes:
    """The filter's program for a machine as `platform.machine()` names it.

    Raises:
        SandboxError: Its system calls are not known here.
    """
    if machine not in _MACHINES:
        raise SandboxError(f"there is no system call filter for `{machine}`")
    return b"".join(struct.pack("=HBBI", *step) for step in _program(_MACHINES[machine]))


def _program(machine: _Machine) -> Iterator[tuple[int, int, int, int]]:
    """Steps of (code, jump if true, jump if false, operand)."""
    yield (_LOAD_WORD, 0, 0, _ARCHITECTURE_AT)
    yield (_JUMP_EQUAL, 1, 0, machine.architecture)
    yield (_RETURN, 0, 0, _KILL_PROCESS)
    yield (_LOAD_WORD, 0, 0, _NUMBER_AT)
    yield (_JUMP_GREATER_OR_EQUAL, 0, 1, _X32_NUMBERS)
    yield (_RETURN, 0, 0, _ERRNO | errno.EPERM)
    for number in (*_IO_URING, *machine.keyrings):
        yield (_JUMP_EQUAL, 0, 1, number)
        yield (_RETURN, 0, 0, _ERRNO | errno.EPERM)
    yield (_JUMP_EQUAL, 1, 0, machine.socket)
    yield (_RETURN, 0, 0, _ALLOW)
    yield (_LOAD_WORD, 0, 0, _FIRST_ARGUMENT_AT)
    for family in _FAMILIES:
        yield (_JUMP_EQUAL, 0, 1, int(family))
        yield (_RETURN, 0, 0, _ALLOW)
    yield (_RETURN, 0, 0, _ERRNO | errno.EAFNOSUPPORT)
