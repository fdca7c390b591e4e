"""What a refusal says: one cause and one cure, told from what the sandbox wrote, really where that can be."""

import platform
import shutil
import stat
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from mlxlock.capture.backends import BACKENDS
from mlxlock.capture.choose import Choice, choose
from mlxlock.capture.diagnosis import explain_bwrap, explain_kernel, without_landlock
from mlxlock.capture.seccomp import Rules, system_call_filter
from mlxlock.capture.supervise import STUB
from mlxlock.errors import SandboxError
from tests.capture.conftest import linux

pytestmark = linux

NEVER_ZERO = Path("/nonexistent")


def saying(tmp_path: Path, said: str) -> Choice:
    """A bubblewrap that says this and fails."""
    binary = tmp_path / "bwrap"
    binary.write_text(f'#!/bin/sh\necho "{said}" >&2; exit 1\n', encoding="ascii")
    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    return Choice(which=lambda _name, _path: str(binary), backends=BACKENDS[:1])


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
def test_a_known_failure_of_bubblewrap_has_one_cause_and_one_cure(
    tmp_path: Path, said: str, cause: str, cure: str
) -> None:
    with pytest.raises(SandboxError) as caught:
        choose("full", project=None, choice=saying(tmp_path, said))
    assert cause in caught.value.reason
    assert cure in str(caught.value.hint)
    assert caught.value.details == (said,)


@pytest.mark.parametrize(
    ("said", "cause", "cure"),
    [
        ("mlxk: uid map: Operation not permitted", "AppArmor", "apparmor_restrict_unprivileged_userns=0"),
        ("mlxk: loopback: Operation not permitted", "AppArmor", "apparmor_restrict_unprivileged_userns=0"),
        ("mlxk: unshare: Operation not permitted", "seccomp profile", "seccomp=unconfined"),
        ("mlxk: unshare: No space left on device", "another sandbox", "outside"),
        ("mlxk: mount proc: Operation not permitted", "masks parts of `/proc`", "systempaths=unconfined"),
        ("mlxk: mount: Permission denied", "forbids mounts", "apparmor=unconfined"),
        ("mlxk: landlock: Argument list too long", "stacked", "outside"),
        ("mlxk: seccomp: Invalid argument", "no system call filters", "--no-sandbox"),
        ("Traceback: something new", "does not work here", "--no-sandbox"),
    ],
)
def test_a_known_refusal_of_the_kernel_has_one_cause_and_one_cure(said: str, cause: str, cure: str) -> None:
    error = explain_kernel(said, proc_sys=NEVER_ZERO)
    assert cause in error.reason
    assert cure in str(error.hint)
    assert error.details == (said,)


@pytest.mark.parametrize(
    ("switch", "said", "cure"),
    [
        ("kernel/unprivileged_userns_clone", "No permissions to create new namespace", "userns_clone=1"),
        (
            "user/max_user_namespaces",
            "nesting depth or /proc/sys/user/max_*_namespaces",
            "max_user_namespaces=15000",
        ),
        ("kernel/unprivileged_userns_clone", "mlxk: unshare: Operation not permitted", "userns_clone=1"),
        ("user/max_user_namespaces", "mlxk: unshare: No space left on device", "max_user_namespaces=15000"),
    ],
)
def test_a_kernel_switch_decides_between_two_causes(
    tmp_path: Path, switch: str, said: str, cure: str
) -> None:
    explain = explain_kernel if said.startswith("mlxk") else explain_bwrap
    path = tmp_path / switch
    path.parent.mkdir()
    path.write_text("0\n", encoding="ascii")
    assert cure in str(explain(said, proc_sys=tmp_path).hint)
    path.write_text("1\n", encoding="ascii")
    assert cure not in str(explain(said, proc_sys=tmp_path).hint)


@pytest.mark.parametrize("said", ["mlxk: unshare: Operation not permitted", "No permissions to create new"])
def test_ubuntus_switch_is_the_cause_where_no_container_is(tmp_path: Path, said: str) -> None:
    explain = explain_kernel if said.startswith("mlxk") else explain_bwrap
    switch, status = tmp_path / "sys/kernel/apparmor_restrict_unprivileged_userns", tmp_path / "self/status"
    for path, text in ((switch, "1\n"), (status, "Name:\tmlxk\nSeccomp:\t0\n")):
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="ascii")
    assert "AppArmor" in explain(said, proc_sys=tmp_path / "sys").reason
    status.write_text("Name:\tmlxk\nSeccomp:\t2\n", encoding="ascii")
    assert "container" in explain(said, proc_sys=tmp_path / "sys").reason
    status.write_text("Name:\tmlxk\nSeccomp:\t0\n", encoding="ascii")
    switch.write_text("0\n", encoding="ascii")
    assert "container" in explain(said, proc_sys=tmp_path / "sys").reason


def test_a_kernel_without_landlock_is_told_which_one_has_it() -> None:
    assert "5.13" in str(without_landlock().hint)


_CHOOSE = """
import sys
from mlxlock.capture.choose import Choice, choose
from mlxlock.errors import SandboxError
from mlxlock.ports import Note
def told(event):
    print("told:", event.text)
try:
    found = choose(sys.argv[1], project=None, choice=Choice(on_event=told))
    print("found:", found.name, found.level)
except SandboxError as error:
    print("refused:", error.reason, "| cure:", error.hint)
"""


def chosen(*around: str, require: str = "partial", path: str | None = None) -> str:
    """What is chosen by a process that itself runs in something."""
    repo = Path(__file__).resolve().parents[2]
    env = {"PATH": path or "/usr/bin:/bin", "PYTHONPATH": str(repo), "HOME": "/nonexistent"}
    command = [*around, sys.executable, "-c", _CHOOSE, require]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=240).stdout


@pytest.mark.sandbox
def test_really_inside_a_sandbox_that_forbids_namespaces() -> None:
    around = ["bwrap", "--dev-bind", "/", "/", "--unshare-user", "--disable-userns"]
    said = chosen(*around)
    assert "another sandbox around this one forbids user namespaces" in said
    assert "found: linux-landlock partial" in said
    assert "cure: run `mlxk` outside of it" in chosen(*around, require="full")


@pytest.mark.sandbox
def test_really_with_user_namespaces_switched_off() -> None:
    off = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$0" "$@"'
    said = chosen("unshare", "--user", "--map-root-user", "sh", "-c", off, require="full")
    assert said.startswith("refused:"), said
    assert "user namespaces are switched off" in said
    assert "max_user_namespaces=15000" in said


@pytest.mark.sandbox
def test_really_without_bubblewrap_on_the_path(tmp_path: Path) -> None:
    assert shutil.which("bwrap", path=str(tmp_path)) is None
    assert chosen(require="full", path=str(tmp_path)) == "found: linux-namespaces full\n"


_FILTERED = """
import os, runpy, sys
kernel = runpy.run_path(sys.argv[1])
kernel["_prctl"](38, 1)
kernel["_filter"](bytes.fromhex(sys.argv[2]))
os.execv(sys.argv[3], sys.argv[3:])
"""


def filtered(program: bytes) -> list[str]:
    """What runs a command below a system call filter, as a container's runtime does."""
    return [sys.executable, "-I", "-S", "-c", _FILTERED, str(STUB.with_name("kernel.py")), program.hex()]


@pytest.mark.sandbox
def test_really_in_a_container_whose_filter_forbids_namespaces() -> None:
    """Docker's default profile refuses the same calls with the same errors."""
    around = filtered(system_call_filter(platform.machine(), Rules()))
    said = chosen(*around)
    assert "told: using `linux-landlock`" in said
    assert "a container's seccomp profile forbids user namespaces" in said
    assert "for `full`: start the container with `--security-opt seccomp=unconfined" in said
    assert said.endswith("found: linux-landlock partial\n")


@pytest.mark.sandbox
def test_really_on_a_kernel_without_landlock(tmp_path: Path) -> None:
    load, jump, answer = 0x20, 0x15, 0x06
    steps = [(load, 0, 0, 0), (jump, 0, 1, 444), (answer, 0, 0, 0x50000 | 38), (answer, 0, 0, 0x7FFF0000)]
    around = filtered(b"".join(struct.pack("=HBBI", *step) for step in steps))
    assert chosen(*around) == "found: linux-bwrap full\n"
    said = chosen(*around, path=str(tmp_path))
    assert said == (
        "refused: there is no `bwrap` on `PATH` outside of the project | "
        "cure: install bubblewrap, e.g. `sudo apt install bubblewrap`\n"
    )
