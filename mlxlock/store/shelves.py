"""Where things stand in a store, and what the store remembers of each blob.

Owns the directory's shape, the records and the step that gives bytes a name. Everything appears by rename or
link, a blob last of all, so that a kill at any moment leaves nothing that looks complete and is not::

    blobs/<2 hex>/<blake3>     the bytes, 0444
    records/<2 hex>/<blake3>   blake3 sha256 size mtime_ns inode [git], as they were when it was hashed
    sha256/<2 hex>/<sha256>    a record too: its first word is the blob's name
    git/<2 hex>/<git id>       likewise
    partial/<key>              interrupted downloads; whoever writes one holds its lock
    quarantine/<blake3>        blobs that were changed after they got their name
    projects/<id>              paths of lockfiles that use this store
    tmp/                       what is not yet one of these

A blob whose stat is not its record's is hashed again before anybody gets it. ctime is no part of a record:
linking a blob into a workspace changes it. The three records of a blob are links to one file: ext4 takes 20
times as long to make a file as to link one.
"""

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from mlxlock.errors import StoreError
from mlxlock.fs import Digests, disk_errors, hardlink, hash_file, open_regular, write_all, write_atomic
from mlxlock.planning.layout import CACHEDIR_TAG
from mlxlock.ports import Blob
from mlxlock.spec.digest import Blake3, GitOid, Sha256
from mlxlock.spec.resolution import FileEntry

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a blob's bytes are, and the stat they had when they were hashed."""

    blake3: Blake3
    sha256: Sha256
    size_bytes: int
    mtime_ns: int
    inode: int
    git: GitOid | None = None

    def describes(self, found: os.stat_result) -> bool:
        """Whether a file with this stat still has the bytes that were hashed."""
        seen = (self.size_bytes, self.mtime_ns, self.inode)
        return seen == (found.st_size, found.st_mtime_ns, found.st_ino)

    def agrees(self, file: FileEntry) -> bool:
        """Whether nothing that is known of `file` contradicts this."""
        same_sha256 = file.sha256 in {None, self.sha256}
        same_git = file.git is None or self.git in {None, file.git}
        return file.size_bytes == self.size_bytes and same_sha256 and same_git


def record_of(digests: Digests, found: os.stat_result) -> Record:
    """The record of bytes that were just hashed.

    Args:
        digests: With `blake3` and `sha256`.
        found: The stat of the descriptor through which they were hashed.
    """
    assert digests.blake3 is not None  # noqa: S101 - every caller asks for both
    assert digests.sha256 is not None  # noqa: S101 - every caller asks for both
    return Record(
        blake3=digests.blake3,
        sha256=digests.sha256,
        size_bytes=digests.size_bytes,
        mtime_ns=found.st_mtime_ns,
        inode=found.st_ino,
        git=digests.git,
    )


def format_record(record: Record) -> str:
    """One line: `blake3 sha256 size mtime_ns inode [git]`."""
    stat = (record.size_bytes, record.mtime_ns, record.inode)
    return " ".join(map(str, (record.blake3, record.sha256, *stat, record.git or ""))).rstrip() + "\n"


def parse_record(text: str) -> Record | None:
    """A record, or None for a text that is none: its blob is hashed again then."""
    try:
        blake3, sha256, size, mtime_ns, inode, *git = text.split()
        return Record(
            blake3=Blake3(blake3),
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
        return self.root / f"blobs/{name[:2]}/{name}"

    def record(self, digest: Blake3 | Sha256 | GitOid) -> Path:
        """Where the record of the blob with this hash is."""
        folder = {Blake3: "records", Sha256: "sha256", GitOid: "git"}[type(digest)]
        return self.root / f"{folder}/{digest[:2]}/{digest}"

    def partial(self, key: str) -> Path:
        """Where the first bytes of a download are."""
        return self.root / f"partial/{key}"

    def temporary(self) -> Path:
        """A path that nobody else uses."""
        return self.root / f"tmp/{os.getpid()}-{secrets.token_hex(8)}"

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
        record = parse_record(_read(self.record(digest)))
        return None if record is None else record.blake3

    def checked(self, name: Blake3, *, with_git: bool = False) -> Record | None:
        """The record of a blob that is there, hashed again unless nothing happened to it since it was.

        A blob with other bytes than its name says goes to quarantine.

        Args:
            name: The blob's name.
            with_git: Whether its git id must be known.

        Raises:
            DiskError: The disk refuses.
            StoreError: Something else than a file has the blob's name.
        """
        found = _lstat(self.blob(name))
        if found is None:
            return None
        record = parse_record(_read(self.record(name)))
        if record is None or record.blake3 != name or not record.describes(found):
            return self._hash_again(name)
        return self._hash_again(name) if with_git and record.git is None else record

    def _hash_again(self, name: Blake3) -> Record | None:
        path = self.blob(name)
        with disk_errors(path, doing="read"):
            if not path.is_file() or path.is_symlink():
                hint = "remove it; `mlxk sync` brings the blob back"
                raise StoreError(f"`{path}` is not a file", hint=hint)
            with open_regular(path) as fd:
                record = record_of(hash_file(fd), os.fstat(fd))
        if record.blake3 != name:
            self._quarantine(name)
            return None
        self.remember(record)
        return record

    def _quarantine(self, name: Blake3) -> None:
        folder = self.root / "quarantine"
        with disk_errors(folder), suppress(FileNotFoundError):  # another process was faster
            folder.mkdir(exist_ok=True)
            self.blob(name).replace(folder / name)

    def to_blob(self, record: Record) -> Blob:
        """The blob that a record describes."""
        return Blob(
            blake3=record.blake3,
            sha256=record.sha256,
            size_bytes=record.size_bytes,
            path=self.blob(record.blake3),
        )

    # --- naming

    def remember(self, record: Record) -> None:
        """Write a blob's record, and lead to it from its other hashes.

        Raises:
            DiskError: The disk refuses.
        """
        path, text = self.record(record.blake3), format_record(record).encode()
        with disk_errors(path):
            temporary = self._temporary(text)
            try:
                for digest in (record.sha256, record.git):
                    if digest is not None:
                        self._lead(digest, record.blake3, temporary, text)
                _move(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)

    def _temporary(self, text: bytes) -> Path:
        path = self.temporary()
        fd = os.open(path, _NEW, 0o644)
        try:
            write_all(fd, text)
        finally:
            os.close(fd)
        return path

    def _lead(self, digest: Sha256 | GitOid, name: Blake3, source: Path, text: bytes) -> None:
        path = self.record(digest)
        known = parse_record(_read(path))
        if known is not None and known.blake3 == name:
            return
        linked = self.temporary()
        _move(linked if hardlink(source, linked) else self._temporary(text), path)

    def shelve(self, source: Path, digests: Digests, found: os.stat_result) -> Blob:
        """Give a file in this store the name of its bytes; a blob that is there already stays.

        Args:
            source: In `partial` or `tmp`; gone afterwards.
            digests: Of its bytes, `blake3` and `sha256` at least.
            found: The stat of the descriptor through which they were hashed.

        Raises:
            DiskError: The disk refuses.
        """
        record = record_of(digests, found)
        there = self.checked(record.blake3)
        if there is None:
            self.remember(record)  # before the blob, which is what counts: without it a record means nothing
            with disk_errors(self.blob(record.blake3)):
                _move(source, self.blob(record.blake3))
            return self.to_blob(record)
        self.remember(replace(there, git=record.git or there.git))
        with disk_errors(source, doing="remove"):
            source.unlink()
        return self.to_blob(there)


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
