"""Builds a workspace in a process for which the filesystem has no links: `python -m ... BASE hard|none`.

A system call filter answers "not permitted" to `symlink`, and with `none` to `link` as well, as FAT does.
"""

import ctypes
import errno
import os
import struct
import sys
from pathlib import Path
from typing import Final

from tests.workspace.support import a_model, make_bench

SYMLINKS: Final = {"x86_64": (88, 266), "aarch64": (36,)}
LINKS: Final = {"x86_64": (86, 265), "aarch64": (37,)}
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x50000
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2


def forbid(numbers: tuple[int, ...]) -> None:
    """Let these system calls fail with EPERM, in this process, for good."""
    code = [_instruction(_LOAD, 0, 0)]
    code += [_instruction(_EQUAL, len(numbers) - at, number) for at, number in enumerate(numbers)]
    code += [_instruction(_RETURN, 0, _ALLOW), _instruction(_RETURN, 0, _ERRNO | errno.EPERM)]
    program = ctypes.create_string_buffer(b"".join(code))
    libc = ctypes.CDLL(None, use_errno=True)
    filtering = struct.pack("<HxxxxxxQ", len(code), ctypes.addressof(program))
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(_SECCOMP, _FILTER, filtering, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _instruction(code: int, jump: int, value: int) -> bytes:
    return struct.pack("<HBBI", code, jump, 0, value)


def main(base: str, links: str) -> None:
    machine = os.uname().machine
    forbid(SYMLINKS[machine] + (LINKS[machine] if links == "none" else ()))
    bench = make_bench(Path(base))
    tree = a_model(bench)
    bench.sync(tree)
    assert bench.plan(tree).is_empty, bench.plan(tree)
    assert bench.sync(tree).is_empty


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
