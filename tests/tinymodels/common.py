"""What every family shares: files as real repos have them, and weights that follow from their names."""

import hashlib
import json
import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import log2, prod
from pathlib import Path
from types import MappingProxyType

import mlx.core as mx
from mlx import nn
from mlx.utils import tree_flatten

_LFS_PATTERNS = ("*.bin", "*.npz", "*.safetensors", "*.tar.*", "*.zip")
# What turns four random bits into a weight around 0, of a size that suits a fan-in of 32 to 64.
_QUANTISED = {"scales": 2.0**-5, "biases": -7.5 * 2.0**-5}
# Faint embeddings leave the residual stream to attention, so that a text follows from its whole prompt.
_EMBEDDING = 2.0**-7
_FORMATS = {"F16": ("e", 2), "F32": ("f", 4), "I32": ("i", 4)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a repo's README.md says about it, in the words of the Hub's front matter.

    Attributes:
        license: The licence's Hub identifier, such as `apache-2.0`.
        pipeline_tag: The Hub's task name.
        base_model: The repo it claims to be converted from; `None` for an original.
    """

    license: str
    pipeline_tag: str
    base_model: str | None = None


@dataclass(frozen=True, slots=True)
class _Tensor:
    """One entry of a safetensors file: its element type, shape and little-endian bytes."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


def write_json(path: Path, value: Mapping[str, object] | Sequence[object]) -> None:
    """Write a JSON file as the Hugging Face libraries do; its folder is made when absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{json.dumps(value, indent=2, ensure_ascii=False)}\n", encoding="utf-8", newline="\n")


def write_card(repo_dir: Path, card: Card) -> None:
    """Write the README.md and .gitattributes that every repo on the Hub has."""
    repo_dir.mkdir(parents=True, exist_ok=True)
    base = [f"base_model: {card.base_model}"] if card.base_model else []
    matter = [f"license: {card.license}", f"pipeline_tag: {card.pipeline_tag}", "library_name: mlx", *base]
    text = "\n".join(("---", *matter, "tags:", "- mlx", "---", "", f"# {repo_dir.name}", ""))
    (repo_dir / "README.md").write_text(f"{text}\nTiny random weights, for tests.\n", newline="\n")
    attributes = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in _LFS_PATTERNS)
    (repo_dir / ".gitattributes").write_text(attributes, newline="\n")


def write_weights(
    repo_dir: Path, model: nn.Module, *, dtype: str = "F16", fixed: Collection[str] = ()
) -> None:
    """Write `model.safetensors` and its index, with weights drawn from hashes of the tensors' names.

    MLX's own random numbers go through transcendental functions, whose last bit depends on the machine; only
    the names, shapes and constant initial values of the model are taken.

    Args:
        repo_dir: The repo's folder, which exists. Its name enters the hashes.
        model: A freshly made model.
        dtype: `F16` or `F32`, for the floating-point tensors.
        fixed: Names of tensors that keep the model's values, which are exact in that type.

    Raises:
        ValueError: The model has a tensor that is neither floating-point nor quantised.
    """
    tensors = {
        name: _keep(array, dtype) if name in fixed else _draw(f"{repo_dir.name}/{name}", array, dtype)
        for name, array in tree_flatten(model.parameters())
    }
    (repo_dir / "model.safetensors").write_bytes(_safetensors(tensors))
    total = sum(len(tensor.data) for tensor in tensors.values())
    weight_map = dict.fromkeys(sorted(tensors), "model.safetensors")
    write_json(
        repo_dir / "model.safetensors.index.json",
        {"metadata": {"total_size": total}, "weight_map": weight_map},
    )


def write_tensors(
    path: Path, shapes: Mapping[str, tuple[int, ...]], *, whole: Mapping[str, mx.array] = MappingProxyType({})
) -> None:
    """Write a safetensors file that is no model: F32, drawn from hashes of the file's and the tensors' names.

    Args:
        path: The file; its folder exists.
        shapes: Each tensor's name and shape.
        whole: More tensors, of whole numbers, which are written as I32.
    """
    tensors = {
        name: _packed("F32", shape, _uniform(f"{path.name}/{name}", shape)) for name, shape in shapes.items()
    }
    path.write_bytes(_safetensors(tensors | {name: _keep(array, "I32") for name, array in whole.items()}))


def _keep(array: mx.array, dtype: str) -> _Tensor:
    exact = array if dtype == "I32" else array.astype(mx.float32)
    values: list[float] = exact.reshape(-1).tolist()  # type: ignore[assignment]
    return _packed(dtype, tuple(array.shape), values)


def _draw(seed: str, array: mx.array, dtype: str) -> _Tensor:
    """Draw one tensor: random bits when quantised, its own value when constant, else uniform."""
    shape = tuple(array.shape)
    if array.dtype == mx.uint32:
        return _Tensor("U32", shape, _bits(seed, 4 * prod(shape)))
    if not mx.issubdtype(array.dtype, mx.floating):
        raise ValueError(f"tensor `{seed}` of {array.dtype} has no random form")
    low, high = float(array.min()), float(array.max())
    quantised = _QUANTISED.get(seed.rpartition(".")[2])
    if quantised is not None:
        values = [quantised] * prod(shape)
    elif low == high and (prod(shape) > 1 or low in {0.0, 1.0}):
        values = [low] * prod(shape)
    else:
        values = _uniform(seed, shape)
    if "embed_tokens" in seed:
        values = [value * _EMBEDDING for value in values]
    return _packed(dtype, shape, values)


def _packed(dtype: str, shape: tuple[int, ...], values: list[float]) -> _Tensor:
    code, _ = _FORMATS[dtype]
    return _Tensor(dtype, shape, struct.pack(f"<{len(values)}{code}", *values))


def _uniform(seed: str, shape: tuple[int, ...]) -> list[float]:
    """Draw exact multiples of 2**-15 of a bound that is a power of two: no rounding but the final one.

    The bound keeps a signal about as strong from layer to layer, so that speech can be heard. Biases stay
    small beside it, or the same would be said whatever was asked.
    """
    bound = 2.0 ** (1 - round(log2(prod(shape[1:])) / 2)) if len(shape) > 1 else 2.0**-4
    count = prod(shape)
    return [step / 2**15 * bound for step in struct.unpack(f"<{count}h", _bits(seed, 2 * count))]


def _bits(seed: str, size_bytes: int) -> bytes:
    """Expand a name to that many bytes."""
    return hashlib.shake_256(seed.encode()).digest(size_bytes)


def _safetensors(tensors: Mapping[str, _Tensor]) -> bytes:
    """Serialise by hand: MLX and the safetensors library may order the tensors of a file as they like."""
    header: dict[str, object] = {"__metadata__": {"format": "mlx"}}
    start = 0
    ordered = sorted(tensors.items(), key=lambda item: (item[1].dtype == "F16", item[0]))
    for name, tensor in ordered:
        end = start + len(tensor.data)
        header[name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": (start, end)}
        start = end
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + b"".join(tensor.data for _, tensor in ordered)
