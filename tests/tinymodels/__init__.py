"""Tiny random models that the unmodified MLX libraries really load and run, as a tree `OUT/<org>/<name>/`.

Owns their names and the building of them; knows no Hub and no lock. Weights are hashes of their own names,
and the tokenizers are computed here, so that two builds are equal byte for byte. Importing it imports no MLX.
"""

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyModel:
    """One model family of this package.

    Attributes:
        repo: The model's repo id, which is also its place below the tree.
        kind: What it is run as.
        needs: Repo ids that its library fetches by itself at load; built along with it.
    """

    repo: str
    kind: Literal["text", "vision", "stt", "tts"]
    needs: tuple[str, ...] = ()


MODELS: Mapping[str, TinyModel] = MappingProxyType({
    "text": TinyModel(repo="mlx-community/Qwen2-tiny-4bit", kind="text"),
    "vision": TinyModel(repo="mlx-community/Qwen2-VL-tiny-fp16", kind="vision"),
    "whisper": TinyModel(repo="mlx-community/whisper-tiny-asr-fp16", kind="stt"),
    "vibevoice": TinyModel(
        repo="mlx-community/VibeVoice-ASR-tiny", kind="stt", needs=("Qwen/Qwen2.5-7B",)
    ),
    "dia": TinyModel(
        repo="mlx-community/Dia-tiny", kind="tts", needs=("mlx-community/descript-audio-codec-44khz",)
    ),
    "moondream2": TinyModel(
        repo="mlx-community/moondream2-tiny", kind="vision", needs=("moondream/starmie-v1",)
    ),
    "orpheus": TinyModel(
        repo="mlx-community/orpheus-tiny-ft-4bit",
        kind="tts",
        needs=("mlx-community/snac_24khz", "mlx-community/orpheus-3b-0.1-ft-bf16"),
    ),
    "bark": TinyModel(
        repo="mlx-community/bark-tiny",
        kind="tts",
        needs=("bert-base-multilingual-cased", "mlx-community/encodec-24khz-float32"),
    ),
    "pocket": TinyModel(
        repo="mlx-community/pocket-tts-tiny",
        kind="tts",
        needs=("kyutai/pocket-tts", "kyutai/pocket-tts-without-voice-cloning"),
    ),
    "automap": TinyModel(
        repo="mlx-community/Qwen2-custom-tokenizer-4bit", kind="text", needs=("acme/tokenizer-code",)
    ),
    "modelfile": TinyModel(repo="mlx-community/Qwen2-VL-custom-fp16", kind="vision"),
    "tada": TinyModel(
        repo="mlx-community/tada-tiny",
        kind="tts",
        needs=("meta-llama/Llama-3.2-1B-Instruct", "HumeAI/tada-codec"),
    ),
    "outetts": TinyModel(
        repo="mlx-community/Llama-OuteTTS-tiny-fp16",
        kind="tts",
        needs=(
            "OuteAI/Llama-OuteTTS-1.0-1B",
            "mlx-community/dac-speech-24khz-1.5kbps",
            "mlx-community/whisper-large-v3-turbo-asr-fp16",
        ),
    ),
    "irodori": TinyModel(
        repo="mlx-community/Irodori-TTS-tiny",
        kind="tts",
        needs=("Aratako/Semantic-DACVAE-Japanese-32dim", "llm-jp/llm-jp-3-150m"),
    ),
    "higgs": TinyModel(
        repo="mlx-community/higgs-audio-v3-stt-tiny", kind="stt", needs=("mlx-community/silero-vad",)
    ),
    "chatterbox_turbo": TinyModel(
        repo="mlx-community/chatterbox-turbo-tiny-4bit", kind="tts", needs=("mlx-community/S3TokenizerV2",)
    ),
    "chatterbox": TinyModel(
        repo="mlx-community/chatterbox-multilingual-tiny",
        kind="tts",
        needs=("mlx-community/S3TokenizerV2", "ResembleAI/chatterbox"),
    ),
    "cohere": TinyModel(repo="mlx-community/cohere-transcribe-tiny", kind="stt"),
})  # fmt: skip


def build(out: Path, names: Iterable[str] = ()) -> None:
    """Build the named models, or all of them, with the repos they need.

    Args:
        out: The root of the tree; made when absent. Existing files of a model are overwritten.
        names: Keys of `MODELS`; none means every one.

    Raises:
        KeyError: A name is not in `MODELS`.
    """
    for name in tuple(names) or MODELS:
        model = MODELS[name]
        module = importlib.import_module(f"tests.tinymodels.{name}")
        module.build(out / model.repo, *(out / repo for repo in model.needs))
