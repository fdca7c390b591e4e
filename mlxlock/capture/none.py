"""No sandbox: the child is started with its own environment, and nothing is enforced. Level `none`.

Only ever chosen by name (`--no-sandbox`), never found by a search. What still holds is what an honest program
respects: the job's environment and nothing of ours, the limits, the death of all that it started.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from mlxlock.capture.diagnosis import explain_bare
from mlxlock.capture.supervise import STUB, Enclosure, supervise
from mlxlock.ports import Job, Outcome
from mlxlock.spec.record import SandboxLevel


class NoSandbox:
    """Runs jobs with the rights of the user.

    The loopback is shared, so the ports of services are the kernel's choice, whatever the `Job` says.

    Args:
        python: The interpreter that runs the stub.
    """

    def __init__(self, *, python: Path = Path(sys.executable)) -> None:
        self._python = python

    @property
    def name(self) -> str:
        """The backend's name."""
        return "none"

    @property
    def level(self) -> SandboxLevel:
        """What it enforces."""
        return "none"

    def run(self, job: Job) -> Outcome:
        """Run the child to its end; what it started ends too, unless it works against its guardian.

        Raises:
            SandboxError: The program is not there.
        """
        enclosure = Enclosure(
            python=self._python,
            stub=STUB,
            command=_bare,
            own_network=False,
            own_processes=False,
            guarded=True,
            explain=explain_bare,
        )
        return supervise(job, enclosure)


def _bare(stub: Sequence[str]) -> Sequence[str]:
    return stub
