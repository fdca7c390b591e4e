"""The level that follows from an escape probe, and for how long it is remembered."""

import json
import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mlxlock.capture.canaries import Answer, canaries
from mlxlock.capture.candidate import Candidate, Level
from mlxlock.capture.measure import ESCAPE, TOLERATED, grade, measure
from mlxlock.capture.measured import known_level, remember
from mlxlock.capture.none import NoSandbox
from mlxlock.errors import DiskError, SandboxError
from mlxlock.ports import Job, Outcome
from tests.capture.conftest import linux

PYTHON = Path(sys.executable)
HELD: dict[str, Answer] = dict.fromkeys(
    ["ports", "home", "token", "sockets", "writes", "processes", *TOLERATED], False
)


@pytest.mark.parametrize(
    ("claims", "reached", "level"),
    [
        ("full", {}, "full"),
        ("partial", {}, "partial"),
        ("full", {"addresses": True}, "partial"),
        ("full", {"survivors": None}, "partial"),
        ("partial", {"hidden-names": True, "signals": True}, "partial"),
        ("full", {"home": None}, "partial"),
        ("partial", {"home": None}, None),
        ("full", {"home": True}, None),
        ("full", {"ports": True, "addresses": True}, None),
        ("partial", {"token": True}, None),
    ],
)
def test_what_is_reached_lowers_the_level(
    claims: Level, reached: dict[str, Answer], level: Level | None
) -> None:
    assert grade(claims, HELD | reached) == level


class Says:
    """A sandbox in which the probe says this."""

    name = "says"
    level: Level = "full"

    def __init__(self, stdout: str) -> None:
        self.stdout = stdout

    def run(self, job: Job) -> Outcome:
        assert job.readable
        return Outcome(exit_code=1, timed_out=False, stdout=self.stdout, stderr="it broke\n")


def candidate(sandbox: Says | NoSandbox, **changes: str) -> Candidate:
    return Candidate(sandbox=sandbox, claims="full", python=PYTHON, visible=(), identity=changes)


def test_a_probe_that_does_not_answer_is_a_refusal() -> None:
    with pytest.raises(SandboxError, match="does not run in `says`") as caught:
        measure(candidate(Says("")))
    assert caught.value.details == ("it broke",)


@linux
def test_every_attempt_reaches_its_canary_where_nothing_holds() -> None:
    """A probe that could not reach anything would find every sandbox tight."""
    reached = dict[str, Answer]()

    class Watched(NoSandbox):
        def run(self, job: Job) -> Outcome:
            outcome = super().run(replace(job, hidden=()))
            reached.update(json.loads(outcome.stdout))
            return outcome

    with pytest.raises(SandboxError) as caught:
        measure(candidate(Watched()))
    (detail,) = caught.value.details
    missed = {name for name, answer in reached.items() if not answer} - {"home"}  # the suite has none
    assert missed == set()
    assert {"datagrams", "writes"} <= set(detail.partition(": ")[2].split(", "))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    os.environ["HOME"] = str(tmp_path)  # set back after the test, as all that is guarded
    for name in ("letters", ".cache/huggingface", "src/project/.venv"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / ".cache/huggingface/token").write_text("hf_secret", encoding="ascii")
    return tmp_path


def test_the_probe_aims_at_the_users_own_home_and_token(home: Path) -> None:
    with canaries([home / "src" / "project" / ".venv"]) as placed:
        placed.write_order(service=True)
        order = json.loads(placed.order_file.read_bytes())
    assert order["home"] == [str(home / ".cache"), str(home / "letters")]
    assert str(home / ".cache/huggingface/token") in order["tokens"]


def test_a_long_path_of_a_temporary_directory_is_no_obstacle(tmp_path: Path) -> None:
    deep = tmp_path / ("long" * 30)
    with canaries([], deep) as placed:
        assert not placed.root.is_relative_to(deep)


def test_a_place_that_is_not_there_is_said() -> None:
    with pytest.raises(DiskError, match="/absent"), canaries([], Path("/absent")):
        pass


@linux
def test_a_neighbouring_address_that_cannot_be_watched_is_said() -> None:
    with canaries([]) as placed, socket.create_server(("127.0.0.1", 0)) as service:
        taken = ("127.0.0.2", service.getsockname()[1])
        with socket.create_server(taken), placed.beside(service):
            (placed.scratch / "beat").touch()
        assert placed.reached()["addresses"] is None


@pytest.fixture
def sandbox() -> Candidate:
    return candidate(Says("{}"))


def test_a_level_is_remembered_for_what_is_the_same(sandbox: Candidate, tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    assert known_level(sandbox, memory) is None
    remember(sandbox, "partial", memory)
    assert known_level(sandbox, memory) == "partial"
    assert known_level(replace(sandbox, claims="partial"), memory) is None
    assert known_level(candidate(Says("{}"), bwrap="another"), memory) is None
    assert known_level(replace(sandbox, python=Path("/bin/sh")), memory) is None


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"level": "full"}', b"\xff\xfe"])
def test_a_damaged_memory_is_measured_again(sandbox: Candidate, tmp_path: Path, damage: bytes) -> None:
    remember(sandbox, "full", tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage)
    assert known_level(sandbox, tmp_path) is None
    remember(sandbox, "full", tmp_path)
    assert known_level(sandbox, tmp_path) == "full"


def test_a_memory_that_cannot_be_written_is_done_without(sandbox: Candidate, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    remember(sandbox, "full", tmp_path / "file")
    assert known_level(sandbox, tmp_path / "file") is None


def test_a_level_that_nobody_gives_is_not_believed(sandbox: Candidate, tmp_path: Path) -> None:
    remember(sandbox, "full", tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_text(file.read_text(encoding="utf-8").replace('"full"', '"none"'), encoding="utf-8")
    assert known_level(sandbox, tmp_path) is None


def test_the_probe_stands_alone() -> None:
    assert "mlxlock" not in {
        line.split()[1].split(".")[0]
        for name in ("escape.py", "stub.py", "kernel.py", "darwin.py")
        for line in ESCAPE.with_name(name).read_text(encoding="utf-8").splitlines()
        if line.startswith(("import ", "from "))
    }
