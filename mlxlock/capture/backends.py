"""The table of backends, in order of preference. `none` is not in it: nobody may fall into it.

A backend is one module: a class that implements `Sandbox`, and a function that finds a working one or raises
the `SandboxError` that says why there is none here. A new backend is one more line.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mlxlock.capture.linux_bwrap import find_bwrap
from mlxlock.capture.search import Search
from mlxlock.ports import Sandbox
from mlxlock.spec.record import SandboxLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One way to keep a job in.

    Attributes:
        platform: The `sys.platform` it is for.
        level: What it enforces.
        find: Returns it, probed, or raises `SandboxError`.
    """

    name: str
    platform: str
    level: SandboxLevel
    find: Callable[[Search], Sandbox]


BACKENDS: Final = (Backend(name="linux-bwrap", platform="linux", level="full", find=find_bwrap),)
