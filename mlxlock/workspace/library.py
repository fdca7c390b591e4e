"""The models on this machine: workspaces, and the snapshots of a Hugging Face cache.

Owns what counts as a model's directory. Only ever reads; what cannot be read is told where it stands and
hides nothing beside it.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from mlxlock.errors import MlxlockError
from mlxlock.fs import disk_errors, expanded, open_regular
from mlxlock.ports import Artifact, LocalModel, OnEvent, Shelf, ignore
from mlxlock.spec.digest import Sha256
from mlxlock.spec.model_facts import ModelFacts, ModelFile
from mlxlock.spec.names import CommitHash, RepoId
from mlxlock.spec.sentinel import CACHE_DIR, SENTINEL_NAME, is_hashed
from mlxlock.spec.sentinel_reader import MAX_BYTES, parse_sentinel
from mlxlock.spec.weights import BY_SUFFIX
from mlxlock.workspace.artifacts import list_artifacts
from mlxlock.workspace.index import StatIndex, index_path, load_index
from mlxlock.workspace.model_files import as_recorded, hash_files, is_recorded, list_files
from mlxlock.workspace.reading import look_at_model

_MARKS: Final = frozenset({SENTINEL_NAME, "config.json"})
_WEIGHTS: Final = tuple(BY_SUFFIX)
_PREFIX: Final = "models--"
_NO_MODELS: Final = frozenset({"hub", CACHE_DIR})


class DirectoryLibrary:
    """A `ports.Library` over directories.

    Args:
        roots: Directories of workspaces, in the order in which they are searched.
        caches: Hub caches, with `models--…` folders.
        home: The user's home, for `~/`.
        records: Where mlxk keeps what it knows of the directories that it made.
    """

    def __init__(self, *, roots: Sequence[Path], caches: Sequence[Path], home: Path, records: Path) -> None:
        self._records = records
        self._roots = tuple(roots)
        self._caches = tuple(caches)
        self._home = home

    def shelves(self) -> tuple[Shelf, ...]:
        """The workspace home, each path of `MLXK_MODEL_PATH`, the Hugging Face cache."""
        return (*map(self.shelf, self._roots), *map(_cache_shelf, self._caches))

    def shelf(self, root: Path) -> Shelf:
        """The models right below a directory."""
        shelf = Shelf(where="workspace", root=root)
        try:
            found = [_workspace(root / name) for name in _directories(root) if name not in _NO_MODELS]
        except MlxlockError as problem:
            return replace(shelf, problem=problem.reason)
        return replace(shelf, models=tuple(model for model in found if model is not None))

    def path(self, text: str) -> Path | None:
        """The path that a text spells; None when it may be a name instead.

        A directory that holds a model needs no `./` before it.
        """
        path = Path(os.path.normpath(expanded(text, self._home)))
        spelled = text in {".", "..", "~"} or text.startswith(("/", "./", "../", "~/")) or text.endswith("/")
        return path if spelled or self.model(path) is not None else None

    def model(self, directory: Path) -> LocalModel | None:
        """The model in a directory."""
        return _snapshot_at(directory) or _workspace(directory)

    def files(self, model: LocalModel) -> tuple[ModelFile, ...]:
        """All its files but a `.hf_cache`.

        Raises:
            DiskError: It cannot be read.
        """
        return list_files(model.directory, follow=model.where == "cache")

    def facts(self, model: LocalModel) -> ModelFacts:
        """What can be seen of it without reading its weights.

        Raises:
            DiskError: A directory cannot be read.
        """
        facts = look_at_model(model.directory, follow=model.where == "cache")
        index = self._record(model)
        if not is_recorded(model.directory, index):
            return facts
        gone = sorted(index.entries.keys() - {file.path for file in facts.files})
        return replace(facts, gone=tuple(path for path in gone if is_hashed(path)))

    def hashes(self, model: LocalModel, on_event: OnEvent = ignore) -> Mapping[str, Sha256]:
        """The SHA-256 of all its regular files.

        Raises:
            DiskError: One cannot be read, or changes while it is read.
        """
        follow = model.where == "cache"
        return hash_files(model.directory, self.files(model), on_event, follow=follow)

    def artifacts(self, root: Path) -> tuple[Artifact, ...]:
        """What stands in the `.hf_cache` of a directory of models.

        Raises:
            DiskError: It cannot be read.
        """
        return list_artifacts(root / CACHE_DIR)

    def as_made(self, model: LocalModel) -> bool | None:
        """Whether this directory is as mlxk made it; None without a record of that.

        Raises:
            DiskError: It cannot be read.
        """
        return as_recorded(model.directory, self._record(model))

    def _record(self, model: LocalModel) -> StatIndex:
        """What mlxk knows of a workspace that it made; empty for what `sync` and other programs made."""
        if model.where != "workspace":
            return StatIndex()
        return load_index(index_path(self._records, model.directory))


def _directories(root: Path) -> list[str]:
    """The directories below, or links to some; hidden ones are not models."""
    with disk_errors(root, doing="list"):
        try:
            with os.scandir(root) as entries:
                return sorted(entry.name for entry in entries if _visible_directory(entry))
        except FileNotFoundError:
            return []


def _visible_directory(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and entry.is_dir()


# --- a workspace --------------------------------------------------------------------------------------------


def _workspace(directory: Path) -> LocalModel | None:
    if not _is_model(directory):
        return None
    model = LocalModel(where="workspace", directory=directory, name=directory.name)
    if not os.path.lexists(directory / SENTINEL_NAME):
        return model
    try:
        with open_regular(directory / SENTINEL_NAME) as fd, open(fd, "rb", closefd=False) as stream:
            sentinel = parse_sentinel(stream.read(min(os.fstat(fd).st_size, MAX_BYTES) + 1))
    except ValueError as problem:
        return replace(model, sentinel_problem=str(problem))
    except OSError as problem:
        return replace(model, sentinel_problem=f"it cannot be read: {problem.strerror}".lower())
    return replace(model, sentinel=sentinel, repo=sentinel.repo, revision=sentinel.revision)


def _is_model(directory: Path) -> bool:
    try:
        with os.scandir(directory) as entries:
            return any(entry.name in _MARKS or entry.name.lower().endswith(_WEIGHTS) for entry in entries)
    except OSError:
        return False


# --- a cache ------------------------------------------------------------------------------------------------


def _cache_shelf(root: Path) -> Shelf:
    shelf = Shelf(where="cache", root=root)
    try:
        folders = [root / name for name in _directories(root) if name.startswith(_PREFIX)]
        models = [model for folder in folders for model in _snapshots(folder)]
    except MlxlockError as problem:
        return replace(shelf, problem=problem.reason)
    return replace(shelf, models=tuple(sorted(models, key=lambda model: model.name.casefold())))


def _snapshots(folder: Path) -> Iterator[LocalModel]:
    """Each commit of one repo that has files here."""
    repo = _repo_of(folder)
    if repo is None:
        return
    refs = dict(_refs(folder / "refs"))
    for name in _directories(folder / "snapshots"):
        commit = _commit(name)
        directory = folder / "snapshots" / name
        if commit is not None and _is_model(directory):
            meant = tuple(ref for ref, target in refs.items() if target == commit)
            yield LocalModel(
                where="cache", directory=directory, name=repo, repo=repo, revision=commit, refs=meant
            )


def _snapshot_at(directory: Path) -> LocalModel | None:
    """The snapshot that a path into a cache names."""
    folder = directory.parent.parent
    if directory.parent.name != "snapshots" or not folder.name.startswith(_PREFIX):
        return None
    return next((model for model in _snapshots(folder) if model.directory == directory), None)


def _repo_of(folder: Path) -> RepoId | None:
    """The repo of `models--org--name`: no repo has `--` in its name, so that there is one reading."""
    try:
        return RepoId("/".join(folder.name.removeprefix(_PREFIX).split("--")))
    except ValueError:
        return None


def _commit(text: str) -> CommitHash | None:
    try:
        return CommitHash(text)
    except ValueError:
        return None


def _refs(directory: Path) -> Iterator[tuple[str, CommitHash]]:
    """Each ref with its commit; what is no commit is no ref."""
    for folder, _, names in os.walk(directory):
        for name in sorted(names):
            path = Path(folder, name)
            with suppress(OSError, ValueError), open_regular(path) as fd:
                yield path.relative_to(directory).as_posix(), CommitHash(os.read(fd, 64).decode().strip())
