"""What a model's small JSON files tell without importing MLX: its kind, and which code it would execute.

Owns the order of the signs and their traps (a language model's config does not say that it speaks). Source:
mlx-audio's registry, and what the three libraries do with `model_file` and `auto_map`.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from mlxlock.spec.manifest import Kind
from mlxlock.spec.model_types import KIND_OF_TYPE
from mlxlock.spec.names import RepoId
from mlxlock.spec.toml_text import shown

AUTO_MAP_FILES: Final = (
    "config.json",
    "tokenizer_config.json",
    "processor_config.json",
    "preprocessor_config.json",
)
UNREACHED: Final = ("AutoConfig", "AutoModel")
"""`auto_map` keys of a `config.json` that no MLX library follows: it brings its own model classes."""
VISION_KEYS: Final = ("vision_config", "vit_config", "visual")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteCode:
    """One place where a repo names Python code that a library would execute.

    Attributes:
        file: The JSON file that names it.
        key: Under which key.
        value: What it names.
        repo: Another repo whose code it is, for `org/repo--module.Class`.
    """

    file: str
    key: str
    value: str
    repo: str | None = None

    def __str__(self) -> str:
        whose = f", code of `{self.repo}`" if self.repo else ""
        return f"`{self.file}`: `{self.key}` names `{self.value}`{whose}"


def detect_kind(config: Mapping[str, object] | None, repo: RepoId, paths: Collection[str]) -> Kind | None:
    """What a model is for, or None when nothing tells.

    Args:
        config: Its `config.json`, parsed; None when it has none.
        repo: Its repo: with no `model_type`, mlx-audio goes by the parts of the name.
        paths: Its files; a model without weights is no model.
    """
    if config is None and not any(path.endswith((".safetensors", ".npz")) for path in paths):
        return None
    model_type = (config or {}).get("model_type")
    if isinstance(model_type, str) and model_type:
        return _by_type(model_type.lower(), config or {})
    hints = (KIND_OF_TYPE.get(part) for part in repo.basename.lower().split("-"))
    return next((kind for kind in hints if kind in {"stt", "tts", "sts"}), None)


def _by_type(model_type: str, config: Mapping[str, object]) -> Kind | None:
    known = KIND_OF_TYPE.get(model_type) or KIND_OF_TYPE.get(model_type.replace("-", "_"))
    if known not in {None, "text"}:
        return known
    if any(key in config for key in VISION_KEYS):
        return "vision"
    return known


def remote_code(texts: Mapping[str, str]) -> tuple[RemoteCode, ...]:
    """Every place that names code which would be executed; a `.py` file that nothing names is none.

    Args:
        texts: The model's JSON files by name.
    """
    return tuple(found for name in AUTO_MAP_FILES if name in texts for found in _in_file(name, texts[name]))


def _in_file(name: str, text: str) -> Iterator[RemoteCode]:
    try:
        document = json.loads(text)
    except ValueError:
        return
    if not isinstance(document, dict):
        return
    model_file = document.get("model_file")
    if name == "config.json" and isinstance(model_file, str) and model_file:
        yield RemoteCode(file=name, key="model_file", value=shown(model_file))
    auto_map = document.get("auto_map")
    for key, value in auto_map.items() if isinstance(auto_map, dict) else ():
        if name == "config.json" and str(key).startswith(UNREACHED):
            continue
        yield from _mapped(name, f"auto_map.{shown(str(key))}", value)


def _mapped(name: str, key: str, value: object) -> Iterator[RemoteCode]:
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, str) and each:
            repo, separator, _ = each.partition("--")
            yield RemoteCode(file=name, key=key, value=shown(each), repo=shown(repo) if separator else None)
