"""How a sandbox is chosen: the best that works, as measured; never the project's own, never too weak."""

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlxlock.capture.backends import BACKENDS, Backend
from mlxlock.capture.candidate import Candidate, Level
from mlxlock.capture.choose import Choice, choose
from mlxlock.capture.diagnosis import without_landlock
from mlxlock.capture.linux_bwrap import find_bwrap
from mlxlock.capture.none import NoSandbox
from mlxlock.capture.search import Search
from mlxlock.errors import SandboxError
from mlxlock.ports import Event, Job, Note, Outcome, Sandbox
from tests.capture.conftest import linux

pytestmark = linux

PYTHON = Path(sys.executable)
ONLY = {backend.name: (backend,) for backend in BACKENDS}


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def found_at(path: Path) -> Callable[[str, str], str | None]:
    return lambda _name, _directory: str(path)


class Broken:
    """A sandbox that cannot be set up."""

    name = "broken"
    level: Level = "full"

    def run(self, job: Job) -> Outcome:
        raise SandboxError(f"no `{Path(job.argv[0]).name}` here", hint="repair it")


def backend(name: str, claims: Level, *sandboxes: Sandbox) -> Backend:
    """A backend that offers these."""

    def find(_search: Search) -> Iterator[Candidate]:
        for sandbox in sandboxes:
            yield Candidate(sandbox=sandbox, claims=claims, python=PYTHON, visible=())

    return Backend(name=name, platform=sys.platform, claims=claims, find=find)


@pytest.mark.sandbox
def test_the_first_backend_that_works_is_chosen() -> None:
    sandbox = choose("full", project=None)
    assert (sandbox.name, sandbox.level) == ("linux-bwrap", "full")


@pytest.mark.sandbox
def test_without_bubblewrap_the_kernel_alone_is_enough() -> None:
    sandbox = choose("full", project=None, choice=Choice(which=lambda _name, _path: None))
    assert (sandbox.name, sandbox.level) == ("linux-namespaces", "full")


@pytest.mark.sandbox
def test_setuid_and_old_bubblewraps_are_tried_without_disable_userns(tmp_path: Path) -> None:
    real = shutil.which("bwrap")
    binary = program(
        tmp_path / "bin" / "bwrap",
        'case " $* " in *" --disable-userns "*) echo "bwrap: Unknown option" >&2; exit 1;; esac\n'
        f'exec {real} "$@"',
    )
    choice = Choice(which=found_at(binary), backends=ONLY["linux-bwrap"])
    assert choose("full", project=None, choice=choice).level == "full"


@pytest.mark.sandbox
def test_a_fall_to_partial_is_told_with_its_cause() -> None:
    told = list[Event]()
    backends = (backend("broken", "full", Broken()), *ONLY["linux-landlock"])
    sandbox = choose("partial", project=None, choice=Choice(backends=backends, on_event=told.append))
    assert sandbox.level == "partial"
    (note,) = told
    assert isinstance(note, Note)
    assert note.level == "warning"
    assert "no `python" in note.text
    assert note.text.endswith("for `full`: repair it")


@pytest.mark.sandbox
def test_a_later_backend_that_is_stronger_wins() -> None:
    told = list[Event]()
    backends = (*ONLY["linux-landlock"], *ONLY["linux-namespaces"])
    choice = Choice(backends=backends, on_event=told.append)
    assert choose("partial", project=None, choice=choice).name == "linux-namespaces"
    assert told == []


def test_full_is_never_answered_by_less() -> None:
    with pytest.raises(SandboxError, match="no `python"):
        choose("full", project=None, choice=Choice(backends=(backend("broken", "full", Broken()),)))
    with pytest.raises(SandboxError, match="level `full`"):
        choose("full", project=None, choice=Choice(backends=(backend("weak", "partial", Broken()),)))


@pytest.mark.sandbox
def test_full_is_never_answered_by_what_only_claims_it() -> None:
    """Landlock, claiming more than it can."""
    (landlock,) = ONLY["linux-landlock"]

    def find(search: Search) -> Iterator[Candidate]:
        for candidate in landlock.find(search):
            yield Candidate(
                sandbox=candidate.sandbox, claims="full", python=PYTHON, visible=candidate.visible
            )

    boaster = Backend(name="boaster", platform=sys.platform, claims="full", find=find)
    with pytest.raises(SandboxError, match="reaches only level `partial`") as caught:
        choose("full", project=None, choice=Choice(backends=(boaster,)))
    assert 'require = "partial"' in str(caught.value.hint)
    assert choose("partial", project=None, choice=Choice(backends=(boaster,))).level == "partial"


def test_without_a_binary_the_cure_is_to_install_one() -> None:
    choice = Choice(which=lambda _name, _path: None, backends=ONLY["linux-bwrap"])
    with pytest.raises(SandboxError, match="no `bwrap`") as caught:
        choose("full", project=None, choice=choice)
    assert "install bubblewrap" in str(caught.value.hint)


def test_what_the_kernel_refuses_says_more_than_a_missing_binary() -> None:
    backends = (*ONLY["linux-bwrap"], backend("broken", "full", Broken()))
    choice = Choice(which=lambda _name, _path: None, backends=backends)
    with pytest.raises(SandboxError) as caught:
        choose("full", project=None, choice=choice)
    assert caught.value.hint == "repair it"


def test_a_program_to_install_is_a_better_cure_than_another_kernel() -> None:
    def find(_search: Search) -> Iterator[Candidate]:
        raise without_landlock()

    old = Backend(name="old", platform=sys.platform, claims="full", find=find)
    for backends in ((old, *ONLY["linux-bwrap"]), (*ONLY["linux-bwrap"], old)):
        with pytest.raises(SandboxError, match="no `bwrap`"):
            choose("full", project=None, choice=Choice(which=lambda _name, _path: None, backends=backends))


@pytest.mark.parametrize("place", ["bin", ".venv/bin"])
def test_a_binary_of_the_project_is_ignored(tmp_path: Path, place: str) -> None:
    planted = program(tmp_path / "project" / place / "bwrap", "exit 0")
    link = tmp_path / "outside" / "bwrap"
    link.parent.mkdir()
    link.symlink_to(planted)
    for binary in (planted, link):
        search = Search(
            which=lambda name, path: shutil.which(name, path=path),
            search_path=f"{binary.parent}:.:relative",
            project=tmp_path / "project",
            python=PYTHON,
        )
        assert search.program("bwrap") is None


def test_a_later_directory_of_the_path_is_searched(tmp_path: Path) -> None:
    program(tmp_path / "project" / "bwrap", "exit 0")
    wanted = program(tmp_path / "bin" / "bwrap", "exit 0")
    search = Search(
        which=lambda name, path: shutil.which(name, path=path),
        search_path=os.pathsep.join((str(tmp_path / "project"), "", str(tmp_path / "bin"))),
        project=tmp_path / "project",
        python=PYTHON,
    )
    assert search.program("bwrap") == wanted


def test_a_platform_without_a_backend_is_refused() -> None:
    elsewhere = Backend(name="other", platform="plan9", claims="full", find=find_bwrap)
    with pytest.raises(SandboxError, match="no sandbox of level `partial`"):
        choose("partial", project=None, choice=Choice(backends=(elsewhere,)))


def test_nobody_falls_into_no_sandbox() -> None:
    assert "none" not in {backend.name for backend in BACKENDS}
    assert "none" not in {backend.claims for backend in BACKENDS}


@pytest.mark.sandbox
def test_a_sandbox_that_does_not_hold_is_refused() -> None:
    """The probe is held against a sandbox that keeps nothing in."""
    with pytest.raises(SandboxError, match="does not hold") as caught:
        choose("partial", project=None, choice=Choice(backends=(backend("open", "full", NoSandbox()),)))
    (detail,) = caught.value.details
    names = detail.partition(": ")[2].split(", ")
    assert set(names) >= {"datagrams", "hidden", "ports", "processes", "sockets", "token", "writes"}


def test_an_interpreter_that_does_not_run_is_named(tmp_path: Path) -> None:
    broken = program(tmp_path / "python", "exit 3")
    choice = Choice(which=lambda _name, _path: "/usr/bin/env")
    with pytest.raises(SandboxError, match=r"the interpreter `.*/python` does not run"):
        choose("full", project=None, python=broken, choice=choice)
