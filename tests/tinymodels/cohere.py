"""A tiny Cohere ASR for mlx-audio (speech to text): the one whose generating function has a `vad`.

Its tokenizer is in SentencePiece's own format, which is written here piece by piece: nothing is trained.
"""

from pathlib import Path
from typing import Any

from mlx_audio.stt.models.cohere_asr.cohere_asr import Model
from mlx_audio.stt.models.cohere_asr.config import ModelConfig
from sentencepiece import sentencepiece_model_pb2 as pieces

from tests.tinymodels.common import Card, write_card, write_json, write_weights

_NORMAL, _UNKNOWN, _CONTROL = 1, 2, 3
_SPECIAL = (
    "<pad>", "<|endoftext|>", "<|startofcontext|>", "<|startoftranscript|>", "<|emo:undefined|>", "<|en|>",
    "<|pnc|>", "<|nopnc|>", "<|noitn|>", "<|notimestamp|>", "<|nodiarize|>",
)  # fmt: skip
_LETTERS = "\u2581abcdefghijklmnopqrstuvwxyz'.,?"
_WIDTH = 16


def build(repo_dir: Path) -> None:
    """Write the repo.

    Args:
        repo_dir: The model's folder; made when absent.
    """
    size = 1 + len(_SPECIAL) + len(_LETTERS)
    config: dict[str, object] = {
        "model_type": "cohere_asr", "vocab_size": size, "head": {"hidden_size": _WIDTH, "num_classes": size},
        "encoder": {
            "n_layers": 1, "d_model": _WIDTH, "n_heads": 2, "ff_expansion_factor": 2, "conv_kernel_size": 3,
            "subsampling_conv_channels": 8, "pos_emb_max_len": 500,
        },
        "transf_decoder": {"config_dict": {
            "hidden_size": _WIDTH, "inner_size": 32, "num_attention_heads": 2, "num_layers": 1,
            "max_sequence_length": 64,
        }},
    }  # fmt: skip
    write_card(repo_dir, Card(license="apache-2.0", pipeline_tag="automatic-speech-recognition"))
    write_json(repo_dir / "config.json", config)
    write_json(repo_dir / "tokenizer_config.json", {"additional_special_tokens": list(_SPECIAL)})
    (repo_dir / "tokenizer.model").write_bytes(_tokenizer())
    write_weights(repo_dir, Model(ModelConfig.from_dict(config)))


def _tokenizer() -> bytes:
    model: Any = vars(pieces)["ModelProto"]()
    kinds = [("<unk>", _UNKNOWN), *((name, _CONTROL) for name in _SPECIAL)]
    for name, kind in [*kinds, *((letter, _NORMAL) for letter in _LETTERS)]:
        model.pieces.add(piece=name, score=0.0, type=kind)
    model.trainer_spec.bos_id = model.trainer_spec.eos_id = model.trainer_spec.pad_id = -1
    data: bytes = model.SerializeToString(deterministic=True)
    return data
