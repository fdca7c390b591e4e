"""What first runs left below `.hf_cache` outside the Hub's own cache, each file with where it came from.

Owns the values. Every one of them can be made again from the lock, but for `writes`, and says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mlxlock.spec.digest import Blake3, Sha256
from mlxlock.spec.names import RepoPath
from mlxlock.spec.phases import Phase
from mlxlock.spec.resolution import FileEntry
from mlxlock.spec.urls import Url


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file that was unpacked from an archive.

    Attributes:
        name: As the archive calls it.
        path: Where it is, below `.hf_cache`.
    """

    name: str
    path: RepoPath
    size_bytes: int
    sha256: Sha256
    blake3: Blake3

    @property
    def file(self) -> FileEntry:
        """Its identity, at its place below `.hf_cache`."""
        return FileEntry(path=self.path, size_bytes=self.size_bytes, sha256=self.sha256, blake3=self.blake3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """Bytes fetched from outside the Hub.

    Attributes:
        path: Where they are as they came, below `.hf_cache`; None when only what was in them was kept.
        members: What was unpacked from them.
        asked_by: `module:qualname`, advisory.
        when: The phase of the first run that asked first.
    """

    url: Url
    size_bytes: int
    sha256: Sha256
    blake3: Blake3
    path: RepoPath | None = None
    members: tuple[Member, ...] = ()
    asked_by: str | None = None
    when: Phase | None = None

    @property
    def file(self) -> FileEntry:
        """Its identity, at its place below `.hf_cache`, or by the URL's name where it has none."""
        return FileEntry(
            path=self.path or RepoPath(self.sha256),
            size_bytes=self.size_bytes,
            sha256=self.sha256,
            blake3=self.blake3,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """A file that a first run unpacked from an archive of the Hub, named by the archive's BLAKE3."""

    archive: Blake3
    member: Member


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A file that a first run copied to a place of its own below `.hf_cache`.

    Attributes:
        blake3: Of the bytes, which another file of the same entry has; or of no bytes at all.
    """

    path: RepoPath
    blake3: Blake3


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What first runs left below `.hf_cache` that is not in the Hub's own cache.

    Attributes:
        downloads: Fetched from outside the Hub.
        unpacked: From archives of the Hub.
        copies: Of other files of the entry.
        writes: Made by the program itself and adopted by a person: nobody else can make these bytes again.
    """

    downloads: tuple[Download, ...] = ()
    unpacked: tuple[Unpacked, ...] = ()
    copies: tuple[Copy, ...] = ()
    writes: tuple[FileEntry, ...] = ()

    @property
    def members(self) -> Iterator[tuple[Blake3, Member]]:
        """Each unpacked file, with the BLAKE3 of its archive."""
        for download in self.downloads:
            for member in download.members:
                yield download.blake3, member
        for unpacked in self.unpacked:
            yield unpacked.archive, unpacked.member

    @property
    def paths(self) -> tuple[RepoPath, ...]:
        """Every path below `.hf_cache`."""
        kept = [download.path for download in self.downloads if download.path is not None]
        unpacked = [member.path for _, member in self.members]
        return (
            *kept,
            *unpacked,
            *(copy.path for copy in self.copies),
            *(write.path for write in self.writes),
        )


NO_EFFECTS: Final = Effects()
