"""A model's small JSON files, and what they tell: its kind, and the code it names.

A step of `lock` and `run`. Reads them from the store, where they are what the lock says.
"""

import json

from mlxlock.ports import BlobStore
from mlxlock.spec.inspection import detect_kind
from mlxlock.spec.lockfile import LockedModel
from mlxlock.spec.manifest import Manifest


def texts_and_kind(
    manifest: Manifest, model: LockedModel, store: BlobStore
) -> tuple[dict[str, str], str | None]:
    """A model's small JSON files by name, and its kind: as declared, else as its config tells."""
    texts = _json_texts(store, model)
    spec = manifest.model(model.name)
    declared = spec.kind if spec is not None else None
    paths = [file.path for file in model.files]
    return texts, declared or detect_kind(_parsed(texts.get("config.json")), model.repo, paths)


def _json_texts(store: BlobStore, model: LockedModel) -> dict[str, str]:
    """The small JSON files at the top of a model, by name."""
    texts: dict[str, str] = {}
    for file in model.files:
        if "/" not in file.path and file.path.suffix == ".json" and file.size_bytes < 1 << 20:
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
