"""Directories that environment variables name. Pure functions of an environment; an empty one is unset."""

from collections.abc import Mapping
from pathlib import Path


def named_directory(env: Mapping[str, str], name: str, home: Path) -> Path | None:
    """The directory that a variable names, absolute; None when it is unset or empty."""
    text = env.get(name)
    return expanded(text, home) if text else None


def named_directories(env: Mapping[str, str], name: str, home: Path) -> tuple[Path, ...]:
    """The directories of a variable like PATH; empty parts name nothing."""
    return tuple(expanded(part, home) for part in (env.get(name) or "").split(":") if part)


def expanded(text: str, home: Path) -> Path:
    """A path as a person writes it: `~/` is the home, anything relative is below the current directory."""
    if text == "~" or text.startswith("~/"):
        return home / text[2:]
    return Path(text).absolute()
