"""Edits `models.toml` as a person would: what is added or taken out is one piece of text, all else stays.

The one place that uses tomlkit, which spells the values. Owns where an entry goes and how it looks, not what
may be in it. Each edit is read back: a text that does not mean what was asked for is never handed out.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

import tomlkit

from mlxlock.errors import ManifestError, UsageError
from mlxlock.spec.names import ModelName
from mlxlock.spec.readers import did_you_mean
from mlxlock.spec.toml_text import load, shown

NAME: Final = "models.toml"
_LINE: Final = re.compile(r"[^\n]*\n|[^\n]+")
_NEW: Final = """\
# The models this project runs: `mlxk add org/name` adds one, `mlxk lock` writes models.lock,
# `mlxk sync` builds the workspace. All keys, for editors and people: schemas/models.schema.json of mlxlock.

[workspace]
path = "models"
"""


def new_manifest() -> str:
    """What `mlxk init` writes."""
    return _NEW


def add_model(text: str, name: ModelName, fields: Mapping[str, str | list[str]]) -> str:
    """The text with one more `[models.<name>]` at its end.

    Args:
        text: A manifest.
        name: The new model.
        fields: Its keys, in the order to write.

    Raises:
        ManifestError: The text is no TOML, or its `models` cannot be continued by a table.
        UsageError: There is one of that name.
    """
    document = load(text, NAME, ManifestError)
    models = _models(document)
    if name in models:
        raise UsageError(
            f"`{NAME}` has a model `{name}` already",
            hint=f"`mlxk add --name OTHER …` takes another name, `mlxk remove {name}` takes it out",
        )
    edited = _appended(text, _entry(name, fields))
    if not _means(edited, {**document, "models": {**models, name: dict(fields)}}):
        raise _by_hand(f"`[models.{name}]` cannot be added to it")
    return edited


def remove_model(text: str, name: str) -> str:
    """The text without `[models.<name>]`: it, the comments inside of it, and the blank line around it.

    Raises:
        ManifestError: The text is no TOML, or the model is no table of its own in it.
        UsageError: There is none of that name.
    """
    document = load(text, NAME, ManifestError)
    models = _models(document)
    if name not in models:
        listed = ", ".join(f"`{shown(each)}`" for each in models) or "none"
        near = did_you_mean(name, models)
        raise UsageError(f"`{NAME}` has no model `{shown(name)}`{near}", hint=f"it has: {listed}")
    rest = {key: value for key, value in models.items() if key != name}
    for start, end in _candidates(text, name):
        edited = _without(text, start, end)
        if _means(edited, {**document, "models": rest}):
            return edited
    raise _by_hand(f"`models.{shown(name)}` cannot be taken out of it")


def _models(document: Mapping[str, object]) -> dict[str, object]:
    models = document.get("models", {})
    return models if isinstance(models, dict) else {}


def _means(text: str, expected: Mapping[str, object]) -> bool:
    """Whether the text says this; no `models` at all is as good as an empty one."""
    try:
        found = load(text, NAME, ManifestError)
    except ManifestError:
        return False
    return {"models": {}, **found} == expected


def _by_hand(what: str) -> ManifestError:
    return ManifestError(
        f"`{NAME}` is written in a way that mlxk does not edit: {what}",
        hint=f"edit `{NAME}` by hand, with one `[models.<name>]` table a model",
    )


def _entry(name: ModelName, fields: Mapping[str, str | list[str]]) -> str:
    header = f"[models.{tomlkit.key(name).as_string()}]"
    lines = (
        f"{tomlkit.key(key).as_string()} = {tomlkit.item(value).as_string()}" for key, value in fields.items()
    )
    return "\n".join([header, *lines])


def _appended(text: str, entry: str) -> str:
    """The entry below a blank line; the text keeps its line ends, and ends with one when it did."""
    newline = _newline(text)
    ended = not text or text.endswith("\n")
    gap = "" if not text else newline if ended else newline * 2
    return text + gap + entry.replace("\n", newline) + (newline if ended else "")


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _candidates(text: str, name: str) -> Iterator[tuple[int, int]]:
    """Where `[models.<name>]` may begin and end, shortest first.

    Lines that only look like headers (in a long string, say) are among them: whoever asks reads back.
    """
    lines = _LINE.findall(text)
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line))
    headers = [number for number, line in enumerate(lines) if line.lstrip().startswith("[")]
    for first in headers:
        if _is_header_of(lines[first], name):
            for end in (*(number for number in headers if number > first), len(lines)):
                yield offsets[first], offsets[_end_of_table(lines, first, end)]


def _is_header_of(line: str, name: str) -> bool:
    try:
        return load(line, NAME, ManifestError) == {"models": {name: {}}}
    except ManifestError:
        return False


def _end_of_table(lines: list[str], first: int, end: int) -> int:
    """Where the table ends when the next begins at `end`: a comment right above the next is the next's."""
    start = end
    while start > first and _is_aside(lines[start - 1]):
        start -= 1
    blank = (number for number in range(start, end) if not lines[number].strip())
    return next(blank, end if end == len(lines) else start)


def _is_aside(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _without(text: str, start: int, end: int) -> str:
    """The text without a piece, and without the blank line that parted it from the rest."""
    newline = _newline(text)
    before, after = text[:start], text[end:]
    if not before:
        return after.removeprefix(newline)
    if before.endswith(newline * 2) and (not after or after.startswith(newline)):
        before = before.removesuffix(newline)
    return before + after if after or text.endswith("\n") else before.removesuffix(newline)
