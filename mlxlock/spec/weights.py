"""Which formats of weights there are, by a file's name. Owns the names that `[policy] formats` may use."""

from collections.abc import Mapping
from typing import Final, Literal

Format = Literal["safetensors", "npz", "gguf", "onnx", "hdf5", "msgpack", "tflite", "pickle"]
FORMATS: Final[tuple[Format, ...]] = (
    "safetensors",
    "npz",
    "gguf",
    "onnx",
    "hdf5",
    "msgpack",
    "tflite",
    "pickle",
)
BY_SUFFIX: Final[Mapping[str, Format]] = {
    ".safetensors": "safetensors",
    ".npz": "npz",
    ".npy": "npz",
    ".gguf": "gguf",
    ".onnx": "onnx",
    ".h5": "hdf5",
    ".msgpack": "msgpack",
    ".tflite": "tflite",
    ".bin": "pickle",
    ".pt": "pickle",
    ".pth": "pickle",
    ".ckpt": "pickle",
    ".pkl": "pickle",
    ".pickle": "pickle",
    ".nemo": "pickle",
    ".joblib": "pickle",
}
"""`pickle` is everything whose reading may execute code: most of these are made with `torch.save`."""


def weight_format(path: str) -> Format | None:
    """The format of the weights in a file, by its path or what else it is called; None when it holds none."""
    stem, _, ending = path.rpartition("/")[2].rpartition(".")
    return BY_SUFFIX.get(f".{ending.lower()}") if stem else None
