"""Facts of made-up model directories."""

import json
from collections.abc import Mapping

from mlxlock.spec.model_facts import ModelFacts, ModelFile
from mlxlock.spec.safetensors import Header


def header(*tensors: str, **metadata: str) -> Header:
    return Header(tensors=frozenset(tensors), metadata=metadata)


def facts(
    config: Mapping[str, object] | str | None = None,
    weights: Mapping[str, Header | str | None] | None = None,
    *,
    files: tuple[ModelFile, ...] = (),
    texts: Mapping[str, str] | None = None,
) -> ModelFacts:
    """A directory."""
    chosen = {"model.safetensors": header("w")} if weights is None else weights
    told = dict(texts or {})
    if config is not None:
        told["config.json"] = config if isinstance(config, str) else json.dumps(config)
    found = [ModelFile(path=path, size_bytes=1, modified_ns=5) for path in sorted([*told, *chosen])]
    return ModelFacts(files=(*found, *files), texts=told, weights=chosen)
