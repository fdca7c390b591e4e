"""Reports, errors and progress on a terminal or as JSON: the one place that knows colour, width and bars.

Results go to stdout, everything else to stderr. Colour is never load-bearing, and no text of unknown origin
can move a terminal's cursor.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import IO, TYPE_CHECKING, Final, Literal, NoReturn

from mlxlock.commands.report import Columns, Json, Line, Raw, Report, Style
from mlxlock.errors import MlxlockError
from mlxlock.ports import Advanced, Event, Finished, Note, Started
from mlxlock.spec.names import printable

if TYPE_CHECKING:
    from tqdm import tqdm

Color = Literal["auto", "always", "never"]
_CODES: Final[Mapping[Style, str]] = {
    "plain": "",
    "good": "32",
    "bad": "31",
    "warning": "33",
    "dim": "2",
    "title": "1",
    "hint": "36",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How to show things.

    Attributes:
        json: One JSON object on stdout instead of text.
        quiet: 1 leaves out steps and bars, 2 leaves out everything but errors.
        verbose: Details too.
        progress: Whether bars may be drawn.
        color: When to use colours.
    """

    json: bool = False
    quiet: int = 0
    verbose: int = 0
    progress: bool = True
    color: Color = "auto"


def safe(text: str) -> str:
    """A text that cannot move a cursor: what a terminal could obey is escaped."""
    if printable(text):
        return text
    escaped = (
        char if printable(char) else char.encode("unicode_escape", "backslashreplace").decode()
        for char in text
    )
    return "".join(escaped)


def painted(text: str, style: Style, stream: IO[str], color: Color) -> str:
    """The text in its colour, where the stream has any."""
    code = _CODES[style]
    return f"\x1b[{code}m{text}\x1b[0m" if code and _has_color(stream, color) else text


def _has_color(stream: IO[str], color: Color) -> bool:
    if color != "auto":
        return color == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def show_report(report: Report, look: Look) -> int:
    """Show a command's answer.

    Returns:
        The exit code.
    """
    if look.json:
        _show_json(report.command, report.data, _negative(report))
        return report.exit_code
    if isinstance(report, Raw):
        sys.stdout.write(report.text)
    elif look.quiet < 1:
        for line in report.lines:
            _show_line(line, look)
    if report.message and report.exit_code:
        _show_error(report.message, (), report.hint, look)
    return report.exit_code


def _negative(report: Report) -> Mapping[str, Json] | None:
    if not report.message or not report.exit_code:
        return None
    return {"code": report.error_code, "message": report.message, "hint": report.hint, "details": []}


def _show_line(line: Line | Columns, look: Look) -> None:
    if isinstance(line, Line):
        sys.stdout.write(painted(safe(line.text), line.style, sys.stdout, look.color) + "\n")
        return
    rows = [tuple(map(safe, row)) for row in line.rows]
    header = [line.header] if line.header else []
    widths = [max(map(len, column)) for column in zip(*header, *rows, strict=True)]
    for number, row in enumerate([*header, *rows]):
        text = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        style: Style = "title" if header and number == 0 else "plain"
        sys.stdout.write(painted(text, style, sys.stdout, look.color) + "\n")


def show_error(command: str | None, error: MlxlockError, look: Look) -> int:
    """Show what went wrong.

    Returns:
        The exit code.
    """
    if look.json:
        _show_json(
            command,
            None,
            {
                "code": error.code,
                "message": error.reason,
                "hint": error.hint,
                "details": list(error.details),
            },
        )
    else:
        _show_error(error.reason, error.details, error.hint, look)
    return error.exit_code


def _show_error(reason: str, details: tuple[str, ...], hint: str | None, look: Look) -> None:
    sys.stdout.flush()
    lines = [painted("error: ", "bad", sys.stderr, look.color) + safe(reason)]
    lines += [f"  {safe(detail)}" for detail in details]
    if hint:
        lines += ["", painted("hint: ", "hint", sys.stderr, look.color) + safe(hint)]
    sys.stderr.write("\n".join(lines) + "\n")


def _show_json(
    command: str | None, data: Mapping[str, Json] | None, error: Mapping[str, Json] | None
) -> None:
    envelope = {
        "status": "success" if error is None else "error",
        "command": command,
        "data": data,
        "error": error,
    }
    sys.stdout.write(json.dumps(envelope, ensure_ascii=False, indent=2) + "\n")


class Progress:
    """Draws events on stderr: one bar for all bytes on a terminal, and a line for each note."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._bars = look.progress and not look.json and not look.quiet and sys.stderr.isatty()
        self._bar: tqdm[NoReturn] | None = None
        self._open: set[str] = set()
        self._lock = Lock()

    def __call__(self, event: Event) -> None:
        """Show one event; any thread may tell."""
        with self._lock:
            match event:
                case Note():
                    self._note(event)
                case Started() if self._bars and event.unit == "B":
                    self._start(event)
                case Advanced() if self._bar is not None and event.task in self._open:
                    self._bar.update(event.amount)
                case Finished() if self._bar is not None:
                    self._finish(event)
                case _:
                    pass

    def _start(self, event: Started) -> None:
        from tqdm import tqdm  # noqa: PLC0415 - only a terminal needs it

        bar = self._bar or tqdm(
            total=0, unit="B", unit_scale=True, unit_divisor=1024, leave=False, file=sys.stderr
        )
        self._bar = bar
        self._open.add(event.task)
        bar.total = (bar.total or 0) + event.total
        bar.set_description(safe(event.label), refresh=True)

    def _finish(self, event: Finished) -> None:
        self._open.discard(event.task)
        if not self._open:
            self.close()

    def _note(self, note: Note) -> None:
        if note.level == "step" and (self._look.quiet or self._look.json):
            return
        if note.level == "detail" and not self._look.verbose:
            return
        text = safe(note.text)
        if note.level == "warning":
            text = painted("warning: ", "warning", sys.stderr, self._look.color) + text
        elif note.level == "step":
            text = painted(text, "dim", sys.stderr, self._look.color)
        if self._bar is not None:
            self._bar.clear()
        sys.stderr.write(text + "\n")

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
