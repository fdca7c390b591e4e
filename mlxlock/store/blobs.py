"""The store: content-addressed blobs in one directory, shared by all projects of a user.

A blob is `blobs/<2hex>/<blake3>`, mode 0444. It enters by partial file, hash and rename; it is hashed again
only when its stat says that someone wrote to it, and then it is moved to `quarantine/` if it really changed.
A kill at any moment leaves at worst a partial file, or a blob without its record, which the next download
writes again.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from mlxlock.errors import StoreError
from mlxlock.fs import Digests, disk_errors, hash_file, locked
from mlxlock.ports import Blob, Deposit, OnEvent, ignore
from mlxlock.spec.digest import Blake3
from mlxlock.spec.resolution import FileEntry, RemoteFile
from mlxlock.store.adopt import adopt
from mlxlock.store.deposit import PartialDeposit, SpentDeposit
from mlxlock.store.identities import Identities, Record, stat_of

WAIT_S: Final = 3600.0
"""A second process waits this long for the one that downloads the same file."""

AdoptMode = Literal["copy", "link"]


class DirectoryStore:
    """A `ports.BlobStore` in a directory.

    Attributes:
        root: The store's directory; made when the first blob comes.
        adopt_from: Hub caches whose files may be taken instead of downloaded.
        adopt_mode: `link` hard-links them, which leaves their permissions as they are.
    """

    def __init__(
        self, root: Path, *, adopt_from: Sequence[Path] = (), adopt_mode: AdoptMode = "copy"
    ) -> None:
        self.root = root
        self.adopt_from = tuple(adopt_from)
        self.adopt_mode: AdoptMode = adopt_mode
        self._identities = Identities(root)

    def find(self, file: FileEntry) -> Blob | None:
        """The blob with this identity, if its bytes did not change.

        Raises:
            DiskError: The store cannot be read.
        """
        name = self._identities.blake3_of(file)
        if name is None:
            return None
        path = self.root / "blobs" / name[:2] / name
        with disk_errors(path, doing="look at"):
            try:
                status = path.lstat()
            except FileNotFoundError:
                return None
        record = self._identities.record_of(name)
        if record is None or record.stat != stat_of(status):
            record = self._seen_again(name, path)
        return None if record is None or not _agrees(file, record) else _blob(name, record, path)

    def _seen_again(self, name: Blake3, path: Path) -> Record | None:
        """Hash a blob that somebody touched: its new record, or None when it is not what its name says."""
        digests = hash_file(path)
        if digests.blake3 != name:
            quarantine = self.root / "quarantine" / name
            with disk_errors(quarantine):
                quarantine.parent.mkdir(parents=True, exist_ok=True)
                path.rename(quarantine)
            return None
        return self._remember(name, path, digests, with_git=True)

    def _remember(self, name: Blake3, path: Path, digests: Digests, *, with_git: bool) -> Record:
        if digests.sha256 is None:
            raise StoreError(f"`{path}` was not hashed by SHA-256")
        with disk_errors(path):
            record = Record(
                sha256=digests.sha256,
                git=digests.git if with_git else None,
                stat=stat_of(path.lstat()),
            )
            self._identities.remember(name, record)
        return record

    @contextmanager
    def deposit(self, file: FileEntry) -> Iterator[Deposit]:
        """Open the one deposit for this identity; a second process waits, and then finds the blob.

        Raises:
            DiskError: The disk refuses.
            BusyError: Another process does not let go.
        """
        partial = self.root / "partial" / _key(file)
        with disk_errors(partial):
            self._prepare()
        with locked(partial.with_suffix(".lock"), timeout_s=WAIT_S):
            blob = self.find(file)
            if blob is not None:
                yield SpentDeposit(blob)
                return
            deposit = PartialDeposit(file, partial, self._enter)
            try:
                yield deposit
            finally:
                deposit.close()

    def _prepare(self) -> None:
        (self.root / "partial").mkdir(parents=True, exist_ok=True)
        tag = self.root / "CACHEDIR.TAG"
        if not tag.exists():
            tag.write_bytes(b"Signature: 8a477f597d28d172789f06886806bc55\n")

    def _enter(self, partial: Path, digests: Digests) -> Blob:
        """Give hashed bytes their name."""
        if digests.blake3 is None:
            raise StoreError(f"`{partial}` was not hashed by BLAKE3")
        name = digests.blake3
        path = self.root / "blobs" / name[:2] / name
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.replace(path)
            _sync_directory(path.parent)
        return _blob(name, self._remember(name, path, digests, with_git=True), path)

    def adopt(self, files: Sequence[RemoteFile], on_event: OnEvent = ignore) -> tuple[RemoteFile, ...]:
        """Take what the user's Hugging Face caches have, verified; what is still missing comes back.

        Raises:
            DiskError: The store's disk refuses.
        """
        return adopt(self, files, self.adopt_from, self.adopt_mode, on_event)


def _key(file: FileEntry) -> str:
    return f"git-{file.git}" if file.git is not None else f"sha256-{file.etag}"


def _agrees(file: FileEntry, record: Record) -> bool:
    """Whether all that is known of a file is what was seen; an unknown git id contradicts nothing."""
    git_agrees = file.git is None or record.git is None or file.git == record.git
    sha256_agrees = file.sha256 is None or file.sha256 == record.sha256
    return git_agrees and sha256_agrees and file.size_bytes == record.stat[0]


def _blob(name: Blake3, record: Record, path: Path) -> Blob:
    return Blob(blake3=name, sha256=record.sha256, size_bytes=record.stat[0], path=path)


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
