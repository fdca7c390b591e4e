"""What the stub has Linux enforce: namespaces, mounts, no capability, Landlock, a system call filter.

Runs alone, loaded by `stub` in the project's interpreter, with the standard library only. Owns the system
calls. A confinement is `confinement.Confinement` as JSON; nothing of it is decided here. A step that the
kernel refuses is written to stderr with its reason, and ends the process.
Source: `landlock(7)`, `seccomp(2)`, `mount_setattr(2)`, `capabilities(7)`.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys
from typing import Any, Optional

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 22, 24, 38
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION = 0x20080522
_CAPSET = {"x86_64": 126, "aarch64": 91}
_LAST_CAPABILITY = 63

_NAMESPACES = 0x10000000 | 0x00020000 | 0x40000000 | 0x08000000 | 0x04000000  # user, mount, net, ipc, uts
_NEW_PROCESSES = 0x20000000
_SET_FLAGS, _LOOPBACK_UP = 0x8914, 0x1 | 0x40
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_BIND, _MS_REC, _MS_PRIVATE = (
    *(1, 2, 4, 8, 0x1000, 0x4000),
    1 << 18,
)
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE = 442, -100, 0x8000
_ATTR_RDONLY, _ATTR_NOSUID = 1, 2
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - mounted anew, inside only

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_BELOW_PATH, _TCP_PORT = 1, 2
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_MAKE_DEVICES, _REFER, _TRUNCATE, _IOCTL = (1 << 6) | (1 << 11), 1 << 13, 1 << 14, 1 << 15
_OF_ABI_1 = (1 << 13) - 1
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_CONNECT_TCP, _TCP, _SCOPES = 2, 3, 3
_O_PATH = 0o10000000


def enter_namespaces(confinement: dict[str, Any]) -> None:
    """Leave the user's namespaces; a new one for processes begins with the next fork."""
    uid, gid = os.getuid(), os.getgid()
    _try("unshare", _call, _LIBC.unshare, _NAMESPACES | (_NEW_PROCESSES if confinement["processes"] else 0))
    for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        _try("uid map", _write, f"/proc/self/{name}", line)
    _try("loopback", _raise_loopback)


def arrange_mounts(confinement: dict[str, Any]) -> None:
    """Make the disk read-only but for what may be written, cover what is hidden, show own processes only."""
    _try("mount", _mount_all, confinement)
    if confinement["processes"]:
        _try("mount proc", _mount, "proc", "/proc", "proc", _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)


def confine(confinement: dict[str, Any]) -> None:
    """Take every privilege, then every path, port and system call that the order does not name; for good."""
    _try("capabilities", _drop_capabilities)
    _try("no_new_privs", _prctl, _PR_SET_NO_NEW_PRIVS, 1)
    _try("landlock", _restrict, confinement)
    _try("seccomp", _filter, bytes.fromhex(confinement["seccomp"]))


def _write(path: str, line: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(line)


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH14x", b"lo", _LOOPBACK_UP))


def _mount_all(confinement: dict[str, Any]) -> None:
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    _set_mount("/", _AT_RECURSIVE, _ATTR_RDONLY | _ATTR_NOSUID, 0)
    for path, writable in confinement["mounts"]:
        _mount(path, path, None, _MS_BIND | _MS_REC)
        _set_mount(path, 0, 0 if writable else _ATTR_RDONLY, _ATTR_RDONLY if writable else 0)
    for path, is_directory in confinement["masked"]:
        if is_directory:
            _mount("tmpfs", path, "tmpfs", _MS_RDONLY | _MS_NOSUID | _MS_NODEV)
        else:
            _mount("/dev/null", path, None, _MS_BIND)
    if confinement["shared_memory"] and os.path.isdir(_SHARED_MEMORY):
        _mount("tmpfs", _SHARED_MEMORY, "tmpfs", _MS_NOSUID | _MS_NODEV)


def _mount(source: Optional[str], target: str, kind: Optional[str], flags: int) -> None:  # noqa: UP045
    names = (None if name is None else os.fsencode(name) for name in (source, target, kind))
    _call(_LIBC.mount, *names, ctypes.c_ulong(flags), None)


def _set_mount(path: str, flags: int, added: int, removed: int) -> None:
    attributes = struct.pack("=QQQQ", added, removed, 0, 0)
    _syscall(_MOUNT_SETATTR, ctypes.c_int(_AT_FDCWD), os.fsencode(path), ctypes.c_uint(flags), attributes, 32)


def _drop_capabilities() -> None:
    for capability in range(_LAST_CAPABILITY + 1):
        # Who has none to drop may not drop; what nobody holds and `no_new_privs` bars does no harm.
        _LIBC.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
    _syscall(_CAPSET[os.uname().machine], header, bytes(24))


def _restrict(confinement: dict[str, Any]) -> None:
    abi, ports = confinement["abi"], confinement["ports"]
    handled = _OF_ABI_1 | sum(
        right for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL)) if abi >= since
    )
    attributes = struct.pack("=QQQ", handled, 0 if ports is None else _TCP, _SCOPES)[
        : 8 if abi < 4 else 16 if abi < 6 else 24
    ]
    ruleset = _syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0))
    read = _EXECUTE | _READ_FILE | _READ_DIR
    for kind, rights in (
        ("readable", read),
        ("listable", _READ_DIR),
        ("writable", ~_MAKE_DEVICES),
        ("devices", _READ_FILE | _WRITE_FILE | _TRUNCATE | _IOCTL),
    ):
        for path in confinement[kind]:
            _allow_below(ruleset, path, handled & rights)
    for port in (ports or []) if abi >= 4 else []:
        _add_rule(ruleset, _TCP_PORT, struct.pack("=QQ", _CONNECT_TCP, port))
    _syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    os.close(ruleset)


def _allow_below(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, _O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # a part of the system that is not here
    if not os.path.isdir(path):
        rights &= _OF_FILES
    _add_rule(ruleset, _BELOW_PATH, struct.pack("=Qi", rights, descriptor))
    os.close(descriptor)


def _add_rule(ruleset: int, kind: int, rule: bytes) -> None:
    _syscall(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(kind), rule, ctypes.c_uint32(0))


def _filter(program: bytes) -> None:
    steps = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("@HP", len(program) // 8, ctypes.addressof(steps))
    _call(_LIBC.prctl, _PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), described, 0, 0)


def _prctl(option: int, value: int) -> None:
    _call(_LIBC.prctl, option, ctypes.c_ulong(value), 0, 0, 0)


def _syscall(number: int, *arguments: Any) -> int:
    return _call(_LIBC.syscall, ctypes.c_long(number), *arguments)


def _call(function: Any, *arguments: Any) -> int:
    answer: int = function(*arguments)
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer


def _try(step: str, function: Any, *arguments: Any) -> None:
    """Do a step of the confinement; on stderr the parent reads which one the kernel refused, and why."""
    try:
        function(*arguments)
    except OSError as error:
        sys.stderr.write(f"mlxk: {step}: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(1)
