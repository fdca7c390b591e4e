"""How a command tells what it does: frozen events, drawn by `render`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """Work of a known size began.

    Attributes:
        label: What a person calls it.
        total: Units to do: bytes when `unit` is `B`.
    """

    task: str
    label: str
    total: int
    unit: Literal["B", "files"] = "B"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """Some of it was done. Negative after a restart from zero."""

    task: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """All of it was done."""

    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something a person should see once: a step, a warning.

    Attributes:
        text: One line, already free of control characters.
        level: `step` for what happens now, `warning` for what may surprise, `detail` for `-v`.
    """

    text: str
    level: Literal["step", "warning", "detail"] = "step"


Event = Started | Advanced | Finished | Note
OnEvent = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """An `OnEvent` for callers that show nothing."""
