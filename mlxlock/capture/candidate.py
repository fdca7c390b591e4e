"""A sandbox that may work here, before anything was run in it.

Owns what has to be known of it to measure it, and to know again what was measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mlxlock.ports import Sandbox

Level = Literal["full", "partial"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What a backend offers.

    Attributes:
        sandbox: To be tried.
        claims: The most that it can enforce.
        python: The interpreter that its jobs will use.
        visible: What every job may read beside its own.
        networked: Whether jobs can have services.
        identity: What tells it from another of the same name, such as its program's path and size.
    """

    sandbox: Sandbox
    claims: Level
    python: Path
    visible: tuple[Path, ...]
    networked: bool = True
    identity: Mapping[str, str] = field(default_factory=dict)
