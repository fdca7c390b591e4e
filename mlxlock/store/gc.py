"""Removes from a store what nothing needs any more.

Owns `projects/`: which lockfiles use this store. A blob stays when any hex digest in the text of any of them
is one of its hashes: so also what a newer, a conflicted or a half merged lockfile names is kept.
"""

import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blake3 import blake3

from mlxlock.errors import BusyError
from mlxlock.fs import disk_errors, locked_file, write_atomic
from mlxlock.spec.digest import Blake3
from mlxlock.store.shelves import Record, Shelves, parse_record

GRACE_S: Final = 24 * 3600.0
"""How long a blob may be without a lockfile that names it: a `lock` may be at work."""

_NAME: Final = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")
_DIGEST: Final = re.compile(rb"(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{40})(?![0-9a-f])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What went.

    Attributes:
        blobs: How many blobs were removed.
        freed_bytes: Of those, and of old partial files; none for blobs that a workspace still links.
        kept: How many blobs stay.
        forgotten: Lockfiles that are gone, and were registered.
    """

    blobs: int
    freed_bytes: int
    kept: int
    forgotten: tuple[Path, ...]


def register(shelves: Shelves, lockfile: Path) -> None:
    """Remember a lockfile.

    Raises:
        DiskError: The disk refuses.
    """
    place = registration(shelves, lockfile)
    with disk_errors(place.parent):
        place.parent.mkdir(exist_ok=True)
    write_atomic(place, os.fsencode(lockfile.absolute()))


def registration(shelves: Shelves, lockfile: Path) -> Path:
    """Where a lockfile is remembered: its name follows from the path, which is all that it holds."""
    path = os.fsencode(lockfile.absolute())
    return shelves.root / "projects" / blake3(path).hexdigest()[:32]


def prune(shelves: Shelves, *, grace_s: float = GRACE_S, dry_run: bool = False) -> Pruned:
    """Remove blobs that no registered lockfile names, and what was left lying about.

    Args:
        shelves: The store.
        grace_s: What is younger stays.
        dry_run: Only say what would go.

    Raises:
        DiskError: The disk refuses, or a lockfile cannot be read: nothing is removed then.
    """
    with disk_errors(shelves.root, doing="prune"):
        named, forgotten = _named(shelves)
        before = time.time() - grace_s
        blobs = dict(_blobs(shelves))
        going = {
            name: record
            for name, record in blobs.items()
            if not _is_named(name, record, named) and _mtime(shelves.record(name)) <= before
        }
        freed = sum(_freed(shelves.blob(name)) for name in going)
        freed += sum(_sweep(path, dry_run=dry_run) for path in _leftovers(shelves, before))
        if not dry_run:
            _remove_all(shelves, going, forgotten)
    return Pruned(
        blobs=len(going),
        freed_bytes=freed,
        kept=len(blobs) - len(going),
        forgotten=tuple(forgotten.values()),
    )


def _remove_all(shelves: Shelves, going: Mapping[Blake3, Record], registrations: Iterable[Path]) -> None:
    for name, record in going.items():
        _remove(shelves, name, record)
    for registration in registrations:
        registration.unlink(missing_ok=True)


def _named(shelves: Shelves) -> tuple[frozenset[str], dict[Path, Path]]:
    """Every digest that a registered lockfile names; and the registrations of those that are gone."""
    named: set[str] = set()
    forgotten: dict[Path, Path] = {}
    for registration in _children(shelves.root / "projects"):
        lockfile = Path(os.fsdecode(registration.read_bytes()))
        try:
            text = lockfile.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            forgotten[registration] = lockfile
            continue
        named.update(digest.decode() for digest in _DIGEST.findall(text))
    return frozenset(named), forgotten


def _blobs(shelves: Shelves) -> Iterator[tuple[Blake3, Record]]:
    """Each blob that is still what its name says; the others go to quarantine on the way."""
    for path in _files(shelves.root / "blobs"):
        record = shelves.checked(Blake3(path.name))
        if record is not None:
            yield record.blake3, record


def _is_named(name: Blake3, record: Record, named: frozenset[str]) -> bool:
    return not named.isdisjoint({name, record.sha256, record.git or ""})


def _remove(shelves: Shelves, name: Blake3, record: Record) -> None:
    """The blob first: what would be left of a kill then means nothing."""
    others = [shelves.record(name), shelves.record(record.sha256)]
    if record.git is not None:
        others.append(shelves.record(record.git))
    for path in (shelves.blob(name), *others):
        path.unlink(missing_ok=True)


def _leftovers(shelves: Shelves, before: float) -> Iterator[Path]:
    """Old files: of interrupted work that nobody holds, changed blobs, records of blobs that went."""
    old = [path for folder in ("tmp", "quarantine") for path in _children(shelves.root / folder)]
    old += [path for path in _files(shelves.root / "records") if not shelves.blob(Blake3(path.name)).exists()]
    for folder in ("sha256", "git"):
        old += [path for path in _files(shelves.root / folder) if not _leads_somewhere(shelves, path)]
    yield from (path for path in old if _mtime(path) <= before)
    for path in _children(shelves.root / "partial"):
        if _mtime(path) <= before:
            with suppress(BusyError), locked_file(path, timeout_s=0):
                yield path


def _leads_somewhere(shelves: Shelves, path: Path) -> bool:
    record = parse_record(path.read_text(encoding="ascii", errors="replace"))
    return record is not None and shelves.blob(record.blake3).exists()


def _sweep(path: Path, *, dry_run: bool) -> int:
    freed = _freed(path)
    if not dry_run:
        path.unlink(missing_ok=True)
    return freed


def _files(shelf: Path) -> Iterator[Path]:
    """What has a digest for a name, below the two digits that it begins with."""
    for folder in _children(shelf):
        if folder.is_dir():
            yield from (path for path in _children(folder) if _NAME.fullmatch(path.name))


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []


def _mtime(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:
        return 0.0


def _freed(path: Path) -> int:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return 0
    return found.st_size if found.st_nlink == 1 else 0
