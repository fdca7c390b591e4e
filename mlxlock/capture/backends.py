"""The table of backends, in order of preference. `none` is not in it: nobody may fall into it.

A backend is one module with a function that yields what may work here, best first, or raises the
`SandboxError` that says why there is nothing. A new backend is one more line.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from mlxlock.capture.candidate import Candidate, Level
from mlxlock.capture.linux_bwrap import find_bwrap
from mlxlock.capture.linux_landlock import find_landlock
from mlxlock.capture.linux_namespaces import find_namespaces
from mlxlock.capture.macos_seatbelt import find_seatbelt
from mlxlock.capture.search import Search


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One way to keep a job in.

    Attributes:
        platform: The `sys.platform` it is for.
        claims: The most that it can enforce; what it does enforce is measured.
        find: Yields what may work here, or raises `SandboxError`.
    """

    name: str
    platform: str
    claims: Level
    find: Callable[[Search], Iterator[Candidate]]


BACKENDS: Final = (
    Backend(name="linux-bwrap", platform="linux", claims="full", find=find_bwrap),
    Backend(name="linux-namespaces", platform="linux", claims="full", find=find_namespaces),
    Backend(name="linux-landlock", platform="linux", claims="partial", find=find_landlock),
    Backend(name="macos-seatbelt", platform="darwin", claims="full", find=find_seatbelt),
)
