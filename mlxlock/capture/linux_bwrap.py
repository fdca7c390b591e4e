"""The backend `linux-bwrap`: bubblewrap with a private view, network, process table and user. Level `full`.

Owns bubblewrap's command line. The inside has no `/`, only what a job names and what programs need to start;
no network but a loopback of its own; no capability; no environment of ours.
"""

import platform
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from mlxlock.capture.candidate import Candidate
from mlxlock.capture.diagnosis import NoProgramError, explain_bwrap
from mlxlock.capture.interpreter import interpreter_paths
from mlxlock.capture.measured import identity_of
from mlxlock.capture.search import Search
from mlxlock.capture.seccomp import Rules, system_call_filter
from mlxlock.capture.supervise import STUB, Enclosure, supervise
from mlxlock.capture.view import SYSTEM_DIRECTORIES, SYSTEM_FILES, Mount, masks, mounts, user_home
from mlxlock.ports import Job, Outcome
from mlxlock.spec.record import SandboxLevel

_STUB_INSIDE: Final = Path("/run/mlxk/stub.py")
_EMPTY: Final = ("/tmp", "/run", "/var", "/home", "/root")  # noqa: S108 - names inside, each made anew


class Bubblewrap:
    """Runs jobs under bubblewrap.

    Args:
        binary: Where `bwrap` is.
        python: The interpreter that jobs use; it also runs the stub.
        visible: Paths that every job may read beside its own: the interpreter's (see `interpreter_paths`).
        nested: Whether user namespaces may be made inside; False needs bubblewrap 0.8 without setuid.
    """

    def __init__(self, *, binary: Path, python: Path, visible: Sequence[Path], nested: bool = False) -> None:
        self._binary = binary
        self._python = python
        self._visible = tuple(visible)
        self._nested = nested

    @property
    def name(self) -> str:
        """The backend's name."""
        return "linux-bwrap"

    @property
    def level(self) -> SandboxLevel:
        """What it enforces."""
        return "full"

    def run(self, job: Job) -> Outcome:
        """Run the child to its end; nothing it started survives.

        Raises:
            SandboxError: The sandbox itself could not be set up.
        """
        with tempfile.TemporaryFile() as rules:
            rules.write(system_call_filter(platform.machine(), Rules()))
            rules.seek(0)
            return supervise(job, self._enclosure(job, rules.fileno()))

    def _enclosure(self, job: Job, rules_fd: int) -> Enclosure:
        prefix = (str(self._binary), *self._isolation(rules_fd), *_system(), *self._view(job), "--")
        return Enclosure(
            python=self._python,
            stub=_STUB_INSIDE,
            command=lambda stub: (*prefix, *stub),
            own_network=True,
            own_processes=True,
            explain=explain_bwrap,
            keep_fds=(rules_fd,),
        )

    def _isolation(self, rules_fd: int) -> Iterator[str]:
        yield from ("--seccomp", str(rules_fd), "--unshare-user", "--unshare-all", "--cap-drop", "ALL")
        if not self._nested:
            yield "--disable-userns"
        yield from ("--die-with-parent", "--new-session", "--clearenv", "--hostname", "mlxk")

    def _view(self, job: Job) -> Iterator[str]:
        readable = (*self._visible, *job.readable)
        shown = mounts(readable, job.writable, home=user_home())
        for mount in shown:
            yield from ("--bind" if mount.writable else "--ro-bind", str(mount.source), str(mount.target))
        for mask in masks(job.hidden, shown):
            yield from _covered(mask)
        yield from ("--ro-bind", str(STUB), str(_STUB_INSIDE), "--remount-ro", "/")


def _covered(mask: Mount) -> tuple[str, ...]:
    target = str(mask.target)
    if mask.source.is_dir():
        return ("--tmpfs", target, "--remount-ro", target)
    return ("--ro-bind", "/dev/null", target)


def _system() -> Iterator[str]:
    for name in SYSTEM_DIRECTORIES:
        path = Path(name)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), name)
        elif path.is_dir():
            yield from ("--ro-bind", name, name)
    for name in SYSTEM_FILES:
        if Path(name).exists():
            yield from ("--ro-bind", name, name)
    yield from ("--dev", "/dev", "--proc", "/proc")
    for name in _EMPTY:
        yield from ("--tmpfs", name)


def find_bwrap(search: Search) -> Iterator[Candidate]:
    """What is to be tried: without nested user namespaces first, then as old or setuid ones can.

    Raises:
        SandboxError: There is no bubblewrap.
    """
    binary = search.program("bwrap")
    if binary is None:
        raise NoProgramError(
            "there is no `bwrap` on `PATH` outside of the project",
            hint="install bubblewrap, e.g. `sudo apt install bubblewrap`",
        )
    visible = interpreter_paths(search.python)
    for nested in (False, True):
        yield Candidate(
            sandbox=Bubblewrap(binary=binary, python=search.python, visible=visible, nested=nested),
            claims="full",
            python=search.python,
            visible=visible,
            identity={"bwrap": identity_of(binary), "nested": str(nested)},
        )
