"""Lists what a run left below `.hf_cache`, each file seen and hashed: what `planning.attribution` judges.

Owns the walk, over what a stranger wrote: no link is followed out of the cache, no name is believed, nothing
is opened that is no file, nor what can be no known one by its size alone. What is only derived is passed
over, and so is the Hub's own cache, which `listing` reads: its blobs were verified as they went by.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mlxlock.errors import DiskError
from mlxlock.fs import hash_file
from mlxlock.planning.attribution import Expected
from mlxlock.planning.derived import is_derived
from mlxlock.spec.names import RepoPath
from mlxlock.spec.record import Left
from mlxlock.spec.resolution import FileEntry

MAX_FILES: Final = 100_000
_LONGEST: Final = 80


def list_left(cache: Path, expected: Expected, *, limit: int = MAX_FILES) -> tuple[Left, ...]:
    """Every file that needs an explanation, by path.

    Args:
        cache: `.hf_cache`; nothing may write there any more.
        expected: What needs none.
        limit: More files than this nobody would lock.

    Raises:
        DiskError: A file cannot be read, or there are too many.
    """
    found: list[Left] = []
    for path, status in _walk(cache):
        each = _look(cache, path, status, expected)
        if each is not None:
            found.append(each)
        if len(found) > limit:
            raise DiskError(f"a first run left more than {limit} files", hint="set `first-run = false`")
    return tuple(sorted(found, key=lambda left: left.path))


def _walk(cache: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Each path that is no directory. Without recursion: the depth is a stranger's choice."""
    waiting = [cache]
    while waiting:
        for entry in _entries(waiting.pop(), cache):
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
            else:
                yield os.path.relpath(entry.path, cache), entry.stat(follow_symlinks=False)


def _entries(folder: Path, cache: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as listing:
            return list(listing)
    except OSError as error:
        path = _shown(os.path.relpath(folder, cache))
        where = path if len(path) <= _LONGEST else f"{path[:_LONGEST]}…"
        raise DiskError(
            f"a first run left `{where}` below `.hf_cache`, which cannot be listed: {error.strerror}",
            hint="set `first-run = false`",
        ) from error


def _look(cache: Path, path: str, status: os.stat_result, expected: Expected) -> Left | None:
    """What needs an explanation here; None for what needs none."""
    if path.startswith(".mlxk") or is_derived(path, status.st_size) or _is_hubs(path, status, expected):
        return None
    if stat.S_ISLNK(status.st_mode):
        return _linked(cache, path, expected)
    if not stat.S_ISREG(status.st_mode):
        return None  # a socket or a pipe, of a program that is gone
    left = _seen(path, cache / path, status.st_size, expected)
    known = expected.laid_out.get(path)
    return None if left.file is not None and known is not None and left.file.blake3 == known else left


def _is_hubs(path: str, status: os.stat_result, expected: Expected) -> bool:
    """Whether a file is where huggingface_hub keeps it, and is one that the Hub has."""
    parts = path.split("/")
    if len(parts) < 4 or parts[0] != "hub":
        return False
    match parts[2]:
        case "blobs":
            return expected.blobs.get(parts[3]) == status.st_size
        case "refs" | ".no_exist":
            return True
        case "snapshots":
            return path in expected.snapshots
        case _:
            return False


def _linked(cache: Path, path: str, expected: Expected) -> Left:
    """A link to a file of the cache is as good as that file; any other leads out of what a lock can hold."""
    target = Path(os.path.realpath(cache / path))  # which stands loops
    if not target.is_relative_to(os.path.realpath(cache)) or not target.is_file():
        return Left(path=_shown(path), problem="it is a link that leads to no file of `.hf_cache`")
    return _seen(path, target, target.stat().st_size, expected)


def _seen(path: str, at: Path, size_bytes: int, expected: Expected) -> Left:
    try:
        name = RepoPath(path)
    except ValueError:
        return Left(path=_shown(path), problem="no lock could hold its name")
    if expected.sizes is not None and size_bytes not in expected.sizes:
        return Left(path=name, file=FileEntry(path=name, size_bytes=size_bytes))
    digests = hash_file(at, ("blake3", "sha256"))
    return Left(
        path=name,
        file=FileEntry(
            path=name, size_bytes=digests.size_bytes, sha256=digests.sha256, blake3=digests.blake3
        ),
    )


def _shown(path: str) -> str:
    return ascii(path)[1:-1]
