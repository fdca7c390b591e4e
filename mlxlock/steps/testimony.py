"""What the witness in a child's Python wrote down (see `runners/witness.py`), read as a stranger's words.

A step of `lock`. Owns how much of it is believed: bounded, parsed line by line, and what cannot be understood
counts as something that was asked for.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from mlxlock.fs import open_regular
from mlxlock.spec.names import REPO_TYPES, RepoId, RepoPath, RepoType, printable
from mlxlock.spec.record import Asked, Missed
from mlxlock.spec.toml_text import shown
from mlxlock.spec.urls import Url

MAX_BYTES: Final = 4 << 20
_EVENTS: Final = frozenset({"started", "missed", "reached", "asked"})
TCP: Final = "tcp://"
"""What stands before an address in the lock."""
TOO_MUCH: Final = Missed(what="(more than was written down)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Testimony:
    """What all Pythons of one run told together.

    Attributes:
        watched: Whether there was one at all.
        missed: What huggingface_hub was asked for and did not find.
        reached: Each `host:port` that was tried.
        asked: Who asked for what is outside the Hub: first for URLs, then for mere addresses.
    """

    watched: bool
    missed: tuple[Missed, ...] = ()
    reached: tuple[Missed, ...] = ()
    asked: tuple[Asked, ...] = ()


def read_testimony(path: Path) -> Testimony:
    """Read what was written; nothing at all when there is no such file."""
    try:
        with open_regular(path) as fd:
            text = os.read(fd, MAX_BYTES)
    except OSError:
        return Testimony(watched=False)
    lines = [_line(line) for line in text.splitlines()]
    missed = dict.fromkeys(_missed(line) for line in lines if line.get("event") == "missed")
    reached = dict.fromkeys(_reached(line) for line in lines if line.get("event") == "reached")
    strange = any(line.get("event") not in _EVENTS for line in lines)
    extra = (TOO_MUCH,) if strange or len(text) == MAX_BYTES else ()
    asked = (*filter(None, map(_asked, lines)), *_of_addresses(reached))
    return Testimony(
        watched=bool(lines),
        missed=(*missed, *extra),
        reached=tuple(reached),
        asked=tuple(dict.fromkeys(asked)),
    )


def _line(line: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _missed(told: Mapping[str, Any]) -> Missed:
    url = str(told.get("url") or "")
    repo, path = _repo(told), _path(told)
    revision = str(told.get("revision") or "main")
    repo_type = told.get("type") or "model"
    what = str(told.get("repo") or url or "something of the Hub")
    if told.get("path") is not None:
        what = f"{what}/{told['path']}"
    elif revision != "main":
        what = f"{what}@{revision}"
    return Missed(
        what=shown(what),
        repo=repo if repo_type in REPO_TYPES else None,
        repo_type=cast("RepoType", repo_type if repo_type in REPO_TYPES else "model"),
        revision=revision,
        path=path,
        final=told.get("kind") != "OfflineModeIsEnabled",
        api="/api/" in url,
        asked_by=_by(told),
    )


def _repo(told: Mapping[str, Any]) -> RepoId | None:
    """The repo; None for what is none, or a file of it that cannot be one: such are never in a lock."""
    try:
        repo = RepoId(str(told.get("repo") or ""))
    except ValueError:
        return None
    return repo if told.get("path") is None or _path(told) is not None else None


def _path(told: Mapping[str, Any]) -> RepoPath | None:
    path = told.get("path")
    try:
        return None if path is None else RepoPath(str(path))
    except ValueError:
        return None


def _reached(told: Mapping[str, Any]) -> Missed:
    return Missed(what=shown(f"{told.get('host')}:{told.get('port')}"), asked_by=_by(told))


def _asked(told: Mapping[str, Any]) -> Asked | None:
    """Who asked for a URL; None for what a lock could not say."""
    by = _by(told)
    if told.get("event") != "asked" or by is None:
        return None
    try:
        return Asked(url=Url(str(told.get("url"))), by=by, importing=told.get("importing") is True)
    except ValueError:
        return None


def _of_addresses(reached: Iterable[Missed]) -> Iterator[Asked]:
    for each in reached:
        if each.asked_by is not None:
            yield Asked(url=f"{TCP}{each.what}", by=each.asked_by)


def _by(told: Mapping[str, Any]) -> str | None:
    by = told.get("by")
    return by if isinstance(by, str) and by and printable(by) else None
