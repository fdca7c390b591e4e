"""The filter's program, run by a small interpreter of classic BPF; the real kernel's is in `test_escapes`."""

import struct

import pytest

from mlxlock.capture.seccomp import Rules, system_call_filter
from mlxlock.errors import SandboxError

ALLOWED = 0x7FFF0000
KILLED = 0x80000000
EPERM, ENOSYS, ENOTSUP, EAFNOSUPPORT = 1, 38, 95, 97
O_RDONLY, O_WRONLY, O_RDWR, O_TRUNC, O_NONBLOCK, O_CLOEXEC = 0, 1, 2, 0o1000, 0o4000, 0o2000000
REFUSED = 0x50000 | EPERM
DONE_NOTHING = 0x50000
NO_FAMILY = 0x50000 | EAFNOSUPPORT
X86_64, AARCH64, I386 = 0xC000003E, 0xC00000B7, 0x40000003
ARCHITECTURES = {"x86_64": X86_64, "aarch64": AARCH64}
SHARED = Rules(network="tcp", own_view=False, shared=True)


def verdict(
    number: int,
    *arguments: int,
    machine: str = "x86_64",
    architecture: int | None = None,
    rules: Rules | None = None,
) -> int:
    """What the kernel would answer to one system call."""
    program = list(struct.iter_unpack("=HBBI", system_call_filter(machine, rules or Rules())))
    data = struct.pack("=IIQ", number, architecture or ARCHITECTURES[machine], 0)
    data += struct.pack("=6Q", *arguments, *[0] * (6 - len(arguments)))
    place = accumulator = 0
    while True:
        code, if_true, if_false, operand = program[place]
        place += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("=I", data, operand)
            case 0x54:
                accumulator &= operand
            case 0x06:
                return int(operand)
            case 0x15 | 0x35 | 0x45:
                tests = {0x15: accumulator == operand, 0x35: accumulator >= operand}
                holds = tests.get(code, bool(accumulator & operand))
                place += if_true if holds else if_false
            case _:
                raise AssertionError(code)


@pytest.mark.parametrize(("machine", "number"), [("x86_64", 41), ("aarch64", 198)])
@pytest.mark.parametrize(
    ("rules", "families"),
    [
        (Rules(), {1, 2, 10, 16}),
        (Rules(own_view=False), {2, 10, 16}),
        (Rules(own_view=False, network="none"), set()),
        (SHARED, {2, 10}),
    ],
)
def test_only_known_families_open_sockets(
    machine: str, number: int, rules: Rules, families: set[int]
) -> None:
    answers = {family: verdict(number, family, 1, machine=machine, rules=rules) for family in range(64)}
    assert {family for family, answer in answers.items() if answer == ALLOWED} == families
    assert set(answers.values()) <= {ALLOWED, NO_FAMILY}


@pytest.mark.parametrize(
    ("kind", "protocol", "answer"),
    [
        (1, 0, ALLOWED),
        (1 | O_CLOEXEC | O_NONBLOCK, 6, ALLOWED),
        (1, 262, REFUSED),
        (2, 0, REFUSED),
        (3, 1, REFUSED),
    ],
    ids=["stream", "tcp", "multipath", "datagram", "raw"],
)
def test_only_tcp_is_left_where_landlock_limits_ports(kind: int, protocol: int, answer: int) -> None:
    for family in (2, 10):
        assert verdict(41, family, kind, protocol, rules=SHARED) == answer


@pytest.mark.parametrize(("number", "argument"), [(44, 3), (46, 2), (307, 3)])
def test_nothing_is_connected_by_sending(number: int, argument: int) -> None:
    for flags, answer in ((0x4000, ALLOWED), (0x20004000, REFUSED)):
        arguments = [7] * argument + [flags]
        assert verdict(number, *arguments, rules=SHARED) == answer
        assert verdict(number, *arguments) == ALLOWED


def test_pairs_of_sockets_are_streams() -> None:
    answers = [verdict(53, 1, kind, rules=Rules(own_view=False)) for kind in (1, 1 | O_CLOEXEC, 2, 5)]
    assert answers == [ALLOWED, ALLOWED, REFUSED, REFUSED]


@pytest.mark.parametrize(
    "number",
    [425, 426, 427, 248, 249, 250, 0x40000000 | 41, 272, 308, 165, 166, 155, 101, 310, 311, 321, 304],
)
def test_ways_around_are_refused(number: int) -> None:
    assert verdict(number) == REFUSED


def test_a_clone_is_only_a_process() -> None:
    assert verdict(56, 0x01200011) == ALLOWED
    assert {verdict(56, 1 << bit) for bit in (7, 17, 25, 26, 27, 28, 29, 30)} == {REFUSED}
    assert verdict(435) == 0x50000 | ENOSYS


@pytest.mark.parametrize(
    ("answer", "numbers"),
    [
        (DONE_NOTHING, (90, 91, 268, 452)),
        (REFUSED, (92, 93, 94, 260, 469)),
        (0x50000 | ENOTSUP, (188, 189, 190, 463, 197, 198, 199, 466)),
    ],
    ids=["modes", "owners", "attributes"],
)
def test_changes_that_landlock_does_not_see_are_not_made(answer: int, numbers: tuple[int, ...]) -> None:
    assert {verdict(number, 1, 1, 1, rules=SHARED) for number in numbers} == {answer}
    assert {verdict(number) for number in numbers} == {ALLOWED}


@pytest.mark.parametrize(("number", "before"), [(132, ()), (235, ()), (261, (7,)), (280, (7,))])
def test_times_are_not_set_and_a_touch_still_makes_a_file(number: int, before: tuple[int, ...]) -> None:
    path, times, nothing = 0x7F00, 0x7F80, 0
    assert verdict(number, *before, path, times, rules=SHARED) == DONE_NOTHING
    assert verdict(number, *before, path, nothing, rules=SHARED) == REFUSED
    assert verdict(number, *before, nothing, nothing, rules=SHARED) == DONE_NOTHING
    assert verdict(number, *before, path, times) == ALLOWED


@pytest.mark.parametrize("number", [29, 30, 64, 68, 240, 50])
def test_what_is_shared_with_the_user_is_refused(number: int) -> None:
    assert verdict(number, rules=SHARED) == REFUSED
    assert verdict(number) == ALLOWED


def test_nobody_watches_directories_that_are_not_the_childs() -> None:
    for number in (254, 301):
        assert verdict(number, rules=Rules(own_view=False)) == REFUSED
        assert verdict(number) == ALLOWED


def test_limits_and_file_flags_are_the_childs_own() -> None:
    assert (verdict(302, 0, rules=SHARED), verdict(302, 77, rules=SHARED)) == (ALLOWED, REFUSED)
    assert verdict(16, 3, 0x5401, rules=SHARED) == ALLOWED
    for request in (0x40086602, 0x401C5820, 0x40087602, 0x40806685, 0x800C6613):
        assert (verdict(16, 3, request, rules=SHARED), verdict(16, 3, request)) == (REFUSED, ALLOWED)


@pytest.mark.parametrize(("number", "flags_at"), [(2, 1), (257, 2)])
def test_nothing_is_truncated_by_reading_where_landlock_does_not_see_it(number: int, flags_at: int) -> None:
    old = Rules(truncates=False)
    for flags, answer in (
        (O_RDONLY | O_TRUNC, REFUSED),
        (O_WRONLY | O_TRUNC, ALLOWED),
        (O_RDWR | O_TRUNC, ALLOWED),
        (O_RDONLY, ALLOWED),
    ):
        assert verdict(number, *[0] * flags_at, flags, rules=old) == answer
        assert verdict(number, *[0] * flags_at, flags) == ALLOWED
    assert verdict(76, rules=old) == REFUSED
    assert verdict(437, rules=old) == 0x50000 | ENOSYS


def test_no_signal_reaches_the_guardian() -> None:
    rules = Rules(guardian=4711)
    for number in (62, 200, 234, 129, 297, 434):
        for target in (4711, 2**32 - 4711, 2**32 - 1):
            assert verdict(number, target, rules=rules) == REFUSED
        assert verdict(number, 4712, rules=rules) == ALLOWED
        assert verdict(number, 4711) == ALLOWED


def test_everything_else_is_allowed() -> None:
    refused = {number for number in range(470) if verdict(number) != ALLOWED}
    assert refused == {
        *(41, 101, 155, 165, 166, 248, 249, 250, 272, 298, 304, 308, 310, 311, 312, 321, 323),
        *(425, 426, 427, 428, 429, 430, 431, 432, 433, 435, 438, 442, 467),
    }


def test_another_architectures_calls_kill() -> None:
    assert verdict(1, architecture=I386) == KILLED


def test_an_unknown_machine_is_refused() -> None:
    with pytest.raises(SandboxError, match="`riscv64`"):
        system_call_filter("riscv64", Rules())
