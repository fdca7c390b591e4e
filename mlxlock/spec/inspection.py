"""What a model's small JSON files tell without importing MLX: its kind, and which code it would execute.

Owns the order of the signs and their traps (a language model's config does not say that it speaks). Source:
mlx-audio's registry, and what the three libraries do with `model_file` and `auto_map`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mlxlock.spec.model_types import KIND_OF_TYPE, OF_NO_KIND
from mlxlock.spec.toml_text import shown
from mlxlock.spec.weights import BY_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from mlxlock.spec.manifest import Kind
    from mlxlock.spec.names import RepoId

VISION_KEYS: Final = ("vision_config", "vit_config", "visual")
SPEAKING: Final[Mapping[str, Kind]] = {"tts": "tts", "orpheus": "tts", "asr": "stt", "stt": "stt"}
"""What parts of a name end with when a plain language model speaks or listens."""
_PARTS: Final = re.compile(r"[-_. ]+")
_UNREACHED: Final = "AutoModel"
"""`auto_map` keys that begin so are followed by no MLX library: each brings its own model classes."""
CONFIG: Final = "config.json"
CODE_SUFFIXES: Final = frozenset({".py", ".pyc", ".pyd", ".so", ".dylib"})
"""What Python would import."""
_NAMES_CODE: Final = re.compile(rb"auto_map|model_file|\\u00[2-7]|\x00")
"""The two keys, any ASCII character that is escaped (they could be written so), and what is not UTF-8."""


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
        repo: Its repo: where the config does not tell, mlx-audio goes by the parts of the name.
        paths: Its files; a repo without weights is no model.
    """
    if not any(path.lower().endswith(tuple(BY_SUFFIX)) for path in paths):
        return None
    config = config or {}
    model_type = _model_type(config)
    known = KIND_OF_TYPE.get(model_type)
    if model_type in OF_NO_KIND or known not in {None, "text"}:
        return known
    if any(config.get(key) for key in VISION_KEYS):
        return "vision"
    return (_speaking(repo) or known) if known else _by_name(repo)


def _model_type(config: Mapping[str, object]) -> str:
    """The type as mlx-audio tells it, which two of its models leave out or share with others."""
    declared = config.get("model_type") or config.get("architecture")
    architectures = config.get("architectures")
    if isinstance(architectures, list) and "MiMoAudioModel" in architectures:
        return "mimo_audio"
    if declared == "llama" and "acoustic_dim" in config:
        return "tada"
    if not declared and {"flow_lm", "mimi"} <= config.keys():
        return "pocket_tts"
    return declared.lower() if isinstance(declared, str) else ""


def _speaking(repo: RepoId) -> Kind | None:
    """Spark, Vyvo and Orpheus declare the language model that they are built on."""
    ends = ((part, word) for part in _parts(repo) for word in SPEAKING)
    return next((SPEAKING[word] for part, word in ends if part.endswith(word)), None)


def _by_name(repo: RepoId) -> Kind | None:
    parts = _parts(repo)
    kinds = (kind for name, kind in KIND_OF_TYPE.items() if name in parts)
    found = next(kinds, None)
    return None if found in {"text", "vision", "embedding"} else found or _speaking(repo)


def _parts(repo: RepoId) -> list[str]:
    return _PARTS.split(repo.basename.lower())


def may_name_code(data: bytes) -> bool:
    """Whether a part of a JSON file holds what a key that names code could be made of."""
    return _NAMES_CODE.search(data) is not None


def decoded(data: bytes) -> str:
    """A JSON file's text, in whichever of its encodings it is."""
    return data.decode(json.detect_encoding(data), "replace")


def remote_code(texts: Mapping[str, str], kind: str | None = None) -> tuple[RemoteCode, ...]:
    """Every place that names code which would be executed; a `.py` file that nothing names is none.

    Args:
        texts: The model's JSON files by path.
        kind: What the model is for. mlx-lm, which runs `text`, does not follow `AutoConfig` when it is told
            not to trust; several models of the other libraries trust whatever they are told.
    """
    unreached = (_UNREACHED, "AutoConfig") if kind == "text" else (_UNREACHED,)
    names = sorted(name for name in texts if name.lower().endswith(".json"))
    return tuple(found for name in names for found in _in_file(name, texts[name], unreached))


def _in_file(name: str, text: str, unreached: tuple[str, ...]) -> Iterator[RemoteCode]:
    try:
        document = json.loads(text)
    except RecursionError:
        yield RemoteCode(file=name, key="auto_map", value="(nested too deeply to be read)")
    except ValueError:
        return
    else:
        model_file = document.get("model_file") if isinstance(document, dict) else None
        if isinstance(model_file, str) and model_file:
            yield RemoteCode(file=name, key="model_file", value=shown(model_file))
        for auto_map in _auto_maps(document):
            yield from _mapped(name, auto_map, unreached)


def _auto_maps(document: object) -> Iterator[object]:
    """Every `auto_map`, however deep: a processor's file holds those of its parts."""
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += reversed(value)
        elif isinstance(value, dict):
            if "auto_map" in value:
                yield value["auto_map"]
            waiting += reversed([below for key, below in value.items() if key != "auto_map"])


def _mapped(name: str, auto_map: object, unreached: tuple[str, ...]) -> Iterator[RemoteCode]:
    """An `auto_map` maps class names to code; its oldest form is a list with a tokenizer's code."""
    items = auto_map.items() if isinstance(auto_map, dict) else [("AutoTokenizer", auto_map)]
    for key, value in items:
        if not key.startswith(unreached):
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, str) and each:
                    repo, separator, _ = each.partition("--")
                    yield RemoteCode(
                        file=name,
                        key=f"auto_map.{shown(key)}",
                        value=shown(each),
                        repo=shown(repo) if separator else None,
                    )
