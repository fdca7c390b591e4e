"""What a command answers: data for scripts, lines for people, an exit code.

Owns the values only; `render` decides how they look. No command prints.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
Style = Literal["plain", "good", "bad", "warning", "dim", "title", "hint"]
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Line:
    """One line for people. Colour is never load-bearing: the text says it all."""

    text: str
    style: Style = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Rows to align.

    Attributes:
        rows: Cells, equally many in each.
        header: What stands above them.
        gives_way: The column that may be cut on a terminal too narrow; None: lines wrap there.
    """

    rows: tuple[tuple[str, ...], ...]
    header: tuple[str, ...] | None = None
    gives_way: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One command's answer.

    Attributes:
        command: The verb.
        data: What `--json` shows under `data`.
        lines: What a person sees on stdout.
        exit_code: 0, or 1 when a check said no, 3 for done in part; a child's own code for `run` and `exec`.
        error_code: The stable code that `--json` shows when a check said no, e.g. `lock-stale`.
        message: One sentence for that error.
        hint: What to do about it.
    """

    command: str
    data: Mapping[str, Json]
    lines: tuple[Line | Columns, ...] = ()
    exit_code: int = 0
    error_code: str | None = None
    message: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw(Report):
    """A report whose text goes to stdout as it is (`mlxk env`)."""

    text: str = field(default="")


def human_bytes(size_bytes: int) -> str:
    """A size for people: `412 B`, `5.2 GiB`."""
    if size_bytes < 1024:
        return f"{size_bytes} B"
    power = min((size_bytes.bit_length() - 1) // 10, 4)
    return f"{size_bytes / (1 << (10 * power)):.1f} {('KiB', 'MiB', 'GiB', 'TiB')[power - 1]}"


def plural(count: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def some_of(texts: Sequence[str]) -> tuple[str, ...]:
    """The first of many lines, and how many more there are."""
    more = len(texts) - _SHOWN
    return (*texts[:_SHOWN], *((f"and {more} more",) if more > 0 else ()))
