"""The stat index: what each file held when its stat was last known. A cache, as git's index is one.

Owns a file outside the workspace that may be lost, stale, foreign or garbage at any time: it then is empty,
and everything is hashed again. It never proves anything to `verify`, and never decides what is owned.

Only *settled* files get in: one whose mtime is as new as the look at it could be written again within the
same tick of the clock, with nothing to show for it (git's "racy" entries).
"""

import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from blake3 import blake3

from mlxlock.fs import disk_errors, write_atomic
from mlxlock.spec.digest import Blake3

_MAGIC: Final = b"mlxk-stat-index-1\n"
_ENTRY: Final = struct.Struct("<QQqq32sH")
_SEAL_BYTES: Final = 32
SETTLED_NS: Final = 20_000_000
"""Kernels stamp files with a clock that ticks every 1 to 10 ms."""
_WHOLE_SECONDS_NS: Final = 2_000_000_000
"""Filesystems without fractions of a second round by up to two seconds (FAT)."""
_SECOND_NS: Final = 1_000_000_000


class Stamp(NamedTuple):
    """What a stat says about a file's content having stayed the same.

    A tuple, since thousands are compared on every no-op.

    Attributes:
        ctime_ns: 0 for a file with several names: another project that links the same blob changes it.
    """

    inode: int
    size_bytes: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Stamp":
        """The stamp of an lstat or fstat."""
        ctime_ns = status.st_ctime_ns if status.st_nlink == 1 else 0
        return cls(status.st_ino, status.st_size, status.st_mtime_ns, ctime_ns)

    def written_as(self, other: "Stamp") -> bool:
        """Whether nobody wrote in between; the ctime changes with other names and permissions, too."""
        return self[:3] == other[:3]

    def settles_ns(self) -> int:
        """The time of day from which on a look at the file is safe."""
        coarse = self.mtime_ns % _SECOND_NS == 0
        return self.mtime_ns + (_WHOLE_SECONDS_NS if coarse else SETTLED_NS)


class Entry(NamedTuple):
    """What a file with this stamp holds."""

    stamp: Stamp
    identity: Blake3


@dataclass(frozen=True, slots=True, kw_only=True)
class StatIndex:
    """Paths of one workspace and what was there.

    Attributes:
        entries: By path; these are only ever compared, so they are not checked.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)

    def trusted(self, path: str, stamp: Stamp) -> Blake3 | None:
        """What `path` holds, if its stamp is the one that was seen."""
        entry = self.entries.get(path)
        return entry.identity if entry is not None and entry.stamp == stamp else None


def settled(entries: Mapping[str, Entry], seen_ns: int) -> StatIndex:
    """Those of `entries` that a later run may trust.

    Args:
        entries: What was seen.
        seen_ns: A time of day at or before the first of these stats.
    """
    return StatIndex(
        entries={path: entry for path, entry in entries.items() if entry.stamp.settles_ns() < seen_ns}
    )


def index_path(workspaces: Path, root: Path) -> Path:
    """Where the index of the workspace `root` is kept, below the store's `workspaces`."""
    return workspaces / f"{blake3(os.fsencode(root.absolute())).hexdigest()}.index"


def load_index(path: Path) -> StatIndex:
    """Read an index; whatever is wrong with it, it then is empty."""
    try:
        packed = path.read_bytes()
    except OSError:
        return StatIndex()
    body, seal = packed[:-_SEAL_BYTES], packed[-_SEAL_BYTES:]
    if not body.startswith(_MAGIC) or blake3(body).digest() != seal:
        return StatIndex()
    return StatIndex(entries=dict(_unpack(body)))


def save_index(path: Path, index: StatIndex) -> None:
    """Write an index, at once or not at all.

    Raises:
        DiskError: The disk refuses.
    """
    body = b"".join([_MAGIC, *map(_pack, sorted(index.entries.items()))])
    with disk_errors(path.parent, doing="make"):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, body + blake3(body).digest())


def _pack(item: tuple[str, Entry]) -> bytes:
    path, (stamp, identity) = item
    name = path.encode()
    return _ENTRY.pack(*stamp, bytes.fromhex(identity), len(name)) + name


def _unpack(body: bytes) -> Iterator[tuple[str, Entry]]:
    """The entries of a body whose seal was right: nobody but `save_index` wrote it."""
    at = len(_MAGIC)
    while at < len(body):
        *stamp, identity, length = _ENTRY.unpack_from(body, at)
        at += _ENTRY.size + length
        yield body[at - length : at].decode(), Entry(Stamp(*stamp), Blake3(identity.hex()))
