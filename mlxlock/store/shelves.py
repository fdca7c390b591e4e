"""Where things stand in a store, and what the store remembers of each blob.

Owns the directory's shape, the records and the step that gives bytes a name. Everything appears by rename, a
blob last of all, so that a kill at any moment leaves nothing that looks complete and is not::

    blobs/<2 hex>/<blake3>     the bytes, 0444
    records/<2 hex>/<blake3>   sha256, size, mtime_ns, inode [, git], as they were when the bytes were hashed
    sha256/<2 hex>/<sha256>    the blake3
    git/<2 hex>/<git id>       the blake3
    partial/<key>[.lock]       interrupted downloads
    quarantine/<blake3>        blobs that were changed after they got their name
    projects/<id>              paths of lockfiles that use this store
    tmp/                       what is not yet one of these

A blob whose stat is not its record's is hashed again before anybody gets it. ctime is no part of a record:
linking a blob into a workspace changes it.
"""

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from mlxlock.errors import StoreError
from mlxlock.fs import Digests, disk_errors, hash_file, open_regular, write_all, write_atomic
from mlxlock.planning.layout import CACHEDIR_TAG
from mlxlock.ports import Blob
from mlxlock.spec.digest import Blake3, GitOid, Sha256
from mlxlock.spec.resolution import FileEntry

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a blob's bytes are, and the stat they had when they were hashed."""

    sha256: Sha256
    size_bytes: int
    mtime_ns: int
    inode: int
    git: GitOid | None = None

    def describes(self, found: os.stat_result) -> bool:
        """Whether a file with this stat still has the bytes that were hashed."""
        return (self.size_bytes, self.mtime_ns, self.inode) == (
            found.st_size,
            found.st_mtime_ns,
            found.st_ino,
        )

    def agrees(self, file: FileEntry) -> bool:
        """Whether nothing that is known of `file` contradicts this."""
        same_sha256 = file.sha256 in {None, self.sha256}
        same_git = file.git is None or self.git in {None, file.git}
        return file.size_bytes == self.size_bytes and same_sha256 and same_git


def record_of(digests: Digests, found: os.stat_result) -> Record:
    """The record of bytes that were just hashed.

    Args:
        digests: With `sha256`.
        found: The stat of the descriptor through which they were hashed.
    """
    assert digests.sha256 is not None  # noqa: S101 - every caller asks for it
    return Record(
        sha256=digests.sha256,
        size_bytes=digests.size_bytes,
        mtime_ns=found.st_mtime_ns,
        inode=found.st_ino,
        git=digests.git,
    )


def format_record(record: Record) -> str:
    """One line: `sha256 size mtime_ns inode [git]`."""
    values = (record.sha256, record.size_bytes, record.mtime_ns, record.inode, record.git)
    return " ".join(str(value) for value in values if value is not None) + "\n"


def parse_record(text: str) -> Record | None:
    """A record, or None for a text that is none: its blob is hashed again then."""
    try:
        sha256, size, mtime_ns, inode, *git = text.split()
        return Record(
            sha256=Sha256(sha256),
            size_bytes=int(size),
            mtime_ns=int(mtime_ns),
            inode=int(inode),
            git=GitOid(git[0]) if git else None,
        )
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Shelves:
    """The directory of a store."""

    root: Path

    def blob(self, name: Blake3) -> Path:
        """Where a blob is."""
        return self.root / "blobs" / name[:2] / name

    def record(self, name: Blake3) -> Path:
        """Where its record is."""
        return self.root / "records" / name[:2] / name

    def index(self, digest: Sha256 | GitOid) -> Path:
        """Where the name of the blob with another hash is written."""
        folder = "sha256" if isinstance(digest, Sha256) else "git"
        return self.root / folder / digest[:2] / digest

    def partial(self, key: str) -> Path:
        """Where the first bytes of a download are."""
        return self.root / "partial" / key

    def lock(self, key: str) -> Path:
        """What is locked while somebody writes them."""
        return self.root / "partial" / f"{key}.lock"

    def temporary(self) -> Path:
        """A path that nobody else uses."""
        return self.root / "tmp" / f"{os.getpid()}-{secrets.token_hex(8)}"

    def prepare(self) -> None:
        """Make the store's directory, for its user alone, where it is missing.

        Raises:
            DiskError: The disk refuses.
        """
        with disk_errors(self.root):
            self.root.parent.mkdir(parents=True, exist_ok=True)
            self.root.mkdir(mode=0o700, exist_ok=True)
            for folder in ("tmp", "partial"):
                (self.root / folder).mkdir(exist_ok=True)
        if not (self.root / "CACHEDIR.TAG").exists():
            write_atomic(self.root / "CACHEDIR.TAG", CACHEDIR_TAG)

    # --- finding

    def name_of(self, file: FileEntry) -> Blake3 | None:
        """The name of the blob with this identity: by blake3, else sha256, else git id."""
        if file.blake3 is not None:
            return file.blake3
        digest = file.sha256 or file.git
        if digest is None:
            raise ValueError(f"no hash is known for {file.path!r}")
        try:
            return Blake3(_read(self.index(digest)).strip())
        except ValueError:
            return None

    def checked(self, name: Blake3, *, with_git: bool = False) -> tuple[Blob, Record] | None:
        """A blob with its record, hashed again unless nothing happened to it since it was.

        A blob with other bytes than its name says goes to quarantine.

        Args:
            name: The blob's name.
            with_git: Whether its git id must be known.

        Raises:
            DiskError: The disk refuses.
            StoreError: Something else than a file has the blob's name.
        """
        path = self.blob(name)
        found = _lstat(path)
        if found is None:
            return None
        record = parse_record(_read(self.record(name)))
        if record is None or not record.describes(found) or (with_git and record.git is None):
            record = self._hash_again(name)
        return None if record is None else (_blob(path, name, record), record)

    def _hash_again(self, name: Blake3) -> Record | None:
        path = self.blob(name)
        with disk_errors(path, doing="read"):
            if not path.is_file() or path.is_symlink():
                raise StoreError(
                    f"`{path}` is not a file", hint="remove it; `mlxk sync` brings the blob back"
                )
            with open_regular(path) as fd:
                digests, found = hash_file(fd), os.fstat(fd)
        if digests.blake3 != name:
            self._quarantine(name)
            return None
        record = record_of(digests, found)
        self.remember(name, record)
        return record

    def _quarantine(self, name: Blake3) -> None:
        with disk_errors(self.root / "quarantine"), suppress(FileNotFoundError):  # another process was faster
            (self.root / "quarantine").mkdir(exist_ok=True)
            self.blob(name).replace(self.root / "quarantine" / name)

    # --- naming

    def remember(self, name: Blake3, record: Record) -> None:
        """Write a blob's record and what leads to it.

        Raises:
            DiskError: The disk refuses.
        """
        texts = {self.record(name): format_record(record), self.index(record.sha256): f"{name}\n"}
        if record.git is not None:
            texts[self.index(record.git)] = f"{name}\n"
        self._put(texts)

    def _put(self, texts: Mapping[Path, str]) -> None:
        for path, text in texts.items():
            temporary = self.temporary()
            with disk_errors(path):
                try:
                    fd = os.open(temporary, _NEW, 0o644)
                    try:
                        write_all(fd, text.encode())
                    finally:
                        os.close(fd)
                    _move(temporary, path)
                except BaseException:
                    temporary.unlink(missing_ok=True)
                    raise

    def shelve(self, source: Path, digests: Digests, found: os.stat_result) -> Blob:
        """Give a file in this store the name of its bytes; a blob that is there already stays.

        Args:
            source: In `partial` or `tmp`; gone afterwards.
            digests: Of its bytes, `blake3` and `sha256` at least.
            found: The stat of the descriptor through which they were hashed.

        Raises:
            DiskError: The disk refuses.
        """
        assert digests.blake3 is not None  # noqa: S101 - every caller asks for it
        name, record = digests.blake3, record_of(digests, found)
        there = self.checked(name)
        if there is None:
            self.remember(name, record)  # before the blob, which is what counts: without it they mean nothing
            with disk_errors(self.blob(name)):
                _move(source, self.blob(name))
            return _blob(self.blob(name), name, record)
        self.remember(name, replace(there[1], git=record.git or there[1].git))
        with disk_errors(source, doing="remove"):
            source.unlink()
        return there[0]


def _blob(path: Path, name: Blake3, record: Record) -> Blob:
    return Blob(blake3=name, sha256=record.sha256, size_bytes=record.size_bytes, path=path)


def _read(path: Path) -> str:
    """A small text; empty when it is missing, since both mean that nothing is known."""
    with disk_errors(path, doing="read"):
        try:
            return path.read_text(encoding="ascii", errors="replace")
        except FileNotFoundError:
            return ""


def _lstat(path: Path) -> os.stat_result | None:
    with disk_errors(path, doing="look at"):
        try:
            return path.lstat()
        except FileNotFoundError:
            return None


def _move(source: Path, target: Path) -> None:
    try:
        source.replace(target)
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
