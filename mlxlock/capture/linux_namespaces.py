"""The backend `linux-namespaces`: bubblewrap's guarantees without bubblewrap. Level `full`.

Owns which means are combined: user, network, IPC, host name, mount and process namespaces, a read-only disk,
Landlock's allow-list, a system call filter, no capability. Where a container masks `/proc`, it goes without
the process namespace.
"""

from collections.abc import Iterator

from mlxlock.capture.candidate import Candidate
from mlxlock.capture.confined import Confined
from mlxlock.capture.confinement import Means, landlock_abi
from mlxlock.capture.diagnosis import without_landlock
from mlxlock.capture.interpreter import interpreter_paths
from mlxlock.capture.search import Search


def find_namespaces(search: Search) -> Iterator[Candidate]:
    """What is to be tried, best first.

    Raises:
        SandboxError: The kernel has no Landlock.
    """
    abi = landlock_abi()
    if not abi:
        raise without_landlock()
    visible = interpreter_paths(search.python)
    for processes in (True, False):
        means = Means(namespaces=True, processes=processes, abi=abi, visible=visible)
        yield Candidate(
            sandbox=Confined(name="linux-namespaces", level="full", python=search.python, means=means),
            claims="full",
            python=search.python,
            visible=visible,
            identity={"landlock": str(abi), "processes": str(processes)},
        )
