"""What a model is, as far as its files tell: framework, kind, capabilities, quantization. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from mlxlock.spec.inspection import detect_kind
from mlxlock.spec.names import RepoId
from mlxlock.spec.safetensors import Header

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlxlock.spec.manifest import Kind
    from mlxlock.spec.model_facts import ModelFacts

Framework = Literal["MLX", "GGUF", "PyTorch", "Unknown"]

_CAPABILITIES: Final[Mapping[Kind, tuple[str, ...]]] = {
    "text": ("text-generation",),
    "vision": ("text-generation", "vision"),
    "stt": ("audio", "speech-to-text"),
    "tts": ("audio", "text-to-speech"),
    "sts": ("audio", "speech-to-speech"),
    "vad": ("audio", "voice-activity"),
    "codec": ("audio", "audio-codec"),
    "lid": ("audio", "language-identification"),
    "music": ("audio", "music-generation"),
    "embedding": ("embeddings",),
}
_CONTEXT_KEYS: Final = (
    "max_position_embeddings",
    "max_sequence_length",
    "model_max_length",
    "n_positions",
    "n_ctx",
    "seq_length",
    "max_seq_len",
)
_NESTED: Final = ("text_config", "language_config", "llm_config", "decoder")
_TORCH: Final = (".bin", ".pt", ".pth", ".ckpt")
_NOBODY: Final = RepoId("unnamed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a model is.

    Attributes:
        kind: What it is for; None when nothing tells.
        architecture: Its `model_type`, as its config says.
        quantization: Bits, group size and mode, where its config says so.
        context_length: Tokens, where its config says so.
    """

    framework: Framework
    kind: Kind | None
    architecture: str | None
    capabilities: tuple[str, ...]
    quantization: Mapping[str, int | str] | None
    context_length: int | None


def describe(facts: ModelFacts, repo: RepoId | None) -> Description:
    """What the files tell.

    Args:
        facts: The directory.
        repo: Where it came from: some kinds are told by the repo's name alone.
    """
    config = facts.config or {}
    kind = detect_kind(config, repo or _NOBODY, [file.path for file in facts.files])
    architecture = config.get("model_type")
    return Description(
        framework=_framework(facts, config, repo),
        kind=kind,
        architecture=architecture if isinstance(architecture, str) else None,
        capabilities=tuple(_capabilities(kind, facts)),
        quantization=_quantization(config),
        context_length=_context_length(config),
    )


def _capabilities(kind: Kind | None, facts: ModelFacts) -> Iterator[str]:
    if kind is None:
        return
    yield from _CAPABILITIES[kind]
    if kind in {"text", "vision"} and _has_chat_template(facts):
        yield "chat"


def _has_chat_template(facts: ModelFacts) -> bool:
    named = {"chat_template.jinja", "chat_template.json"}
    return any(file.path in named for file in facts.files) or '"chat_template"' in facts.texts.get(
        "tokenizer_config.json", ""
    )


def _framework(facts: ModelFacts, config: Mapping[str, object], repo: RepoId | None) -> Framework:
    formats = {
        header.metadata.get("format") for header in facts.weights.values() if isinstance(header, Header)
    }
    names = [path.lower() for path in facts.weights]
    if any(name.endswith(".gguf") for name in names):
        return "GGUF"
    if "mlx" in formats or isinstance(config.get("quantization"), dict) or _made_for_mlx(names, repo):
        return "MLX"
    return "PyTorch" if "pt" in formats or any(name.endswith(_TORCH) for name in names) else "Unknown"


def _made_for_mlx(names: list[str], repo: RepoId | None) -> bool:
    ours = repo is not None and (repo.startswith("mlx-community/") or "mlx" in repo.basename.lower())
    return any(name.endswith(".npz") for name in names) or (ours and bool(names))


def _quantization(config: Mapping[str, object]) -> Mapping[str, int | str] | None:
    for key in ("quantization", "quantization_config"):
        told = config.get(key)
        if isinstance(told, dict):
            names = ("bits", "group_size", "mode", "quant_method")
            found = {name: told[name] for name in names if type(told.get(name)) in {int, str}}
            if found:
                return found
    return None


def _context_length(config: Mapping[str, object]) -> int | None:
    nested = [config.get(name) for name in _NESTED]
    for place in (*(each for each in nested if isinstance(each, dict)), config):
        for key in _CONTEXT_KEYS:
            value = place.get(key)
            if type(value) is int and value > 0:  # `true` is no number
                return value
    return None
