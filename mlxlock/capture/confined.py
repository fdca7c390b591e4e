"""A sandbox made by the stub alone: what `linux-namespaces` and `linux-landlock` share.

Owns the way from `Means` to an `Enclosure`. Which means there are is the backends' to find out.
"""

from pathlib import Path

from mlxlock.capture.confinement import NETWORK_ABI, Means, confine
from mlxlock.capture.diagnosis import explain_kernel
from mlxlock.capture.supervise import STUB, Enclosure, supervise
from mlxlock.errors import SandboxError
from mlxlock.ports import Job, Outcome
from mlxlock.spec.record import SandboxLevel


class Confined:
    """Runs jobs below a stub that confines them.

    Args:
        name: The backend's name.
        level: What it claims to enforce.
        python: The interpreter that jobs use; it also runs the stub.
        means: What the kernel offers.
    """

    def __init__(self, *, name: str, level: SandboxLevel, python: Path, means: Means) -> None:
        self._name = name
        self._level = level
        self._python = python
        self._means = means

    @property
    def name(self) -> str:
        """The backend's name."""
        return self._name

    @property
    def level(self) -> SandboxLevel:
        """What it claims to enforce."""
        return self._level

    @property
    def networked(self) -> bool:
        """Whether a job can have services: without a namespace, only Landlock can keep it to their ports."""
        return self._means.namespaces or self._means.abi >= NETWORK_ABI

    def run(self, job: Job) -> Outcome:
        """Run the child to its end; nothing it started survives.

        Raises:
            SandboxError: The sandbox itself could not be set up, or cannot keep a job to its services.
        """
        if job.services and not self.networked:
            raise SandboxError(
                "this kernel cannot keep a first run to the recording mirror: "
                "without namespaces, TCP is limited by Landlock from Linux 6.7 on",
                hint="use a kernel from 6.7 on",
            )
        enclosure = Enclosure(
            python=self._python,
            stub=STUB,
            command=lambda stub: stub,
            own_network=self._means.namespaces,
            own_processes=self._means.processes,
            guarded=True,
            confine=lambda known, ports, guardian: confine(known, self._means, ports, guardian),
            explain=explain_kernel,
        )
        return supervise(job, enclosure)
