"""Narrower weights than a model's own, for the models whose widths are no matter of configuration.

mlx-audio loads some models' weights without a look at their shapes, and runs with whatever it was given. What
is left out of the file keeps the random numbers that it was made with, which the same seed makes the same.
"""

import math
import re
from collections.abc import Iterator, Mapping

import mlx.core as mx
from mlx import nn
from mlx.utils import tree_flatten, tree_unflatten

Widths = Mapping[int | tuple[int, int], int]
"""What a size becomes, wherever it is found, or on one axis: `{512: 8}`, `{(1, 512): 8}`."""

BITS = 4
GROUP = 64


def narrowed(model: nn.Module, rules: Mapping[str, Widths]) -> dict[str, mx.array]:
    """Return those of the model's tensors that a rule is for, in its widths.

    Constant vectors keep their value; the values of all others mean nothing, for they are to be drawn.

    Args:
        model: A freshly made model, of which only these vectors are evaluated.
        rules: Widths by a pattern for the whole of a tensor's name; the first that matches counts.
    """
    found: dict[str, mx.array] = {}
    for name, array in tree_flatten(model.parameters()):
        widths = next((widths for pattern, widths in rules.items() if re.fullmatch(pattern, name)), None)
        if widths is not None:
            shape = [
                widths.get((axis, size), widths.get(size, size)) for axis, size in enumerate(array.shape)
            ]
            found[name] = _filled(shape, array)
    return found


def quantised_rows(model: nn.Module, pattern: str) -> dict[str, mx.array]:
    """Return one quantised row for each linear layer whose weight's name matches.

    A quantised layer adds its bias to whatever came out, be it a single number: so the layer keeps the width
    that the code around it insists on.
    """
    found: dict[str, mx.array] = {}
    for name, array in tree_flatten(model.parameters()):
        if re.fullmatch(pattern, name):
            found |= dict(_row(name.removesuffix(".weight"), array.shape[1]))
    return found


def as_module(tensors: Mapping[str, mx.array]) -> nn.Module:
    """Return a module that has these parameters."""
    module = nn.Module()
    for name, value in tree_unflatten(list(tensors.items())).items():
        setattr(module, name, value)
    return module


def _filled(shape: list[int], like: mx.array) -> mx.array:
    if like.ndim == 1 and like.size > 1 and like.min() == like.max():
        return mx.full(shape, like[0])
    return mx.arange(float(math.prod(shape))).reshape(shape)


def _row(name: str, width: int) -> Iterator[tuple[str, mx.array]]:
    weight, scales, biases = mx.quantize(mx.zeros((1, width)), group_size=GROUP, bits=BITS)
    yield from ((f"{name}.weight", weight), (f"{name}.scales", scales), (f"{name}.biases", biases))
