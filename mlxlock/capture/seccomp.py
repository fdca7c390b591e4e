"""A seccomp filter for what namespaces and Landlock leave open: sockets, namespaces, tracing, `io_uring`.

Owns the filter's program (classic BPF, as `bwrap --seccomp` and `prctl` take it) and the numbers of the
system calls in it. `AF_VSOCK` reaches the host of a virtual machine from any network namespace; `io_uring`
opens sockets without the system call that is filtered; keyrings belong to the user, not to a namespace;
Landlock sees neither a connection made by TCP Fast Open, nor other protocols than TCP, nor changed modes and
owners. Installs nothing itself. All numbers are Linux's, wherever this runs.
Source: `linux/seccomp.h`, `linux/bpf_common.h`, the kernel's system call tables.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from mlxlock.errors import SandboxError

_LOAD_WORD: Final = 0x20
_AND: Final = 0x54
_JUMP_EQUAL: Final = 0x15
_JUMP_GREATER_OR_EQUAL: Final = 0x35
_JUMP_SET: Final = 0x45
_RETURN: Final = 0x06
_ALLOW: Final = 0x7FFF0000
_KILL_PROCESS: Final = 0x80000000
_ERRNO: Final = 0x00050000

_NUMBER_AT: Final = 0
_ARCHITECTURE_AT: Final = 4
_ARGUMENTS_AT: Final = 16
_X32_NUMBERS: Final = 0x40000000

_ARCHITECTURES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_NUMBERS: Final[Mapping[str, tuple[int, int]]] = {
    "add_key": (248, 217),
    "bpf": (321, 280),
    "chmod": (90, -1),
    "chown": (92, -1),
    "clone": (56, 220),
    "clone3": (435, 435),
    "fanotify_mark": (301, 263),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "file_setattr": (469, 469),
    "fremovexattr": (199, 16),
    "fsconfig": (431, 431),
    "fsetxattr": (190, 7),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "futimesat": (261, -1),
    "inotify_add_watch": (254, 27),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioctl": (16, 29),
    "kcmp": (312, 272),
    "keyctl": (250, 219),
    "kill": (62, 129),
    "lchown": (94, -1),
    "listen": (50, 201),
    "lremovexattr": (198, 15),
    "lsetxattr": (189, 6),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "mq_open": (240, 180),
    "msgget": (68, 186),
    "open": (2, -1),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "open_tree_attr": (467, 467),
    "openat": (257, 56),
    "openat2": (437, 437),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "pivot_root": (155, 41),
    "prlimit64": (302, 261),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "removexattr": (197, 14),
    "removexattrat": (466, 466),
    "request_key": (249, 218),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "semget": (64, 190),
    "sendmmsg": (307, 269),
    "sendmsg": (46, 211),
    "sendto": (44, 206),
    "setns": (308, 268),
    "setxattr": (188, 5),
    "setxattrat": (463, 463),
    "shmat": (30, 196),
    "shmget": (29, 194),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "tgkill": (234, 131),
    "tkill": (200, 130),
    "truncate": (76, 45),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "utime": (132, -1),
    "utimensat": (280, 88),
    "utimes": (235, -1),
}
"""Numbers for x86_64 and aarch64; -1 for what aarch64 does not have."""

_ALWAYS: Final = (
    *("io_uring_setup", "io_uring_enter", "io_uring_register", "add_key", "request_key", "keyctl"),
    *("unshare", "setns", "mount", "umount2", "pivot_root", "move_mount", "open_tree", "open_tree_attr"),
    *("fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "bpf", "perf_event_open", "userfaultfd"),
    *("ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd", "open_by_handle_at"),
)
_WATCHES: Final = ("inotify_add_watch", "fanotify_mark")
_SHARED: Final = ("shmget", "shmat", "semget", "msgget", "mq_open", "listen")
"""What reaches other processes of the user where there is no namespace of the child's own."""

_MODES: Final = ("chmod", "fchmod", "fchmodat", "fchmodat2")
_OWNERS: Final = ("chown", "fchown", "fchownat", "lchown", "file_setattr")
_ATTRIBUTES: Final = (
    *("setxattr", "lsetxattr", "fsetxattr", "setxattrat"),
    *("removexattr", "lremovexattr", "fremovexattr", "removexattrat"),
)
_TIMES: Final = {"utime": (0, 1), "utimes": (0, 1), "futimesat": (1, 2), "utimensat": (1, 2)}
"""Which arguments have the path and the times."""
_SIGNALS: Final = ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open")
_SENDS: Final = {"sendto": 3, "sendmsg": 2, "sendmmsg": 3}
"""Which argument has the flags."""

_NEW_NAMESPACES: Final = 0x7E020080  # CLONE_NEW{USER,PID,NET,IPC,UTS,CGROUP}, NEWNS, NEWTIME
_FAST_OPEN: Final = 0x20000000
_TYPE_MASK: Final = 0xF
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_SOCK_STREAM, _IPPROTO_TCP = 1, 6
_O_ACCMODE, _O_TRUNC = 3, 0o1000
_EPERM, _ENOSYS, _ENOTSUP, _EAFNOSUPPORT = 1, 38, 95, 97
_SET_FILE_FLAGS: Final = (0x40086602, 0x401C5820, 0x40087602, 0x40806685, 0x800C6613)
"""`FS_IOC_SETFLAGS`, `FSSETXATTR`, `SETVERSION`, `ENABLE_VERITY`, `SET_ENCRYPTION_POLICY`."""
_EVERYBODY: Final = 0xFFFFFFFF

Step = tuple[int, int, int, int]
Block = tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a filter leaves open.

    Attributes:
        network: `namespace`: any traffic in a network namespace of its own; `tcp`: TCP, to be limited by
            Landlock; `none`: no internet sockets at all.
        own_view: Whether what the child may not see is not there at all. Else its names are: sockets that
            could reach a path or an abstract name are refused, and so are watches on directories.
        shared: Whether IPC, processes and mounts are those of the user: then IPC is refused, and nothing can
            change modes, owners, times and attributes, since Landlock does not limit that to a path. Programs
            that set modes or times go on as if they had.
        truncates: Whether a file opened for reading may be truncated; Landlock sees it from ABI 3 on.
        guardian: The process that no signal may reach; None where Landlock or a namespace keeps it safe.
    """

    network: Literal["namespace", "tcp", "none"] = "namespace"
    own_view: bool = True
    shared: bool = False
    truncates: bool = True
    guardian: int | None = None


def system_call_filter(machine: str, rules: Rules) -> bytes:
    """The filter's program for a machine as `platform.machine()` names it.

    Raises:
        SandboxError: Its system calls are not known here.
    """
    if machine not in _ARCHITECTURES:
        raise SandboxError(f"there is no system call filter for `{machine}`")
    column = list(_ARCHITECTURES).index(machine)
    steps = [*_entry(_ARCHITECTURES[machine])]
    for name, block in _blocks(rules).items():
        number = _NUMBERS[name][column]
        if number >= 0:
            steps += [(_JUMP_EQUAL, 0, len(block), number), *block]
    return b"".join(struct.pack("=HBBI", *step) for step in (*steps, (_RETURN, 0, 0, _ALLOW)))


def _entry(architecture: int) -> Block:
    return (
        (_LOAD_WORD, 0, 0, _ARCHITECTURE_AT),
        (_JUMP_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD_WORD, 0, 0, _NUMBER_AT),
        (_JUMP_GREATER_OR_EQUAL, 0, 1, _X32_NUMBERS),
        _refuse(_EPERM),
    )


def _blocks(rules: Rules) -> dict[str, Block]:
    """What happens at each call; every block returns, and `clone3` hides its flags from any filter."""
    blocks: dict[str, Block] = dict.fromkeys(_ALWAYS, (_refuse(_EPERM),))
    blocks |= {"clone": _refused_flags(0, _NEW_NAMESPACES), "clone3": (_refuse(_ENOSYS),)}
    blocks["socket"] = _socket(rules)
    if not rules.own_view:
        blocks |= {"socketpair": _socketpair(), **dict.fromkeys(_WATCHES, (_refuse(_EPERM),))}
    if rules.shared:
        blocks |= _shared()
    if not rules.truncates:
        blocks |= _untruncated()
    if rules.guardian is not None:
        blocks |= dict.fromkeys(_SIGNALS, _spared(rules.guardian))
    return blocks


def _shared() -> dict[str, Block]:
    blocks: dict[str, Block] = dict.fromkeys(_SHARED, (_refuse(_EPERM),))
    blocks |= dict.fromkeys(_MODES, (_refuse(0),))
    blocks |= dict.fromkeys(_OWNERS, (_refuse(_EPERM),))
    blocks |= dict.fromkeys(_ATTRIBUTES, (_refuse(_ENOTSUP),))
    blocks |= {name: _times(*arguments) for name, arguments in _TIMES.items()}
    blocks |= {name: _refused_flags(argument, _FAST_OPEN) for name, argument in _SENDS.items()}
    blocks["ioctl"] = _refused_values(1, _SET_FILE_FLAGS)
    blocks["prlimit64"] = (_argument(0), (_JUMP_EQUAL, 0, 1, 0), _allow(), _refuse(_EPERM))
    return blocks


def _socket(rules: Rules) -> Block:
    families = [_AF_UNIX] if rules.own_view else []
    if rules.network == "namespace":
        families += [_AF_INET, _AF_INET6, _AF_NETLINK]
    plain = [step for family in families for step in ((_JUMP_EQUAL, 0, 1, family), _allow())]
    inet = _tcp() if rules.network == "tcp" else ()
    return (_argument(0), *plain, *inet, _refuse(_EAFNOSUPPORT))


def _tcp() -> Block:
    """Allow streams of protocol 0 or TCP, the family being loaded; Landlock does not see MPTCP and SMC."""
    inner: Block = (
        _argument(1),
        (_AND, 0, 0, _TYPE_MASK),
        (_JUMP_EQUAL, 1, 0, _SOCK_STREAM),
        _refuse(_EPERM),
        _argument(2),
        (_JUMP_EQUAL, 1, 0, 0),
        (_JUMP_EQUAL, 0, 1, _IPPROTO_TCP),
        _allow(),
        _refuse(_EPERM),
    )
    return (
        (_JUMP_EQUAL, 1, 0, _AF_INET),
        (_JUMP_EQUAL, 0, len(inner), _AF_INET6),
        *inner,
    )


def _socketpair() -> Block:
    """Allow streams only: a datagram socket, paired or not, can send to any path."""
    return (
        _argument(1),
        (_AND, 0, 0, _TYPE_MASK),
        (_JUMP_EQUAL, 0, 1, _SOCK_STREAM),
        _allow(),
        _refuse(_EPERM),
    )


def _untruncated() -> dict[str, Block]:
    return {
        "truncate": (_refuse(_EPERM),),
        "openat2": (_refuse(_ENOSYS),),
        "open": _unless_read_only_truncation(1),
        "openat": _unless_read_only_truncation(2),
    }


def _unless_read_only_truncation(flags: int) -> Block:
    return (
        _argument(flags),
        (_JUMP_SET, 0, 2, _O_TRUNC),
        (_JUMP_SET, 1, 0, _O_ACCMODE),
        _refuse(_EPERM),
        _allow(),
    )


def _times(path: int, times: int) -> Block:
    """Do nothing, but refuse "now" for a path: to `Path.touch`, success would say that there is a file."""
    return (
        _argument(path),
        (_JUMP_EQUAL, 0, 1, 0),
        _refuse(0),
        _argument(times),
        (_JUMP_EQUAL, 0, 1, 0),
        _refuse(_EPERM),
        _refuse(0),
    )


def _spared(guardian: int) -> Block:
    """Refuse the guardian's process id, its group's, and everybody's."""
    return _refused_values(0, (guardian, _EVERYBODY + 1 - guardian, _EVERYBODY))


def _refused_flags(argument: int, flags: int) -> Block:
    return (_argument(argument), (_JUMP_SET, 0, 1, flags), _refuse(_EPERM), _allow())


def _refused_values(argument: int, values: Iterable[int]) -> Block:
    tests = [step for value in values for step in ((_JUMP_EQUAL, 0, 1, value), _refuse(_EPERM))]
    return (_argument(argument), *tests, _allow())


def _argument(index: int) -> Step:
    """Load the low half of an argument; the kernel reads no more of any that are looked at here."""
    return (_LOAD_WORD, 0, 0, _ARGUMENTS_AT + 8 * index)


def _allow() -> Step:
    return (_RETURN, 0, 0, _ALLOW)


def _refuse(number: int) -> Step:
    return (_RETURN, 0, 0, _ERRNO | number)
