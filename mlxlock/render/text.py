"""Text on a terminal: what it may hold, how wide it is, in which colour. Owns no stream's content."""

import os
import unicodedata
from collections.abc import Mapping
from typing import IO, Final, Literal

from mlxlock.spec.names import printable
from mlxlock.steps.report import Style

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
_ELLIPSIS: Final = "…"


def safe(text: str) -> str:
    """A text that cannot move a cursor or turn the reading direction: what could is escaped."""
    if printable(text):
        return text
    escaped = (
        char if printable(char) else char.encode("unicode_escape", "backslashreplace").decode()
        for char in text
    )
    return "".join(escaped)


def width(text: str) -> int:
    """How many columns a terminal gives to a text: two to wide characters (UAX 11), none to marks."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(char: str) -> int:
    if unicodedata.category(char) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1


def padded(text: str, columns: int) -> str:
    """A text with spaces behind it, up to a width."""
    return text + " " * (columns - width(text))


def cut(text: str, columns: int) -> str:
    """A text that is no wider than `columns`: its start and its end, where it is wider itself."""
    if width(text) <= columns:
        return text
    head, tail = "", ""
    while True:
        longer = text[: len(head) + 1]
        if width(longer) + width(tail) + 1 > columns:
            return head + _ELLIPSIS + tail
        head = longer
        longer = text[len(text) - len(tail) - 1 :]
        if width(head) + width(longer) + 1 > columns:
            return head + _ELLIPSIS + tail
        tail = longer


def painted(text: str, style: Style, stream: IO[str], color: Color) -> str:
    """The text in its colour, where the stream has any."""
    code = _CODES[style]
    return f"\x1b[{code}m{text}\x1b[0m" if code and _has_color(stream, color) else text


def _has_color(stream: IO[str], color: Color) -> bool:
    """What the flag says, else the environment (no-color.org first), else whether a person reads."""
    if color != "auto":
        return color == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if any(os.environ.get(name, "0") not in {"", "0"} for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return is_terminal(stream)


def is_terminal(stream: IO[str]) -> bool:
    """Whether a terminal that understands escapes shows what is written here."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"
