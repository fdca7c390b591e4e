"""The files of one model's directory, as they are: listed, and hashed in constant memory.

Owns what keeps a directory from having a content hash: links, special files, names that no repo could have.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mlxlock.fs import disk_errors, hash_file, open_regular, read_chunks
from mlxlock.ports import Advanced, Finished, OnEvent, Started
from mlxlock.spec.digest import Blake3, Sha256
from mlxlock.spec.model_facts import ModelFile
from mlxlock.spec.names import RepoPath
from mlxlock.spec.sentinel import CACHE_DIR, SENTINEL_NAME, is_hashed
from mlxlock.spec.sentinel_reader import MAX_BYTES
from mlxlock.workspace.contents import sentinel_identity
from mlxlock.workspace.index import Stamp, StatIndex

_TASK: Final = "hash-model"
_PASSED_OVER: Final = frozenset({CACHE_DIR, ".git", "__pycache__"})


def list_files(directory: Path, *, follow: bool = False) -> tuple[ModelFile, ...]:
    """Every file below a directory but those of caches and of git, sorted bytewise by path.

    Args:
        directory: The model.
        follow: Whether links to files are files: a cache's snapshots consist of them.

    Raises:
        DiskError: A directory cannot be read.
    """
    found = [_file(directory, path, status, follow=follow) for path, status in walk(directory, follow=follow)]
    return tuple(sorted(found, key=lambda file: os.fsencode(file.path)))


def hash_files(
    directory: Path, files: tuple[ModelFile, ...], on_event: OnEvent, *, follow: bool = False
) -> dict[str, Sha256]:
    """The SHA-256 of every regular file that the content hash covers.

    Raises:
        DiskError: One cannot be read, or changes while it is read.
    """
    regular = [file for file in files if file.problem is None and is_hashed(file.path)]
    total = sum(file.size_bytes for file in regular)
    on_event(Started(task=_TASK, label=f"hashing `{directory.name}`", total=total))
    hashes = {file.path: _sha256(directory / file.path, on_event, follow) for file in regular}
    on_event(Finished(task=_TASK))
    return hashes


def as_recorded(directory: Path, index: StatIndex) -> bool | None:
    """Whether a directory is as mlxk made it; None without a record of that.

    Reads only the files whose stat is another one than then.

    Raises:
        DiskError: A directory or file cannot be read.
    """
    if not is_recorded(directory, index):
        return None
    stamps = {
        path: Stamp.of(status) for path, status in walk(directory) if path in index.entries or is_hashed(path)
    }
    return stamps.keys() == index.entries.keys() and all(
        index.trusted(path, stamp) is not None or _identity(directory, path) == index.entries[path].identity
        for path, stamp in stamps.items()
    )


def is_recorded(directory: Path, index: StatIndex) -> bool:
    """Whether a record is of this very directory, and not of one that stood here before: by the sentinel."""
    entry = index.entries.get(SENTINEL_NAME)
    return entry is not None and _identity(directory, SENTINEL_NAME) == entry.identity


def _identity(directory: Path, path: str) -> Blake3 | None:
    """What a file holds, as the index says it; None for what is no file."""
    try:
        with open_regular(directory / path) as fd:
            if path == SENTINEL_NAME and os.fstat(fd).st_size <= MAX_BYTES:
                return sentinel_identity(b"".join(map(bytes, read_chunks(fd))))
            return hash_file(fd, ("blake3",)).blake3
    except OSError:
        return None


def walk(directory: Path, *, follow: bool = False) -> Iterator[tuple[str, os.stat_result]]:
    """Each file, link or other thing below a directory, with its stat, however deep it lies.

    Raises:
        DiskError: A directory cannot be read.
    """
    left = [""]
    while left:
        prefix = left.pop()
        with disk_errors(directory / prefix, doing="list"), os.scandir(directory / prefix) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    yield f"{prefix}{entry.name}", _stat(entry, follow=follow)
                elif entry.name not in _PASSED_OVER:
                    left.append(f"{prefix}{entry.name}/")


def _stat(entry: os.DirEntry[str], *, follow: bool) -> os.stat_result:
    try:
        return entry.stat(follow_symlinks=follow)
    except OSError:  # a link to nothing, or to itself
        return entry.stat(follow_symlinks=False)


def _file(directory: Path, path: str, status: os.stat_result, *, follow: bool) -> ModelFile:
    blob = None
    if follow and (directory / path).is_symlink():
        blob = (directory / path).readlink().name
    problem = _problem(path, status, follow=follow)
    return ModelFile(
        path=path,
        size_bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
        blob=blob,
        problem=problem,
    )


def _problem(path: str, status: os.stat_result, *, follow: bool) -> str | None:
    if stat.S_ISLNK(status.st_mode):
        return "a link to nothing" if follow else "a link"
    if not stat.S_ISREG(status.st_mode):
        return "no regular file"
    try:
        RepoPath(path)
    except ValueError:
        return "a name that no repo has"
    return None


def _sha256(path: Path, on_event: OnEvent, follow: bool) -> Sha256:
    seen = hash_file(
        path.resolve() if follow else path,
        ("sha256",),
        on_bytes=lambda count: on_event(Advanced(task=_TASK, amount=count)),
    )
    assert seen.sha256 is not None  # noqa: S101 - it was asked for
    return seen.sha256
