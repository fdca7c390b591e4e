"""Who is still confined by a run's profile: how the stub finds on macOS what fled from its process group.

Runs alone, loaded by `stub` in the project's interpreter, with the standard library only. A profile stays on
every descendant, however often it forks. Owns the calls of `libproc` and `libsandbox`.
Source: `libproc.h`, `sandbox.h`.
"""

import ctypes

_LIBC = ctypes.CDLL(None)
_GLOBAL_NAME_UNREPORTED = 2 | 0x40000000
_SPARE = 64


def marked(mark: str, absent: str) -> list[int]:
    """Processes that may look up the mark, and not its neighbour: who is not confined may look up both."""
    size = _LIBC.proc_listallpids(None, 0) + _SPARE
    pids = (ctypes.c_int * size)()
    found = _LIBC.proc_listallpids(pids, ctypes.c_int(ctypes.sizeof(pids)))
    return [
        pid
        for pid in pids[: max(found, 0)]
        if pid > 1 and _looks_up(pid, mark) and not _looks_up(pid, absent)
    ]


def _looks_up(pid: int, name: str) -> bool:
    check = _LIBC.sandbox_check
    check.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int)  # what follows is variadic
    answer: int = check(pid, b"mach-lookup", _GLOBAL_NAME_UNREPORTED, ctypes.c_char_p(name.encode()))
    return answer == 0
