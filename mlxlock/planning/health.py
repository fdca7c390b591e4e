"""Whether a model's files can be what they should be, without reading all of their bytes. Pure.

Owns what counts as unhealthy: no weights, a config that is none, weights that are cut off or are no such
file, an index that names what is not there. Never looks at `.hf_cache`: what a run left is not the model.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from mlxlock.spec.model_facts import ModelFacts, ModelFile, json_object
from mlxlock.spec.safetensors import Header
from mlxlock.spec.sentinel import is_hashed
from mlxlock.spec.toml_text import shown

_SHARD: Final = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.safetensors")
_INDEX: Final = ".safetensors.index.json"


def problems_of(facts: ModelFacts) -> tuple[str, ...]:
    """Everything that is wrong, one line each; none is healthy."""
    return (
        *_files(facts.files),
        *(f"`{shown(path)}` is gone" for path in facts.gone),
        *_config(facts),
        *_weights(facts),
        *_shards(facts.weights),
        *_indexes(facts),
    )


def _files(files: tuple[ModelFile, ...]) -> Iterator[str]:
    for file in files:
        if file.problem is not None and is_hashed(file.path):
            yield f"`{shown(file.path)}` is {file.problem}"


def _config(facts: ModelFacts) -> Iterator[str]:
    text = facts.texts.get("config.json")
    if text is None and not any(path.lower().endswith(".gguf") for path in facts.weights):
        yield "`config.json` is missing"
    elif text is not None and facts.config is None:
        yield "`config.json` is not a JSON object"


def _weights(facts: ModelFacts) -> Iterator[str]:
    if not facts.weights:
        yield "it has no weights"
    for path, found in facts.weights.items():
        if isinstance(found, str):
            yield f"`{shown(path)}`: {found}"


def _shards(weights: Mapping[str, object]) -> Iterator[str]:
    """A file that calls itself one of three has two brothers."""
    for path in weights:
        part = _SHARD.fullmatch(path)
        if part is not None and int(part[2]) == min(_numbers(weights, part[1], part[3]), default=0):
            present = _numbers(weights, part[1], part[3])
            missing = sorted(set(range(1, int(part[3]) + 1)) - present)
            yield from (
                f"`{part[1]}-{number:05}-of-{part[3]}.safetensors` is missing" for number in missing[:3]
            )


def _numbers(weights: Mapping[str, object], stem: str, total: str) -> set[int]:
    parts = (_SHARD.fullmatch(path) for path in weights)
    return {int(part[2]) for part in parts if part is not None and (part[1], part[3]) == (stem, total)}


def _indexes(facts: ModelFacts) -> Iterator[str]:
    for name, text in facts.texts.items():
        if name.endswith(_INDEX):
            yield from _index(name, text, facts.weights)


def _index(name: str, text: str, weights: Mapping[str, Header | str | None]) -> Iterator[str]:
    weight_map = (json_object(text) or {}).get("weight_map")
    if not isinstance(weight_map, dict):
        yield f"`{shown(name)}` has no `weight_map`"
        return
    files = sorted({str(file) for file in weight_map.values()})
    for file in files:
        if file not in weights:
            yield f"`{shown(name)}` names `{shown(file)}`, which is missing"
    lost = [tensor for tensor, file in weight_map.items() if _lacks(weights.get(str(file)), tensor)]
    if lost:
        first = shown(str(weight_map[lost[0]]))
        what = f"{len(lost)} tensors that are not there, e.g. `{shown(lost[0])}` in `{first}`"
        yield f"`{shown(name)}` names {what}"


def _lacks(header: Header | str | None, tensor: str) -> bool:
    return isinstance(header, Header) and tensor not in header.tensors
