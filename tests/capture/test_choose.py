"""How a sandbox is chosen: it has to work, it is never the project's own, and a refusal names one cure."""

import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlxlock.capture.backends import BACKENDS, Backend
from mlxlock.capture.choose import choose
from mlxlock.capture.diagnosis import explain_bwrap
from mlxlock.capture.linux_bwrap import Bubblewrap, find_bwrap
from mlxlock.capture.none import NoSandbox
from mlxlock.capture.probe import prove
from mlxlock.capture.search import Search
from mlxlock.errors import SandboxError

PYTHON = Path(sys.executable)


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def found_at(path: Path) -> Callable[[str, str], str | None]:
    return lambda _name, directory: str(path) if directory == str(path.parent) else None


def failing(tmp_path: Path, said: str) -> Search:
    """A search that finds a bubblewrap which says this and fails."""
    binary = program(tmp_path / "bin" / "bwrap", f'echo "{said}" >&2; exit 1')
    return Search(
        which=found_at(binary), search_path=str(binary.parent), project=tmp_path / "project", python=PYTHON
    )


@pytest.mark.sandbox
def test_the_first_backend_that_works_is_chosen() -> None:
    sandbox = choose("full", project=None)
    assert (sandbox.name, sandbox.level) == ("linux-bwrap", "full")


@pytest.mark.sandbox
def test_setuid_and_old_bubblewraps_are_tried_without_disable_userns(tmp_path: Path) -> None:
    real = shutil.which("bwrap")
    binary = program(
        tmp_path / "bin" / "bwrap",
        'case " $* " in *" --disable-userns "*) echo "bwrap: Unknown option" >&2; exit 1;; esac\n'
        f'exec {real} "$@"',
    )
    search = Search(which=found_at(binary), search_path=str(binary.parent), project=None, python=PYTHON)
    prove(find_bwrap(search), PYTHON)


def test_without_a_binary_the_cure_is_to_install_one() -> None:
    with pytest.raises(SandboxError, match="no `bwrap`") as caught:
        choose("full", project=None, which=lambda _name, _path: None)
    assert "install bubblewrap" in str(caught.value.hint)


@pytest.mark.parametrize("place", ["bin", ".venv/bin"])
def test_a_binary_of_the_project_is_ignored(tmp_path: Path, place: str) -> None:
    planted = program(tmp_path / "project" / place / "bwrap", "exit 0")
    link = tmp_path / "outside" / "bwrap"
    link.parent.mkdir()
    link.symlink_to(planted)
    for binary in (planted, link):
        search = Search(
            which=found_at(binary),
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


@pytest.mark.parametrize(
    ("said", "cause", "cure"),
    [
        (
            "bwrap: setting up uid map: Permission denied",
            "AppArmor",
            "apparmor_restrict_unprivileged_userns=0",
        ),
        ("bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted", "AppArmor", "apparmor_restrict"),
        ("bwrap: No permissions to create new namespace, likely because", "container", "seccomp=unconfined"),
        ("bwrap: Creating new namespace failed: Operation not permitted", "container", "seccomp=unconfined"),
        (
            "bwrap: Can't mount proc on /newroot/proc: Operation not permitted",
            "masks",
            "systempaths=unconfined",
        ),
        ("bwrap: pivot_root: Operation not permitted", "pivot_root", "seccomp=unconfined"),
        (
            "bwrap: Creating new namespace failed: nesting depth or /proc/sys/user/max_*_namespaces exceeded",
            "another sandbox",
            "outside",
        ),
        ("bwrap: something new", "does not work here", "--no-sandbox"),
    ],
)
def test_a_known_failure_has_one_cause_and_one_cure(tmp_path: Path, said: str, cause: str, cure: str) -> None:
    with pytest.raises(SandboxError) as caught:
        find_bwrap(failing(tmp_path, said))
    assert cause in caught.value.reason
    assert cure in str(caught.value.hint)
    assert caught.value.details == (said,)


@pytest.mark.parametrize(
    ("switch", "said", "cure"),
    [
        ("kernel/unprivileged_userns_clone", "No permissions to create new namespace", "userns_clone=1"),
        (
            "user/max_user_namespaces",
            "nesting depth or /proc/sys/user/max_*_namespaces",
            "max_user_namespaces=15000",
        ),
    ],
)
def test_a_kernel_switch_decides_between_two_causes(
    tmp_path: Path, switch: str, said: str, cure: str
) -> None:
    path = tmp_path / switch
    path.parent.mkdir()
    path.write_text("0\n", encoding="ascii")
    assert cure in str(explain_bwrap(said, proc_sys=tmp_path).hint)
    path.write_text("1\n", encoding="ascii")
    assert cure not in str(explain_bwrap(said, proc_sys=tmp_path).hint)


def test_a_platform_without_a_backend_is_refused() -> None:
    elsewhere = Backend(name="other", platform="plan9", level="full", find=find_bwrap)
    with pytest.raises(SandboxError, match="no sandbox of level `partial`"):
        choose("partial", project=None, backends=[elsewhere])


def test_full_is_never_answered_by_less() -> None:
    def weak(_search: Search) -> Bubblewrap:
        raise AssertionError("it must not even be tried")

    with pytest.raises(SandboxError, match="level `full`"):
        choose(
            "full",
            project=None,
            backends=[Backend(name="weak", platform=sys.platform, level="partial", find=weak)],
        )


def test_nobody_falls_into_no_sandbox() -> None:
    assert "none" not in {backend.name for backend in BACKENDS}
    assert "none" not in {backend.level for backend in BACKENDS}


def test_a_sandbox_that_does_not_hold_is_refused() -> None:
    """The probe is held against a sandbox that keeps nothing in."""
    with pytest.raises(SandboxError, match="does not hold"):
        prove(NoSandbox(), PYTHON)


def test_an_interpreter_that_does_not_run_is_named(tmp_path: Path) -> None:
    broken = program(tmp_path / "python", "exit 3")
    with pytest.raises(SandboxError, match=r"the interpreter `.*/python` does not run"):
        choose("full", project=None, python=broken, which=lambda _name, _path: "/usr/bin/env")
