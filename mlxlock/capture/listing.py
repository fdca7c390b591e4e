"""What a run left in its Hugging Face cache: refs, snapshot paths, negative look-ups.

Owns the layout of that cache as huggingface_hub writes it, read as what a stranger wrote: no symlink is
followed, no name is believed, whatever does not belong is told and left out. Reads no file but `refs/`.
"""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from mlxlock.fs import open_regular
from mlxlock.ports import Note, OnEvent, ignore
from mlxlock.spec.names import REPO_TYPES, CommitHash, RepoId, RepoPath, RepoType, Revision
from mlxlock.spec.record import CachedRepo

T = TypeVar("T")

_NOT_REPOS: Final = frozenset({".locks", "CACHEDIR.TAG", "blobs", "version.txt"})
_COMMIT_LENGTH: Final = 40
_MAX_NOTES: Final = 20


def list_cache(hub_dir: Path, on_event: OnEvent = ignore) -> tuple[CachedRepo, ...]:
    """Every repo of a cache, sorted by type and name.

    Args:
        hub_dir: `.hf_cache/hub`; when it is missing there is nothing.
        on_event: Hears of what does not belong there.
    """
    strange = _Strange()
    repos = [
        _repo(entry, named[0], named[1], strange)
        for entry in _entries(hub_dir, strange)
        if entry.name not in _NOT_REPOS and (named := _named(entry, strange)) is not None
    ]
    strange.tell(on_event)
    return tuple(sorted(repos, key=lambda repo: (repo.repo_type, repo.repo)))


class _Strange:
    """What does not belong into a cache; a hostile run could leave any number of it."""

    def __init__(self) -> None:
        self._notes: list[str] = []
        self._count = 0

    def note(self, path: str, why: str) -> None:
        self._count += 1
        if len(self._notes) < _MAX_NOTES:
            self._notes.append(f"the first run left {path!a} in its cache, which is left out: {why}")

    def tell(self, on_event: OnEvent) -> None:
        for text in self._notes:
            on_event(Note(text=text, level="warning"))
        if self._count > len(self._notes):
            more = self._count - len(self._notes)
            on_event(Note(text=f"the first run left {more} more such files", level="warning"))


def _named(entry: os.DirEntry[str], strange: _Strange) -> tuple[RepoType, RepoId] | None:
    kind, _, rest = entry.name.partition("--")
    types = {f"{repo_type}s": repo_type for repo_type in REPO_TYPES}
    repo = _parsed(RepoId, rest.replace("--", "/"), entry.path, strange) if kind in types else None
    if repo is None or not entry.is_dir(follow_symlinks=False):
        strange.note(entry.path, "it is no repo's folder")
        return None
    return types[kind], repo


def _repo(entry: os.DirEntry[str], repo_type: RepoType, repo: RepoId, strange: _Strange) -> CachedRepo:
    folder = Path(entry.path)
    return CachedRepo(
        repo=repo,
        repo_type=repo_type,
        refs=dict(_refs(folder / "refs", strange)),
        files=dict(_by_commit(folder / "snapshots", strange)),
        absent=dict(_by_commit(folder / ".no_exist", strange)),
    )


def _refs(folder: Path, strange: _Strange) -> Iterator[tuple[str, CommitHash]]:
    for name in _files_below(folder, strange):
        path = folder / name
        revision = _parsed(Revision, name, str(path), strange)
        try:
            with open_regular(path) as fd:
                text = os.read(fd, _COMMIT_LENGTH + 1).decode("ascii", "replace")
        except OSError as error:
            strange.note(str(path), f"it cannot be read ({error.strerror})")
            continue
        commit = _parsed(CommitHash, text, str(path), strange)
        if revision is not None and commit is not None:
            yield revision, commit


def _by_commit(folder: Path, strange: _Strange) -> Iterator[tuple[CommitHash, tuple[RepoPath, ...]]]:
    for entry in _entries(folder, strange):
        commit = _parsed(CommitHash, entry.name, entry.path, strange)
        if commit is None:
            continue
        found = (
            _parsed(RepoPath, name, f"{entry.path}/{name}", strange)
            for name in _files_below(Path(entry.path), strange)
        )
        yield commit, tuple(sorted(path for path in found if path is not None))


def _files_below(folder: Path, strange: _Strange) -> Iterator[str]:
    """The relative path of every file and symlink. Without recursion: the depth is a stranger's choice."""
    waiting = [folder]
    while waiting:
        for entry in _entries(waiting.pop(), strange):
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
            elif entry.is_symlink() or entry.is_file(follow_symlinks=False):
                yield os.path.relpath(entry.path, folder)
            else:
                strange.note(entry.path, "it is no file")


def _entries(folder: Path, strange: _Strange) -> list[os.DirEntry[str]]:
    """What is in a directory, sorted; nothing when it is missing, or a symlink."""
    try:
        if not stat.S_ISDIR(folder.lstat().st_mode):
            strange.note(str(folder), "it is no directory")
            return []
        with os.scandir(folder) as listing:
            return sorted(listing, key=lambda entry: os.fsencode(entry.name))
    except FileNotFoundError:
        return []
    except OSError as error:
        strange.note(str(folder), f"it cannot be read ({error.strerror})")
        return []


def _parsed(parse: Callable[[str], T], text: str, path: str, strange: _Strange) -> T | None:
    try:
        return parse(text)
    except ValueError:
        strange.note(path, f"{text!a} is no {parse.__name__}")
        return None
