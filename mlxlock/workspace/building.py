"""Makes the directory of a single model: staged beside its target, then given its name by one rename.

Owns the stage's name, so that a killed run's litter is found and cleared by the next one, and the lock that
keeps two runs apart. Never touches a directory that holds anything.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import Final

from blake3 import blake3

from mlxlock.errors import DiskError
from mlxlock.fs import Root, disk_errors, locked, open_regular, read_chunks, write_all
from mlxlock.planning.layout import CACHEDIR_TAG, HUB_DIR, is_large
from mlxlock.ports import Advanced, Blob, Building, Finished, LinkMode, Note, OnEvent, Started, ignore
from mlxlock.spec.digest import Sha256
from mlxlock.spec.model_facts import ModelFile
from mlxlock.spec.names import RepoPath
from mlxlock.spec.sentinel import SENTINEL_NAME, Sentinel, is_hashed
from mlxlock.workspace.apply import Clock
from mlxlock.workspace.contents import sentinel_identity
from mlxlock.workspace.directory import settled_now, utc_now
from mlxlock.workspace.index import Entry, Stamp, index_path, save_index
from mlxlock.workspace.model_files import list_files
from mlxlock.workspace.staging import Bytes, TreeStage

STAGE_PREFIX: Final = ".mlxk_stage-"
_LOCK_TIMEOUT_S: Final = 600.0
_TASK: Final = "build-model"

Written = Callable[[Sentinel], bytes]


def stage_of(target: Path) -> Path:
    """Where a target is staged: beside it, hidden, the same for every run."""
    return target.parent / f"{STAGE_PREFIX}{blake3(os.fsencode(target.name)).hexdigest()[:16]}"


class DirectoryWorkspaces:
    """A `ports.Workspaces` on disk.

    Args:
        records: Where locks and stat indexes are kept, outside of any workspace.
        version: mlxlock's own, for sentinels.
        link_mode: How files get here from the store.
        clock: The time of day, for sentinels.
        on_event: Told when another process is waited for.
    """

    def __init__(
        self,
        records: Path,
        *,
        version: str,
        link_mode: LinkMode = "auto",
        clock: Clock = utc_now,
        on_event: OnEvent = ignore,
    ) -> None:
        self._records = records
        self._version = version
        self._link_mode: LinkMode = link_mode
        self._clock = clock
        self._on_event = on_event

    @contextmanager
    def building(self, target: Path) -> Iterator[Building]:
        """Begin one, alone; what a killed run left is cleared first. Leaving without `finish` leaves nothing.

        Raises:
            DiskError: The disk refuses.
            BusyError: Another process makes it, and does not end.
        """
        index = index_path(self._records, target)
        stage = stage_of(target)
        with disk_errors(target.parent, doing="make"):
            target.parent.mkdir(parents=True, exist_ok=True)
        with self._alone(target):
            _clear(stage)
            with disk_errors(stage, doing="make"):
                stage.mkdir()
            try:
                with Root(stage) as root:
                    yield _Building(
                        root, target, TreeStage(root, target, self._link_mode), index, self._written
                    )
            finally:
                _clear(stage)

    def remove(self, directory: Path) -> None:
        """Take a whole directory away: gone at once, its space freed afterwards.

        Raises:
            DiskError: The disk refuses.
            BusyError: Another process makes it, and does not end.
        """
        stage = stage_of(directory)
        with self._alone(directory), disk_errors(directory, doing="remove"):
            _clear(stage)
            directory.rename(stage)
            _clear(stage)
            index_path(self._records, directory).unlink(missing_ok=True)

    @contextmanager
    def _alone(self, target: Path) -> Iterator[None]:
        with disk_errors(self._records, doing="make"):
            self._records.mkdir(parents=True, exist_ok=True)
        waiting = Note(text=f"another mlxk works on `{target}`: waiting for it to end")
        lock = index_path(self._records, target).with_suffix(".lock")
        with locked(lock, timeout_s=_LOCK_TIMEOUT_S, on_wait=lambda: self._on_event(waiting)):
            yield

    def _written(self, sentinel: Sentinel) -> bytes:
        now = self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"{json.dumps(sentinel.written(version=self._version, now=now), indent=2)}\n".encode()


class _Building:
    """A `ports.Building`."""

    def __init__(self, root: Root, target: Path, stage: TreeStage, index: Path, written: Written) -> None:
        self._root = root
        self._target = target
        self._staged = stage
        self._index = index
        self._written = written

    @property
    def stage(self) -> Path:
        """Where it is until it gets its name."""
        return self._root.path

    def add(self, blobs: Mapping[RepoPath, Blob], on_event: OnEvent = ignore) -> None:
        """Bring files in from the store.

        Raises:
            DiskError: Too little space (computed before the first byte), or the disk refuses.
            MismatchError: A blob is no longer what it was.
        """
        sources = {
            path: Bytes(
                path=blob.path,
                identity=blob.blake3,
                size_bytes=blob.size_bytes,
                large=is_large(path, blob.size_bytes),
            )
            for path, blob in blobs.items()
        }
        label = f"writing `{self._target.name}`"
        on_event(Started(task=_TASK, label=label, total=len(sources), unit="files"))
        self._staged.add_files(sources, lambda: on_event(Advanced(task=_TASK, amount=1)))
        on_event(Finished(task=_TASK))

    def copy(self, source: Path, paths: Sequence[RepoPath], on_event: OnEvent = ignore) -> None:
        """Take files from another directory, by clone or copy, links followed.

        Raises:
            DiskError: The disk refuses.
        """
        on_event(Started(task=_TASK, label=f"copying `{source.name}`", total=len(paths), unit="files"))
        for path in paths:
            if "/" in path:
                self._root.make_dirs(RepoPath(path.rpartition("/")[0]))
            with disk_errors(source / path, doing="copy"), open_regular((source / path).resolve()) as fd:
                if not self._root.clone(fd, path):
                    _copy(fd, self._root.path / path)
            on_event(Advanced(task=_TASK, amount=1))
        on_event(Finished(task=_TASK))

    def seal(self, on_event: OnEvent = ignore) -> Mapping[str, Sha256]:
        """Read all that is staged: the SHA-256 of each file that a content hash covers, by path.

        Raises:
            DiskError: A file cannot be read, changes while it is read, or is none.
        """
        files = [file for file in list_files(self._root.path) if is_hashed(file.path)]
        total = sum(file.size_bytes for file in files)
        on_event(Started(task=_TASK, label=f"hashing `{self._target.name}`", total=total))
        hashes = {file.path: self._sealed(file, on_event) for file in files}
        on_event(Finished(task=_TASK))
        return hashes

    def _sealed(self, file: ModelFile, on_event: OnEvent) -> Sha256:
        if file.problem is not None:
            raise DiskError(f"`{self._root.path / file.path}` is {file.problem}")
        path = RepoPath(file.path)
        seen, status = self._root.hash(path, ("blake3", "sha256"))
        assert seen.blake3 is not None  # noqa: S101 - both were asked for
        assert seen.sha256 is not None  # noqa: S101 - both were asked for
        self._staged.entries[path] = Entry(Stamp.of(status), seen.blake3)
        on_event(Advanced(task=_TASK, amount=file.size_bytes))
        return seen.sha256

    def finish(self, sentinel: Sentinel) -> None:
        """Write the sentinel, then give the directory its name; makes the `.hf_cache` beside it.

        Raises:
            DiskError: The disk refuses, or something has come to stand at the target.
        """
        text = self._written(sentinel)
        self._staged.add_bytes(RepoPath(SENTINEL_NAME), text, sentinel_identity(text))
        entries = dict(self._staged.entries)
        make_cache(self._target.parent)
        with disk_errors(self._target, doing="make"):
            self._root.path.rename(self._target)
        with Root(self._target.parent) as parent:
            parent.sync()
        save_index(self._index, settled_now(self._root, entries))


def _copy(fd: int, target: Path) -> None:
    with target.open("xb") as out:
        for chunk in read_chunks(fd):
            write_all(out.fileno(), chunk)


def make_cache(directory: Path) -> None:
    """The `.hf_cache` of the models in a directory, empty but for what tells backups to leave it out.

    Raises:
        DiskError: The disk refuses.
    """
    with Root(directory) as root:
        root.make_dirs(RepoPath(HUB_DIR))
        tag = RepoPath(f"{HUB_DIR}/CACHEDIR.TAG")
        if root.lstat(tag) is None:
            root.write(tag, CACHEDIR_TAG)


def _clear(stage: Path) -> None:
    """Remove what a run staged; blobs that were linked lose a name, nothing else."""
    with disk_errors(stage, doing="clear"):
        if os.path.lexists(stage):
            shutil.rmtree(stage)
