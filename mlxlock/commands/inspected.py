"""A model's small JSON files, and what they tell: its kind, and the code it names.

A step of `lock` and `run`. Reads them from the store, where they are what the lock says, or from a directory
that no lock knows.
"""

import json
import os
from pathlib import Path
from typing import Final

from mlxlock.fs import disk_errors
from mlxlock.ports import BlobStore
from mlxlock.spec.inspection import detect_kind
from mlxlock.spec.lockfile import LockedModel
from mlxlock.spec.manifest import Manifest
from mlxlock.spec.names import RepoId

SMALL_BYTES: Final = 1 << 20


def texts_and_kind(
    manifest: Manifest, model: LockedModel, store: BlobStore
) -> tuple[dict[str, str], str | None]:
    """A model's small JSON files by name, and its kind: as declared, else as its config tells."""
    texts = _json_texts(store, model)
    spec = manifest.model(model.name)
    declared = spec.kind if spec is not None else None
    paths = [file.path for file in model.files]
    return texts, declared or detect_kind(_parsed(texts.get("config.json")), model.repo, paths)


def texts_and_kind_at(directory: Path, repo: RepoId | None) -> tuple[dict[str, str], str | None]:
    """The same of a model's directory, as its config and its name tell.

    Raises:
        DiskError: It cannot be read.
    """
    texts = _json_texts_at(directory)
    paths = [
        os.path.relpath(Path(place, name), directory)
        for place, _, names in os.walk(directory)
        for name in names
    ]
    return texts, detect_kind(_parsed(texts.get("config.json")), repo or _named(directory), paths)


def _named(directory: Path) -> RepoId:
    """A repo of the directory's name, as far as a repo can have it: mlx-audio goes by the name too."""
    try:
        return RepoId(directory.name)
    except ValueError:
        return RepoId("model")


def _json_texts_at(directory: Path) -> dict[str, str]:
    with disk_errors(directory, doing="read"):
        paths = [
            path for path in directory.glob("*.json") if path.is_file() and path.stat().st_size < SMALL_BYTES
        ]
        return {path.name: path.read_text(encoding="utf-8", errors="replace") for path in sorted(paths)}


def _json_texts(store: BlobStore, model: LockedModel) -> dict[str, str]:
    """The small JSON files at the top of a model, by name."""
    texts: dict[str, str] = {}
    for file in model.files:
        if "/" not in file.path and file.path.suffix == ".json" and file.size_bytes < SMALL_BYTES:
            blob = store.find(file)
            if blob is not None:
                texts[file.path] = blob.path.read_text(encoding="utf-8", errors="replace")
    return texts


def _parsed(text: str | None) -> dict[str, object] | None:
    try:
        parsed = json.loads(text or "")
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None
