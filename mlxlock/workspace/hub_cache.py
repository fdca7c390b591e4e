"""The user's Hugging Face cache, as a place to put verified snapshots into and to take exact ones out of.

Owns its layout (blobs by etag, snapshots of relative links, refs of forty bytes) and the order: blobs, links,
refs last; refs first when something goes. What stands there under a right name is hashed before it is kept.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mlxlock.errors import DiskError
from mlxlock.fs import Root, disk_errors, hash_file, locked
from mlxlock.ports import Advanced, CachedFile, Finished, LinkMode, OnEvent, Started, ignore
from mlxlock.spec.names import CommitHash, RepoId, RepoPath
from mlxlock.workspace.staging import Bytes, TreeStage

_STAGE: Final = ".mlxk_stage"
_TRASH: Final = ".mlxk_trash"
_TASK: Final = "write-cache"
_LOCK_TIMEOUT_S: Final = 600.0


class DirectoryHubCache:
    """A `ports.HubCache` on disk.

    Args:
        root: The hub cache, with `models--…` folders; made when something is put there.
        link_mode: How files get here from the store.
    """

    def __init__(self, root: Path, *, link_mode: LinkMode = "auto") -> None:
        self._root = root
        self._link_mode: LinkMode = link_mode

    @property
    def root(self) -> Path:
        """The directory that holds the `models--…` folders."""
        return self._root

    def put(
        self,
        repo: RepoId,
        commit: CommitHash,
        files: Mapping[RepoPath, CachedFile],
        ref: str | None,
        on_event: OnEvent = ignore,
    ) -> bool:
        """Put a snapshot there, whatever of it is there already.

        Raises:
            DiskError: The disk refuses, has too little space, or has no symlinks.
            MismatchError: A blob of the store is no longer what it was.
            BusyError: Another mlxk works on this repo, and does not end.
        """
        with self._folder(repo) as folder:
            missing = {file.etag: file for file in files.values() if not _is_whole(folder.path, file)}
            changed = bool(missing)
            self._add_blobs(folder, missing, on_event)
            links = {_snapshot_path(commit, path): _target(path, file) for path, file in files.items()}
            made = sum(_link(folder, path, target) for path, target in links.items())
            changed = changed or made > 0
            if ref is not None:
                name = RepoPath(f"refs/{ref}")
                folder.make_dirs(RepoPath(name.rpartition("/")[0]))
                changed |= folder.write(name, commit.encode())
        return changed

    def remove(self, repo: RepoId, commit: CommitHash | None) -> None:
        """Take one snapshot out, with the refs and blobs that nothing else there needs; or the whole repo.

        Raises:
            DiskError: The disk refuses.
            BusyError: Another mlxk works on this repo, and does not end.
        """
        with self._folder(repo) as folder:
            snapshots = {path.name for path in _names(folder.path / "snapshots")}
            if commit is None or snapshots == {commit}:
                _throw_away(folder.path, self._root / f"{_TRASH}-{folder.path.name}")
            else:
                _remove_snapshot(folder.path, commit)

    @contextmanager
    def _folder(self, repo: RepoId) -> Iterator[Root]:
        """The repo's folder, for one mlxk at a time."""
        path = self._root / repo.cache_folder()
        locks = self._root / ".locks" / repo.cache_folder()
        for directory in (path, locks):
            with disk_errors(directory, doing="make"):
                directory.mkdir(parents=True, exist_ok=True)
        with locked(locks / "mlxk.lock", timeout_s=_LOCK_TIMEOUT_S), Root(path) as folder:
            _clear(path / _STAGE)
            yield folder

    def _add_blobs(self, folder: Root, missing: Mapping[str, CachedFile], on_event: OnEvent) -> None:
        stage_path = RepoPath(_STAGE)
        folder.make_dirs(stage_path)
        folder.make_dirs(RepoPath("blobs"))
        total = sum(file.blob.size_bytes for file in missing.values())
        on_event(Started(task=_TASK, label="writing the cache", total=total, unit="files"))
        sources = {
            RepoPath(etag): Bytes(
                path=file.blob.path,
                identity=file.blob.blake3,
                size_bytes=file.blob.size_bytes,
                large=True,  # nobody edits what is in there
            )
            for etag, file in missing.items()
        }
        with folder.below(stage_path) as directory:
            stage = TreeStage(directory, self._root, self._link_mode)
            stage.add_files(sources, lambda: on_event(Advanced(task=_TASK, amount=1)))
        for etag in sources:
            folder.rename(stage_path / etag, RepoPath(f"blobs/{etag}"))
        folder.rmdir(stage_path)
        on_event(Finished(task=_TASK))


def _is_whole(folder: Path, file: CachedFile) -> bool:
    """Whether the blob is there, every byte of it."""
    path = folder / "blobs" / file.etag
    try:
        return path.lstat().st_size == file.blob.size_bytes and (
            hash_file(path, ("blake3",)).blake3 == file.blob.blake3
        )
    except (FileNotFoundError, DiskError):
        return False


def _snapshot_path(commit: CommitHash, path: RepoPath) -> RepoPath:
    return RepoPath(f"snapshots/{commit}/{path}")


def _target(path: RepoPath, file: CachedFile) -> str:
    return f"{'../' * (2 + path.count('/'))}blobs/{file.etag}"


def _link(folder: Root, path: RepoPath, target: str) -> bool:
    """Let a snapshot's path be a link to its blob; False when it is one already."""
    full = folder.path / path
    if full.is_symlink() and str(full.readlink()) == target:
        return False
    folder.make_dirs(RepoPath(path.rpartition("/")[0]))
    folder.unlink(path)
    folder.symlink(path, target)
    return True


# --- removal ------------------------------------------------------------------------------------------------


def _remove_snapshot(folder: Path, commit: CommitHash) -> None:
    snapshots = folder / "snapshots"
    kept = _blobs_of(other for other in _names(snapshots) if other.name != commit)
    going = _blobs_of([snapshots / commit]) - kept
    for ref in _refs_to(folder / "refs", commit):
        ref.unlink()
    _throw_away(snapshots / commit, folder / f"{_TRASH}-{commit}")
    _throw_away(folder / ".no_exist" / commit, folder / f"{_TRASH}-{commit}")
    for name in going:
        with disk_errors(folder / "blobs" / name, doing="remove"):
            (folder / "blobs" / name).unlink(missing_ok=True)


def _names(directory: Path) -> list[Path]:
    return list(directory.iterdir()) if directory.is_dir() else []


def _blobs_of(snapshots: Iterable[Path]) -> set[str]:
    paths = (path for snapshot in snapshots for path in snapshot.rglob("*"))
    return {path.readlink().name for path in paths if path.is_symlink()}


def _refs_to(refs: Path, commit: CommitHash) -> list[Path]:
    if not refs.is_dir():
        return []
    return [
        path for path in refs.rglob("*") if path.is_file() and path.read_bytes().strip() == commit.encode()
    ]


def _throw_away(path: Path, trash: Path) -> None:
    """Let a directory be gone at once, then free its space."""
    with disk_errors(path, doing="remove"):
        _clear(trash)
        if path.exists():
            path.rename(trash)
            shutil.rmtree(trash)


def _clear(path: Path) -> None:
    with disk_errors(path, doing="clear"):
        if os.path.lexists(path):
            shutil.rmtree(path)
