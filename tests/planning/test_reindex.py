"""An index written anew names every tensor once, and where it is."""

import json

import pytest

from mlxlock.planning.reindex import index_text, is_replaced
from mlxlock.spec.safetensors import Header


def test_every_tensor_is_named_where_it_is() -> None:
    weights: dict[str, Header | str | None] = {
        "model-00002-of-00002.safetensors": Header(tensors=frozenset({"a"}), metadata={}, data_bytes=3),
        "model-00001-of-00002.safetensors": Header(tensors=frozenset({"c", "b"}), metadata={}, data_bytes=4),
        "sub/other.safetensors": Header(tensors=frozenset({"z"}), metadata={}, data_bytes=9),
        "weights.npz": None,
        "broken.safetensors": "it is empty",
    }
    text = index_text(weights)
    assert json.loads(text) == {
        "metadata": {"total_size": 7},
        "weight_map": {
            "a": "model-00002-of-00002.safetensors",
            "b": "model-00001-of-00002.safetensors",
            "c": "model-00001-of-00002.safetensors",
        },
    }
    assert list(json.loads(text)["weight_map"]) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("path", "replaced"),
    [
        ("model.safetensors", True),
        ("pytorch_model.BIN", True),
        ("model.safetensors.index.json", True),
        ("sub/model.safetensors", False),
        ("config.json", False),
    ],
)
def test_what_a_conversion_replaces(path: str, replaced: bool) -> None:
    assert is_replaced(path) is replaced
