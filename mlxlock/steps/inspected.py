"""A model's JSON files, and what they tell: its kind, and the code it names.

A step of `lock` and `run`. Reads them from the store, where they are what the lock says, or from a directory
that no lock knows.
"""

import os
from pathlib import Path

from mlxlock.errors import StoreError
from mlxlock.fs import disk_errors
from mlxlock.ports import BlobStore
from mlxlock.spec.inspection import detect_kind
from mlxlock.spec.lockfile import LockedModel
from mlxlock.spec.manifest import Manifest
from mlxlock.spec.model_facts import json_object
from mlxlock.spec.names import RepoId
from mlxlock.spec.resolution import FileEntry
from mlxlock.steps.json_texts import json_texts


def texts_and_kind(
    manifest: Manifest, model: LockedModel, store: BlobStore
) -> tuple[dict[str, str], str | None]:
    """Its JSON files that may name code, by name, and its kind: as declared, else as its config tells.

    Raises:
        PolicyError: A file may name code, and is too large to be read.
        StoreError: The store does not have a file of it.
    """
    texts = json_texts((file.path, _blob(store, model, file)) for file in model.files if _is_json(file))
    spec = manifest.model(model.name)
    declared = spec.kind if spec is not None else None
    paths = [file.path for file in model.files]
    return texts, declared or detect_kind(json_object(texts.get("config.json")), model.repo, paths)


def texts_and_kind_at(directory: Path, repo: RepoId | None) -> tuple[dict[str, str], str | None]:
    """The same of a model's directory, as its config and its name tell.

    Raises:
        PolicyError: A file may name code, and is too large to be read.
        DiskError: It cannot be read.
    """
    with disk_errors(directory, doing="read"):
        paths = sorted(
            os.path.relpath(Path(place, name), directory)
            for place, _, names in os.walk(directory)
            for name in names
        )
    texts = json_texts((path, directory / path) for path in paths if (directory / path).is_file())
    return texts, detect_kind(json_object(texts.get("config.json")), repo or _named(directory), paths)


def _named(directory: Path) -> RepoId:
    """A repo of the directory's name, as far as a repo can have it: mlx-audio goes by the name too."""
    try:
        return RepoId(directory.name)
    except ValueError:
        return RepoId("model")


def _is_json(file: FileEntry) -> bool:
    return file.path.suffix == ".json"


def _blob(store: BlobStore, model: LockedModel, file: FileEntry) -> Path:
    blob = store.find(file)
    if blob is None:
        raise StoreError(
            f"the store does not have `{file.path}` of `{model.name}`, which may name code that would run",
            hint="run `mlxk sync` to fetch it again",
        )
    return blob.path
