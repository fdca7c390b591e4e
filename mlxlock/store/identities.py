"""How the store finds a blob: small text files that map what the Hub asserts to what we saw.

`sha256/<2hex>/<hex>` and `git/<2hex>/<hex>` hold a BLAKE3; `records/<2hex>/<blake3>` holds what was seen at
ingest, and the stat of the blob then. Owns these files; each is written atomically: a kill leaves none half.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from mlxlock.fs import write_atomic
from mlxlock.spec.digest import Blake3, GitOid, Sha256
from mlxlock.spec.resolution import FileEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What was seen when a blob came in.

    Attributes:
        stat: Size in bytes, mtime in ns and inode: never ctime, which each hard link changes.
    """

    sha256: Sha256
    git: GitOid | None
    stat: tuple[int, int, int]


def stat_of(status: os.stat_result) -> tuple[int, int, int]:
    """What of a stat says that nobody wrote to the file since."""
    return status.st_size, status.st_mtime_ns, status.st_ino


class Identities:
    """The maps of one store."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def blake3_of(self, file: FileEntry) -> Blake3 | None:
        """Which blob would have this identity."""
        if file.blake3 is not None:
            return file.blake3
        kind, name = ("git", file.git) if file.git is not None else ("sha256", file.sha256)
        text = None if name is None else _read(self._path(kind, name))
        return _parsed_blake3(text)

    def record_of(self, blob: Blake3) -> Record | None:
        """What was seen at ingest; None when it was never written, or is not to be understood."""
        text = _read(self._path("records", blob))
        try:
            sha256, git, size, mtime_ns, inode = (text or "").split()
            stat = (int(size), int(mtime_ns), int(inode))
            return Record(sha256=Sha256(sha256), git=None if git == "-" else GitOid(git), stat=stat)
        except ValueError:
            return None

    def remember(self, blob: Blake3, record: Record) -> None:
        """Write the record, and the ways to find it."""
        size, mtime_ns, inode = record.stat
        line = f"{record.sha256} {record.git or '-'} {size} {mtime_ns} {inode}\n"
        self._write("records", blob, line)
        self._write("sha256", record.sha256, f"{blob}\n")
        if record.git is not None:
            self._write("git", record.git, f"{blob}\n")

    def _path(self, kind: str, name: str) -> Path:
        return self._root / kind / name[:2] / name

    def _write(self, kind: str, name: str, text: str) -> None:
        path = self._path(kind, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text.encode())


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return None


def _parsed_blake3(text: str | None) -> Blake3 | None:
    try:
        return Blake3((text or "").strip())
    except ValueError:
        return None
