"""The filter's program, run by a small interpreter of classic BPF; the real kernel's is in `test_escapes`."""

import errno
import struct

import pytest

from mlxlock.capture.seccomp import network_filter
from mlxlock.errors import SandboxError

ALLOWED = 0x7FFF0000
KILLED = 0x80000000
X86_64, AARCH64, I386 = 0xC000003E, 0xC00000B7, 0x40000003


def verdict(machine: str, *, architecture: int, number: int, argument: int = 0) -> int:
    """What the kernel would answer to one system call."""
    program = list(struct.iter_unpack("=HBBI", network_filter(machine)))
    data = struct.pack("=IIQQ", number, architecture, 0, argument)
    place = accumulator = 0
    while True:
        code, if_true, if_false, operand = program[place]
        place += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, operand)
        elif code == 0x06:
            return int(operand)
        else:
            assert code in {0x15, 0x35}
            holds = accumulator == operand if code == 0x15 else accumulator >= operand
            place += if_true if holds else if_false


@pytest.mark.parametrize(
    ("machine", "architecture", "socket_number"), [("x86_64", X86_64, 41), ("aarch64", AARCH64, 198)]
)
def test_only_known_families_open_sockets(machine: str, architecture: int, socket_number: int) -> None:
    answers = {
        family: verdict(machine, architecture=architecture, number=socket_number, argument=family)
        for family in range(64)
    }
    assert {family for family, answer in answers.items() if answer == ALLOWED} == {1, 2, 10, 16}
    assert set(answers.values()) == {ALLOWED, 0x50000 | errno.EAFNOSUPPORT}


@pytest.mark.parametrize("number", [425, 426, 427, 248, 249, 250, 0x40000000 | 41])
def test_ways_around_are_refused(number: int) -> None:
    assert verdict("x86_64", architecture=X86_64, number=number) == 0x50000 | errno.EPERM


def test_everything_else_is_allowed() -> None:
    refused = {
        number for number in range(470) if verdict("x86_64", architecture=X86_64, number=number) != ALLOWED
    }
    assert refused == {41, 248, 249, 250, 425, 426, 427}


def test_another_architectures_calls_kill() -> None:
    assert verdict("x86_64", architecture=I386, number=1) == KILLED


def test_an_unknown_machine_is_refused() -> None:
    with pytest.raises(SandboxError, match="`riscv64`"):
        network_filter("riscv64")
