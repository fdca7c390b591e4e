"""The backend `macos-seatbelt`: `/usr/bin/sandbox-exec` with a profile made for the job. Level `full`.

Owns the call, the profile's file, and the second half of each port: a profile knows loopback ports, not
addresses, so the port's other address is taken too, and leads nowhere.
"""

import errno
import secrets
import socket
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from mlxlock.capture.candidate import Candidate
from mlxlock.capture.diagnosis import NoProgramError, explain_seatbelt
from mlxlock.capture.interpreter import interpreter_paths
from mlxlock.capture.search import Search
from mlxlock.capture.seatbelt_profile import Below, seatbelt_profile
from mlxlock.capture.supervise import STUB, Enclosure, supervise
from mlxlock.capture.view import masks, mounts, user_home
from mlxlock.errors import SandboxError
from mlxlock.ports import Job, Outcome
from mlxlock.spec.record import SandboxLevel

SANDBOX_EXEC: Final = Path("/usr/bin/sandbox-exec")
"""Never looked up: whatever else has the name is not Apple's."""
_BAD_PROFILE, _NOT_APPLIED = 65, 71
_NO_IPV6: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class Seatbelt:
    """Runs jobs under `sandbox-exec`.

    Args:
        python: The interpreter that jobs use; it also runs the stub, which stays outside as the guardian.
        visible: Paths that every job may read beside its own: the interpreter's.
        program: Where `sandbox-exec` is.
    """

    def __init__(self, *, python: Path, visible: Sequence[Path], program: Path = SANDBOX_EXEC) -> None:
        self._python = python
        self._visible = tuple(visible)
        self._program = program

    @property
    def name(self) -> str:
        """The backend's name."""
        return "macos-seatbelt"

    @property
    def level(self) -> SandboxLevel:
        """What it claims to enforce."""
        return "full"

    def run(self, job: Job) -> Outcome:
        """Run the child to its end; nothing it started survives.

        Raises:
            SandboxError: The sandbox itself could not be set up.
        """
        mark = f"mlxk.{secrets.token_hex(8)}"
        with ExitStack() as stack:
            file = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mlxk-"))) / "profile.sb"

            def wrapped(known: Job, ports: Mapping[str, int]) -> tuple[str, ...]:
                _close_other_address(ports.values(), stack)
                file.write_text(self._profile(known, ports, mark), encoding="utf-8")
                return (str(self._program), "-f", str(file), *known.argv)

            outcome = supervise(
                job,
                Enclosure(
                    python=self._python,
                    stub=STUB,
                    command=lambda stub: stub,
                    own_network=False,
                    own_processes=False,
                    guarded=True,
                    explain=explain_seatbelt,
                    wrap=wrapped,
                    mark=mark,
                ),
            )
        if outcome.exit_code in {_BAD_PROFILE, _NOT_APPLIED} and "sandbox-exec: " in outcome.stderr:
            raise explain_seatbelt(outcome.stderr)
        return outcome

    def _profile(self, job: Job, ports: Mapping[str, int], mark: str) -> str:
        home = user_home()
        shown = mounts((*self._visible, *job.readable), job.writable, home=home)
        below = {str(mount.source): mount.writable for mount in shown}
        return seatbelt_profile(
            [Below(path=path, writable=writable) for path, writable in below.items()],
            hidden=sorted({str(mask.source) for mask in masks(job.hidden, shown)}),
            ports=ports.values(),
            home=None if home is None else str(home.resolve()),
            mark=mark,
        )


def _close_other_address(ports: Iterable[int], stack: ExitStack) -> None:
    """Take `[::1]` of each port without listening, so that a connection there is refused.

    Raises:
        SandboxError: Somebody else has it.
    """
    for port in ports:
        try:
            stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_STREAM)).bind(("::1", port))
        except OSError as error:
            if error.errno not in _NO_IPV6:
                raise SandboxError(f"port {port} of `::1` is taken", hint="try again") from error


def find_seatbelt(search: Search) -> Iterator[Candidate]:
    """What is to be tried.

    Raises:
        SandboxError: There is no `sandbox-exec`.
    """
    if not SANDBOX_EXEC.is_file():
        raise NoProgramError(f"there is no `{SANDBOX_EXEC}`", hint="use a macOS that has it")
    visible = interpreter_paths(search.python)
    yield Candidate(
        sandbox=Seatbelt(python=search.python, visible=visible),
        claims="full",
        python=search.python,
        visible=visible,
    )
