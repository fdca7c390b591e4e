"""A `model.safetensors.index.json` written anew from the weights' own headers. Pure."""

import json
from collections.abc import Mapping
from typing import Final

from mlxlock.spec.safetensors import Header
from mlxlock.spec.weights import BY_SUFFIX

INDEX_NAME: Final = "model.safetensors.index.json"
_INDEX_SUFFIX: Final = ".safetensors.index.json"


def index_text(weights: Mapping[str, Header | str | None]) -> str:
    """The index of all safetensors files at the top of a model, tensors sorted by name.

    Args:
        weights: Headers by path; what is no header has no tensors to name.
    """
    headers = {
        path: found for path, found in weights.items() if isinstance(found, Header) and "/" not in path
    }
    weight_map = {tensor: path for path in sorted(headers) for tensor in headers[path].tensors}
    total = sum(header.data_bytes for header in headers.values())
    document = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    return f"{json.dumps(document, indent=4)}\n"


def is_replaced(path: str) -> bool:
    """Whether a conversion writes a file of its own in place of this one: weights at the top, and indexes."""
    name = path.lower()
    return "/" not in path and name.endswith((_INDEX_SUFFIX, *BY_SUFFIX))
