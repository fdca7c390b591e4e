"""From bytes to a TOML document, and the words for what can go wrong on the way.

Owns syntax errors with their place, and how text of unknown origin is shown. Knows no key of any file.
"""

import re
import tomllib
from typing import Final, TypeAlias

from mlxlock.errors import LockfileError, ManifestError
from mlxlock.spec.names import printable

FileError: TypeAlias = type[ManifestError] | type[LockfileError]

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_PLACED: Final = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)
_TWICE: Final = re.compile(r"Cannot declare \('(.*?)',?\) twice", re.DOTALL)
_MERGE_MARKER: Final = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})(?: .*)?$")
_LONGEST_SHOWN: Final = 200


def shown(text: str) -> str:
    """A text of unknown origin, safe to show: without what a terminal could obey, and not overlong."""
    if len(text) > _LONGEST_SHOWN:
        text = f"{text[: _LONGEST_SHOWN // 2]}…{text[-_LONGEST_SHOWN // 2 :]}"
    if printable(text):
        return text
    return "".join(char if printable(char) else _escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")


def key_text(key: str) -> str:
    """A key as TOML writes it: bare where that is possible, else quoted."""
    if _BARE.fullmatch(key):
        return key
    escaped = shown(key).replace('"', '\\"')
    return f'"{escaped}"'


def decode(data: bytes, name: str, error: FileError) -> str:
    """The text of a file.

    Args:
        data: The file's bytes.
        name: The file's name, as the user knows it.
        error: What to raise when it is no text.

    Raises:
        ManifestError: The bytes are not UTF-8, and this is what was asked for.
        LockfileError: Likewise.
    """
    try:
        return data.decode()
    except UnicodeDecodeError as wrong:
        line = data.count(b"\n", 0, wrong.start) + 1
        raise error(f"`{name}` is not UTF-8 (line {line})", hint=f"save `{name}` as UTF-8") from wrong


def load(text: str, name: str, error: FileError) -> dict[str, object]:
    """The document that a text says.

    Args:
        text: The file's text.
        name: The file's name, as the user knows it.
        error: What to raise when it is no TOML.

    Raises:
        ManifestError: The text is no TOML, and this is what was asked for.
        LockfileError: Likewise.
    """
    try:
        return tomllib.loads(text)
    except RecursionError as wrong:
        raise error(f"`{name}` is nested too deeply") from wrong
    except ValueError as wrong:
        place, reason, hint = _explain(text, str(wrong), name)
        raise error(f"`{name}` {place}: {reason}", hint=hint) from wrong


def _explain(text: str, message: str, name: str) -> tuple[str, str, str | None]:
    """Where the text is wrong, why, and what cures it."""
    if text.startswith("\ufeff"):
        hint = f"save `{name}` as UTF-8 without a byte order mark"
        return "line 1", "the file starts with a byte order mark", hint
    marker = _merge_marker(text)
    if marker is not None:
        hint = f"take one side (`git checkout --ours {name}`), then run `mlxk lock`"
        return f"line {marker}", "git left a merge conflict here", hint
    return *_placed(message), None


def _merge_marker(text: str) -> int | None:
    lines = enumerate(text.splitlines(), start=1)
    return next((number for number, line in lines if _MERGE_MARKER.match(line)), None)


def _placed(message: str) -> tuple[str, str]:
    found = _PLACED.fullmatch(message)
    if found is None:
        return "cannot be read", shown(message[:1].lower() + message[1:])
    reason, line, column = found.groups()
    place = f"line {line}, column {column}" if line else "at its end"
    return place, shown(_reworded(reason))


def _reworded(reason: str) -> str:
    twice = _TWICE.fullmatch(reason)
    if twice is not None:
        return f"`{twice[1].replace(chr(39), '').replace(', ', '.')}` is declared twice"
    if reason == "Cannot overwrite a value":
        return "a key is given twice"
    return reason[:1].lower() + reason[1:]
