"""Where the bytes of a served file come from: memory, a path on disk, or a formula.

Owns reading in bounded pieces, so that a file of many gigabytes costs no memory. Never hashes and never
knows under which name or in which repo the bytes appear.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

CHUNK_BYTES = 1 << 18
_BLOCK_BYTES = 1 << 16


class Content(Protocol):
    """A sequence of bytes that can be read from any place."""

    @property
    def size(self) -> int:
        """Length in bytes."""

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes `start` to `stop` (exclusive) in pieces of at most `CHUNK_BYTES`."""


@dataclass(frozen=True, slots=True)
class InMemory:
    """Bytes held in memory."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        for place in range(start, stop, CHUNK_BYTES):
            yield self.data[place : min(place + CHUNK_BYTES, stop)]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDisk:
    """A file as it was when it entered the Hub; it must not change afterwards."""

    path: Path
    size: int

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        with self.path.open("rb") as stream:
            stream.seek(start)
            left = stop - start
            while left > 0 and (piece := stream.read(min(CHUNK_BYTES, left))):
                left -= len(piece)
                yield piece


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """`size` reproducible bytes, incompressible by the block and never repeating one."""

    size: int
    seed: int = 0

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        noise, place = _noise(self.seed), start
        while place < stop:
            index, offset = divmod(place, _BLOCK_BYTES)
            piece = (index.to_bytes(8, "big") + noise)[offset : offset + stop - place]
            place += len(piece)
            yield piece


@dataclass(frozen=True, slots=True, kw_only=True)
class Flipped:
    """Another content with one bit of the byte at `offset` flipped."""

    inner: Content
    offset: int

    @property
    def size(self) -> int:
        return self.inner.size

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        place = start
        for piece in self.inner.chunks(start, stop):
            yield _flip(piece, self.offset - place)
            place += len(piece)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The first `size` bytes of another content."""

    inner: Content
    size: int

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        return self.inner.chunks(start, min(stop, self.size))


def read_all(content: Content) -> bytes:
    """Return everything; only for contents known to be small."""
    return b"".join(content.chunks(0, content.size))


def _flip(piece: bytes, index: int) -> bytes:
    if not 0 <= index < len(piece):
        return piece
    return piece[:index] + bytes([piece[index] ^ 1]) + piece[index + 1 :]


@lru_cache(maxsize=8)
def _noise(seed: int) -> bytes:
    return hashlib.shake_256(str(seed).encode()).digest(_BLOCK_BYTES - 8)
