"""The Seatbelt profile as goldens, and the way of a job through `sandbox-exec`, here a stand-in for it.

On macOS, the `macos` job of the workflow runs the escape suite under the real one.
"""

import re
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from mlxlock.capture.diagnosis import explain_seatbelt
from mlxlock.capture.macos_seatbelt import Seatbelt, _close_other_address
from mlxlock.capture.seatbelt_profile import Below, absent_mark, seatbelt_profile
from mlxlock.errors import SandboxError
from tests.capture.driver import GREETING, job_of
from tests.guards import REAL_ENVIRONMENT

GOLDENS = Path(__file__).parent / "seatbelt"
REGEN = "MLXK_REGEN_SEATBELT"
HOME = "/Users/ada"
VENV = Below(path=f"{HOME}/src/app/.venv", writable=False)
WORKSPACE = Below(path="/private/var/folders/zz/run/models", writable=False)
CACHE = Below(path="/private/var/folders/zz/run/models/.hf_cache", writable=True)
SCRATCH = Below(path="/private/var/folders/zz/run/scratch", writable=True)
PROJECT = Below(path=f"{HOME}/src/app", writable=False)


def made(name: str) -> str:
    hidden = list[str]()
    ports = list[int]()
    match name:
        case "capture":
            shown, ports = [VENV, WORKSPACE, SCRATCH, CACHE], [43110, 43111]
        case "proof":
            shown = [VENV, WORKSPACE, SCRATCH]
        case _:
            shown, ports = [PROJECT, VENV, WORKSPACE, SCRATCH, CACHE], [43110]
            hidden = [f"{HOME}/src/app/.env", f"{HOME}/src/app/.git"]
    return seatbelt_profile(shown, hidden=hidden, ports=ports, home=HOME, mark="mlxk.run")


@pytest.mark.parametrize("name", ["capture", "proof", "command"])
def test_a_profile_is_as_it_was_reviewed(name: str) -> None:
    golden = GOLDENS / f"{name}.sb"
    if REAL_ENVIRONMENT.get(REGEN):
        golden.write_text(made(name), encoding="utf-8")
    assert made(name) == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["capture", "proof", "command"])
def test_a_profile_is_balanced_and_opens_nothing_wide(name: str) -> None:
    text = made(name)
    bare = re.sub(r'"(\\.|[^"\\])*"', "", text)
    depths = [bare[: place + 1].count("(") - bare[: place + 1].count(")") for place in range(len(bare))]
    assert min(depths) >= 0
    assert depths[-1] == 0
    assert not re.search(r"\(local ip|mDNSResponder|allow default|network\*\)\)|allow network\*", text)
    assert text.count("(allow network-outbound") == {"capture": 2, "proof": 0, "command": 1}[name]


def test_the_last_matching_rule_is_the_intended_one() -> None:
    lines = made("command").splitlines()

    def last(words: str) -> int:
        return max(number for number, line in enumerate(lines) if words in line)

    closed = last(f'(subpath "{HOME}"))')
    opened = last(f'(allow file-read* (subpath "{PROJECT.path}"))')
    assert closed < opened < last(f'(deny file-read* file-write* (subpath "{PROJECT.path}/.git"))')
    assert last("(allow sysctl-read)") < last("kern.procargs")
    assert last("(deny network*)") < last("(allow network-outbound")
    read_only, writable = (
        last(f'(deny file-write* (subpath "{WORKSPACE.path}"))'),
        last(f'(subpath "{CACHE.path}"))'),
    )
    assert read_only < writable


def test_a_path_cannot_end_its_string() -> None:
    path = '/tmp/a"))(allow default)(deny file-read* (subpath "\\'  # noqa: S108 - a name only
    text = seatbelt_profile(
        [Below(path=path, writable=False)], hidden=(), ports=(), home=None, mark="mlxk.run"
    )
    bare = re.sub(r'"(\\.|[^"\\])*"', "", text)
    assert "allow default" not in bare
    assert bare.count("(") == bare.count(")")


def test_the_marks_neighbour_is_not_to_be_looked_up() -> None:
    assert f'"{absent_mark("mlxk.run")}"' not in made("capture")
    assert '"mlxk.run"' in made("capture")


def seatbelt(tmp_path: Path, script: str) -> Seatbelt:
    """A stand-in for `sandbox-exec`, which has the profile's path in `$2` and the program behind it."""
    program = tmp_path / "sandbox-exec"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    program.chmod(0o755)
    return Seatbelt(python=Path(sys.executable), visible=(), program=program)


def test_a_job_runs_behind_its_profile_with_the_ports_it_really_has(tmp_path: Path) -> None:
    code = (
        "import os, socket\n"
        "port = int(os.environ['HUB'])\n"
        "print(socket.create_connection(('127.0.0.1', port)).recv(99).decode(), port)\n"
        "try:\n"
        "    socket.create_server(('::1', port), family=socket.AF_INET6)\n"
        "except OSError:\n"
        "    print('taken')\n"
    )
    work, kept = tmp_path / "work", tmp_path / "kept.sb"
    work.mkdir()
    script = f'[ "$1" = -f ] && cp "$2" {kept} && shift 2 && exec "$@"'
    argv = [sys.executable, "-I", "-S", "-c", code]
    order = {"argv": argv, "env": {"HUB": "{hub}"}, "services": {"hub": 8001}, "writable": [str(work)]}
    outcome = seatbelt(tmp_path, script).run(job_of(order))
    greeting, port = outcome.stdout.splitlines()[0].rsplit(" ", 1)
    assert greeting == GREETING.format("hub"), outcome.stderr
    assert outcome.stdout.splitlines()[1] == "taken"
    text = kept.read_text(encoding="utf-8")
    assert f'(allow network-outbound (remote ip "localhost:{port}"))' in text
    assert f'(allow file-read* file-write* (subpath "{work.resolve()}"))' in text


@pytest.mark.parametrize(
    ("said", "code", "cause", "cure"),
    [
        ("sandbox-exec: sandbox_apply: Operation not permitted", 71, "another sandbox", "outside"),
        ("sandbox-exec: execvp() of 'x' failed: No such file or directory", 71, "cannot be started", "name"),
        ("sandbox-exec: profile.sb:3: unbound variable", 65, "does not work here", "--no-sandbox"),
    ],
)
def test_a_refusal_of_sandbox_exec_is_no_outcome(
    tmp_path: Path, said: str, code: int, cause: str, cure: str
) -> None:
    with pytest.raises(SandboxError) as caught:
        seatbelt(tmp_path, f'echo "{said}" >&2; exit {code}').run(job_of({"argv": ["/bin/sh"]}))
    assert cause in caught.value.reason
    assert cure in str(caught.value.hint)
    assert explain_seatbelt(said).details == (said,)


def test_a_child_that_ends_like_that_by_itself_is_an_outcome(tmp_path: Path) -> None:
    outcome = seatbelt(tmp_path, "echo mine >&2; exit 71").run(job_of({"argv": ["/bin/sh"]}))
    assert (outcome.exit_code, outcome.stderr) == (71, "mine\n")


def test_a_port_whose_other_half_is_taken_is_refused() -> None:
    with (
        socket.create_server(("::1", 0), family=socket.AF_INET6) as taken,
        ExitStack() as stack,
        pytest.raises(SandboxError, match="of `::1` is taken"),
    ):
        _close_other_address([taken.getsockname()[1]], stack)
