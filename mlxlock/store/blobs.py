"""The store: content-addressed blobs in one directory, shared by all projects of a user.

Owns who may write what, and when; `shelves` owns how it stands on the disk, `deposit` the bytes that come.
Nothing gets a name before it was compared, and nothing that changed afterwards is given to anybody.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from mlxlock.fs import locked_file
from mlxlock.ports import Blob, OnEvent, ignore
from mlxlock.spec.resolution import FileEntry, RemoteFile
from mlxlock.store.adopt import Adoption, AdoptMode
from mlxlock.store.deposit import FileDeposit, partial_key
from mlxlock.store.gc import GRACE_S, Pruned, prune, register, registration
from mlxlock.store.intake import FileIntake
from mlxlock.store.shelves import Shelves

WAIT_S: Final = 3600.0
"""A second process waits this long for the one that downloads the same file."""


class DirectoryStore:
    """A `ports.BlobStore` in a directory.

    Args:
        root: The store's directory; made when the first blob comes.
        adopt_from: Hub caches whose files may be taken instead of downloaded.
        adopt_mode: `copy` (a clone, where the filesystem can), or `link`: no space, but the blob is then the
            very file of that cache, keeps its permissions, and is hashed again once somebody wrote it.
        wait_s: How long to wait for another process that brings the same blob.
    """

    def __init__(
        self,
        root: Path,
        *,
        adopt_from: Sequence[Path] = (),
        adopt_mode: AdoptMode = "copy",
        wait_s: float = WAIT_S,
    ) -> None:
        self.root = root
        self._shelves = Shelves(root)
        self._adopt_from = tuple(adopt_from)
        self._adopt_mode: AdoptMode = adopt_mode
        self._wait_s = wait_s
        self._prepared = False

    def find(self, file: FileEntry) -> Blob | None:
        """The blob with this identity, if its bytes did not change and contradict nothing known of the file.

        Raises:
            DiskError: The disk refuses.
            StoreError: Something else than a file has a blob's name.
            ValueError: No hash of `file` is known.
        """
        name = self._shelves.name_of(file)
        there = None if name is None else self._shelves.checked(name, with_git=file.git is not None)
        if there is None:
            return None
        return self._shelves.to_blob(there) if there.agrees(file) else None

    @contextmanager
    def deposit(self, file: FileEntry) -> Iterator[FileDeposit]:
        """Open the one deposit for this identity; a second process waits, and then finds all bytes there.

        Leaving early keeps the bytes, so that the next deposit resumes.

        Raises:
            DiskError: The disk refuses.
            BusyError: Another process does not let go.
        """
        self._prepare()
        partial = self._shelves.partial(partial_key(file))
        with (
            locked_file(partial, timeout_s=self._wait_s) as fd,
            closing(FileDeposit(self._shelves, file, fd, self.find(file))) as deposit,
        ):
            yield deposit

    @contextmanager
    def intake(self) -> Iterator[FileIntake]:
        """Open a place for bytes whose identity nobody knows; left without `commit`, they are gone.

        Raises:
            DiskError: The disk refuses.
        """
        self._prepare()
        with closing(FileIntake(self._shelves)) as intake:
            yield intake

    def _prepare(self) -> None:
        if not self._prepared:
            self._shelves.prepare()
            self._prepared = True

    def adopt(self, files: Sequence[RemoteFile], on_event: OnEvent = ignore) -> tuple[RemoteFile, ...]:
        """Take what the user's Hugging Face caches have, verified; what is still missing comes back.

        Raises:
            DiskError: The store's disk refuses.
            BusyError: Another process does not let go.
        """
        missing = tuple(remote for remote in files if self.find(remote.file) is None)
        adoption = Adoption(self.deposit, self._adopt_from, self._adopt_mode, on_event)
        return adoption.adopt(missing)

    # --- garbage

    def register(self, lockfile: Path) -> None:
        """Remember that a lockfile uses this store, so that `prune` keeps what it names; once is enough.

        Raises:
            DiskError: The disk refuses.
        """
        if not registration(self._shelves, lockfile).exists():
            self._prepare()
            register(self._shelves, lockfile)

    def prune(self, *, grace_s: float = GRACE_S, dry_run: bool = False) -> Pruned:
        """Remove what no registered lockfile names and nobody brought lately.

        Args:
            grace_s: Younger blobs stay: the lockfile that names them may not be written yet.
            dry_run: Only say what would go.

        Raises:
            DiskError: The disk refuses, or a registered lockfile cannot be read: nothing is removed then.
        """
        return prune(self._shelves, grace_s=grace_s, dry_run=dry_run)
