"""Without a sandbox: what still holds for a program that behaves."""

import sys
from pathlib import Path

import pytest

from mlxlock.capture.none import NoSandbox
from mlxlock.errors import SandboxError
from mlxlock.ports import Job, Outcome
from tests.capture.conftest import ended_in_time, somebody_holds
from tests.capture.driver import GREETING, job_of


def run(code: str, *arguments: str, **order: object) -> Outcome:
    argv = [sys.executable, "-I", "-S", "-c", code, *arguments]
    return NoSandbox().run(job_of({"argv": argv, **order}))


def test_it_says_what_it_is() -> None:
    assert (NoSandbox().name, NoSandbox().level) == ("none", "none")


def test_the_port_is_written_into_the_environment() -> None:
    code = (
        "import os, socket\n"
        "with socket.create_connection(('127.0.0.1', int(os.environ['PORT']))) as c:\n"
        "    print(c.recv(99).decode())\n"
    )
    outcome = run(code, env={"PORT": "{hub}"}, services={"hub": 8001})
    assert outcome.stdout.strip() == GREETING.format("hub")


def test_the_environment_is_exactly_what_was_given() -> None:
    job = job_of({"argv": ["/usr/bin/env"], "env": {"ONLY": "this {hub}"}})
    assert NoSandbox().run(job).stdout == "ONLY=this {hub}\n"


_LEAVES = """
import fcntl, os, sys, time
fcntl.flock(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_EX)
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    open(sys.argv[1] + ".ready", "w").close()
    time.sleep(240)
while not os.path.exists(sys.argv[1] + ".ready"):
    time.sleep(0.01)
time.sleep(float(sys.argv[2]))
"""


@pytest.mark.parametrize(("lasts", "timed_out"), [("240", True), ("0", False)])
def test_what_left_its_session_ends_too(tmp_path: Path, lasts: str, timed_out: bool) -> None:
    held = tmp_path / "held"
    held.touch()

    def leave(timeout_s: float) -> Outcome:
        return run(_LEAVES, str(held), lasts, timeout_s=timeout_s)

    outcome = ended_in_time(tmp_path / "held.ready", leave) if timed_out else leave(100.0)
    assert (outcome.timed_out, outcome.exit_code) == (timed_out, 137 if timed_out else 0)
    assert (tmp_path / "held.ready").exists()
    assert not somebody_holds(held)


def test_a_signal_is_told_as_a_shell_tells_it() -> None:
    assert run("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)").exit_code == 139


def test_a_broken_pipe_kills_as_it_does_outside_of_python() -> None:
    job = job_of({"argv": ["/bin/sh", "-c", "yes | head -n 1; kill -s PIPE $$"]})
    outcome = NoSandbox().run(job)
    assert (outcome.stdout, outcome.exit_code) == ("y\n", 141)


def test_a_missing_program_is_no_outcome() -> None:
    with pytest.raises(SandboxError, match="no such program inside: /nowhere/program"):
        NoSandbox().run(job_of({"argv": ["/nowhere/program"]}))


def test_a_missing_directory_is_no_outcome() -> None:
    with pytest.raises(SandboxError, match="No such file or directory: /nowhere"):
        NoSandbox().run(job_of({"argv": ["/bin/sh"], "cwd": "/nowhere"}))


def test_a_program_that_cannot_be_executed_fails_like_in_a_shell(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"\0\0\0\0")
    garbage.chmod(0o755)
    outcome = NoSandbox().run(job_of({"argv": [str(garbage)]}))
    assert outcome.exit_code == 127
    assert "Exec format error" in outcome.stderr


def test_passed_through_output_is_the_callers(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    argv = (sys.executable, "-c", "import sys; print('seen', sys.stdout.isatty())")
    job = Job(argv=argv, env={}, cwd=Path("/"), readable=(), writable=(), timeout_s=100, passthrough=True)
    outcome = NoSandbox().run(job)
    assert outcome.stdout == ""
    assert capfdbinary.readouterr().out == b"seen False\n"
