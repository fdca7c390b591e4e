"""The backend `linux-landlock`: no privilege at all, as in a container by default. Level `partial`.

Owns which means are combined: Landlock's allow-list for files and TCP ports, a system call filter for all
other ways out, no capability, a guardian instead of a process namespace. Partial, because Landlock limits a
port and not an address, lets names and sizes of files be looked up, and shows the names below hidden ones.
"""

from collections.abc import Iterator

from mlxlock.capture.candidate import Candidate
from mlxlock.capture.confined import Confined
from mlxlock.capture.confinement import NETWORK_ABI, Means, landlock_abi
from mlxlock.capture.diagnosis import without_landlock
from mlxlock.capture.interpreter import interpreter_paths
from mlxlock.capture.search import Search


def find_landlock(search: Search) -> Iterator[Candidate]:
    """What is to be tried.

    Raises:
        SandboxError: The kernel has no Landlock.
    """
    abi = landlock_abi()
    if not abi:
        raise without_landlock()
    visible = interpreter_paths(search.python)
    means = Means(namespaces=False, processes=False, abi=abi, visible=visible)
    yield Candidate(
        sandbox=Confined(name="linux-landlock", level="partial", python=search.python, means=means),
        claims="partial",
        python=search.python,
        visible=visible,
        networked=abi >= NETWORK_ABI,
        identity={"landlock": str(abi)},
    )
