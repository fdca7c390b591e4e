"""Reports and errors, as text or as JSON: results on stdout, what went wrong on stderr.

Owns the envelope of `--json` (formats.md §4), and that a reader who has enough changes no exit code.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Final

from mlxlock.errors import MlxlockError
from mlxlock.render.look import Look
from mlxlock.render.text import cut, is_terminal, padded, painted, safe, width
from mlxlock.steps.report import Columns, Json, Line, Raw, Report, Style

_GAP: Final = "  "
_LEAST: Final = 12
"""The narrowest that a column gets by giving way."""


def show_report(report: Report, look: Look) -> int:
    """Show a command's answer.

    Returns:
        The exit code.
    """
    if look.json:
        _show_json(report.command, report.data, _negative(report))
        return report.exit_code
    if isinstance(report, Raw):
        _say_exactly(report.text)
    elif look.quiet < 2:
        for line in report.lines:
            _show_line(line, look)
    if report.message and report.exit_code:
        _show_error(report.message, (), report.hint, look)
    return report.exit_code


def show_error(command: str | None, error: MlxlockError, look: Look) -> int:
    """Show what went wrong.

    Returns:
        The exit code.
    """
    if look.json:
        told = {"code": error.code, "message": error.reason, "hint": error.hint}
        _show_json(command, None, {**told, "details": list(error.details)})
    else:
        _show_error(error.reason, error.details, error.hint, look)
    return error.exit_code


def say(stream: IO[str], text: str) -> None:
    """Write; once the reader has gone, to nowhere."""
    with listened_to(stream):
        stream.write(text)
        stream.flush()


def _say_exactly(text: str) -> None:
    """Write what a shell will read: names of files are bytes, whatever the locale."""
    with listened_to(sys.stdout):
        sys.stdout.buffer.write(os.fsencode(text))
        sys.stdout.flush()


class OutputLostError(Exception):
    """Stdout takes no more, for instance on a full disk: the answer is not where it was wanted."""


@contextmanager
def listened_to(stream: IO[str]) -> Iterator[None]:
    """Stop without a word where the reader has enough; nobody can be told that stderr takes no more.

    Raises:
        OutputLostError: The stream is stdout, and a write failed for another reason.
    """
    try:
        yield
    except OSError as error:
        # Python would complain again at its own exit, were the descriptor not another one by then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if stream is sys.stdout and not isinstance(error, BrokenPipeError):
            raise OutputLostError(error.strerror) from error


def _negative(report: Report) -> Mapping[str, Json] | None:
    if not report.message or not report.exit_code:
        return None
    return {"code": report.error_code, "message": report.message, "hint": report.hint, "details": []}


def _show_line(line: Line | Columns, look: Look) -> None:
    if isinstance(line, Line):
        say(sys.stdout, painted(safe(line.text), line.style, sys.stdout, look.color) + "\n")
        return
    header = [line.header] if line.header else []
    rows = [tuple(map(safe, row)) for row in (*header, *line.rows)]
    for number, text in enumerate(_aligned(rows, line.gives_way)):
        style: Style = "title" if header and number == 0 else "plain"
        say(sys.stdout, painted(text, style, sys.stdout, look.color) + "\n")


def _aligned(rows: Sequence[tuple[str, ...]], gives_way: int | None) -> list[str]:
    """Each row's line; on a terminal too narrow for them, one column may be cut."""
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    if gives_way is not None and is_terminal(sys.stdout):
        columns = os.get_terminal_size(sys.stdout.fileno()).columns
        spare = columns - sum(widths) - len(_GAP) * (len(widths) - 1)
        widths[gives_way] = max(min(widths[gives_way], _LEAST), widths[gives_way] + min(spare, 0))
    return [
        _GAP.join(padded(cut(cell, most), most) for cell, most in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _show_error(reason: str, details: tuple[str, ...], hint: str | None, look: Look) -> None:
    lines = [painted("error: ", "bad", sys.stderr, look.color) + safe(reason)]
    lines += [f"  {safe(detail)}" for detail in details]
    if hint:
        lines += ["", painted("hint: ", "hint", sys.stderr, look.color) + safe(hint)]
    say(sys.stderr, "\n".join(lines) + "\n")


def _show_json(
    command: str | None, data: Mapping[str, Json] | None, error: Mapping[str, Json] | None
) -> None:
    envelope = {
        "status": "success" if error is None else "error",
        "command": command,
        "data": data,
        "error": error,
    }
    # ASCII: whatever a file is called, it moves no cursor and fits every encoding.
    say(sys.stdout, json.dumps(envelope, indent=2) + "\n")
