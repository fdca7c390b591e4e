"""Reads files in constant memory and hashes them in one pass. Never maps a file into memory."""

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from blake3 import blake3

from mlxlock.errors import DiskError
from mlxlock.fs.refusals import disk_errors
from mlxlock.spec.digest import Blake3, GitOid, Sha256, git_blob_header

CHUNK_BYTES: Final = 1 << 20
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

Algorithm = Literal["blake3", "sha256", "git"]
ALGORITHMS: Final[tuple[Algorithm, ...]] = ("blake3", "sha256", "git")


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """What was seen of some bytes; None for an algorithm that was not asked for."""

    size_bytes: int
    blake3: Blake3 | None = None
    sha256: Sha256 | None = None
    git: GitOid | None = None


class _Hash(Protocol):
    def update(self, data: bytes | bytearray | memoryview, /) -> object: ...
    def hexdigest(self) -> str: ...


class Hasher:
    """Several digests of one stream, in one pass.

    Args:
        size_bytes: How many bytes will come; git hashes the number before the bytes.
        algorithms: Which digests to make.
    """

    def __init__(self, size_bytes: int, algorithms: tuple[Algorithm, ...] = ALGORITHMS) -> None:
        self.count = 0
        makers: dict[Algorithm, Callable[[], _Hash]] = {
            "blake3": blake3,
            "sha256": hashlib.sha256,
            "git": lambda: hashlib.sha1(git_blob_header(size_bytes), usedforsecurity=False),
        }
        self._hashes = {name: makers[name]() for name in algorithms}

    def update(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take the next bytes."""
        self.count += len(chunk)
        for each in self._hashes.values():
            each.update(chunk)

    def digests(self) -> Digests:
        """The digests of all bytes so far."""
        made = {name: each.hexdigest() for name, each in self._hashes.items()}
        return Digests(
            size_bytes=self.count,
            blake3=Blake3(made["blake3"]) if "blake3" in made else None,
            sha256=Sha256(made["sha256"]) if "sha256" in made else None,
            git=GitOid(made["git"]) if "git" in made else None,
        )


def read_chunks(fd: int, offset: int = 0) -> Iterator[memoryview]:
    """A file's bytes from `offset` on, as views of ONE reused buffer: use each before asking for the next."""
    left = os.fstat(fd).st_size - offset
    view = memoryview(bytearray(max(1, min(CHUNK_BYTES, left + 1))))
    with open(fd, "rb", buffering=0, closefd=False) as stream:
        stream.seek(offset)
        while count := stream.readinto(view):
            yield view[:count]


@contextmanager
def open_regular(path: Path | str, *, dir_fd: int | None = None) -> Iterator[int]:
    """A descriptor of a regular file, for reading; never through a symlink, never waiting for a pipe.

    Raises:
        OSError: It cannot be opened, or it is something else than a regular file.
    """
    fd = os.open(path, _READ, dir_fd=dir_fd)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        yield fd
    finally:
        os.close(fd)


def _unheard(_count: int) -> None:
    """What is told how many bytes were hashed, when nobody listens."""


def hash_file(
    source: Path | int,
    algorithms: tuple[Algorithm, ...] = ALGORITHMS,
    *,
    on_bytes: Callable[[int], None] = _unheard,
) -> Digests:
    """Hash a file through one descriptor, in one pass and constant memory.

    Args:
        source: A path (no symlink), or a descriptor, read from its start.
        algorithms: Which digests to make.
        on_bytes: Told how many bytes more were hashed.

    Raises:
        DiskError: It cannot be read, or it changed while it was read.
    """
    if isinstance(source, int):
        return _hash_descriptor(source, algorithms, "the open file", on_bytes)
    with disk_errors(source, doing="read"), open_regular(source) as fd:
        return _hash_descriptor(fd, algorithms, f"`{source}`", on_bytes)


def _hash_descriptor(
    fd: int, algorithms: tuple[Algorithm, ...], name: str, on_bytes: Callable[[int], None]
) -> Digests:
    with disk_errors(name.strip("`"), doing="read"):
        before = os.fstat(fd)
        hasher = Hasher(before.st_size, algorithms)
        for chunk in read_chunks(fd):
            hasher.update(chunk)
            on_bytes(len(chunk))
        after = os.fstat(fd)
    if (hasher.count, before.st_mtime_ns) != (before.st_size, after.st_mtime_ns):
        raise DiskError(f"{name} changed while it was read", hint="stop what writes it, then try again")
    return hasher.digests()
