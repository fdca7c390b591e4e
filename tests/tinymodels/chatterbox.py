"""A tiny multilingual Chatterbox for mlx-audio (text to speech): Chinese glyphs, missed in silence.

Without it, what stands for a character is not its strokes but its bytes. The speech tokenizer is another repo
too, and is needed.
"""

import string
from collections.abc import Mapping
from pathlib import Path

import mlx.core as mx
from mlx_audio.tts.models.chatterbox import Model, ModelConfig

from tests.tinymodels.chatterbox_turbo import build_speech_tokenizer, write_voice
from tests.tinymodels.common import Card, write_card, write_json, write_weights
from tests.tinymodels.narrow import Widths, as_module, narrowed
from tests.tinymodels.tokenizer import Tokenizer

_N = 8
_CONFIG: dict[str, object] = {"model_type": "chatterbox", "multilingual": True, "t3_model": "v2"}
_GLYPHS = ("你\tonf", "好\tvnd", "嗎\trsqf")
_LETTERS = (*string.ascii_lowercase, ".")
_SPECIALS = ("[START]", "[STOP]", "[UNK]", "[SPACE]", "[en]", "[zh]", *(f"[cj_{each}]" for each in _LETTERS))
_ESTIMATOR = r"s3gen\.flow\.decoder\.estimator"
_RULES: dict[str, Widths] = {
    r"t3\.tfmr\..*\.[qkv]_proj\.weight": {(1, 1024): _N},
    r"t3\.tfmr\..*\.o_proj\.weight": {(0, 1024): _N},
    r"t3\.tfmr\..*": {1024: _N, 4096: _N, 4000: 1},
    r"t3\.cond_enc\.(spkr_enc|emotion_adv_fc)\..*|t3\.[a-z_]*(emb|head)\..*": {1024: _N},
    r"s3gen\.flow\.encoder\..*\.feed_forward\..*": {2048: _N},
    rf"{_ESTIMATOR}\..*\.attn\..*": {256: _N},
    rf"{_ESTIMATOR}\..*": {256: _N, 512: 2 * _N, 1024: _N},
    r"s3gen\.mel2wav\.(?!stft_window).*": {64: _N, 128: _N, 256: _N, 512: _N},
}


def build(repo_dir: Path, speech_tokenizer_dir: Path, glyphs_dir: Path) -> None:
    """Write the repos.

    Args:
        repo_dir: The model's folder; made when absent.
        speech_tokenizer_dir: The speech tokenizer's folder; made when absent.
        glyphs_dir: The folder of the repo that has the table of glyphs; made when absent.
    """
    build_speech_tokenizer(speech_tokenizer_dir)
    write_card(glyphs_dir, Card(license="mit", pipeline_tag="text-to-speech"))
    write_json(glyphs_dir / "Cangjie5_TC.json", _GLYPHS)
    write_card(repo_dir, Card(license="mit", pipeline_tag="text-to-speech"))
    write_json(repo_dir / "config.json", _CONFIG)
    Tokenizer(specials=_SPECIALS, eos="[STOP]", chat_template=None).write(repo_dir)
    write_weights(repo_dir, as_module(_as_in_torch(narrowed(Model(ModelConfig.from_dict(_CONFIG)), _RULES))))
    write_voice(repo_dir)


def _as_in_torch(tensors: Mapping[str, mx.array]) -> dict[str, mx.array]:
    """Bring the convolutions' axes into PyTorch's order: mlx-audio knows its own by their widths alone."""
    return {
        name: array.transpose((2, 0, 1) if ".ups." in name else (0, 2, 1)) if array.ndim == 3 else array
        for name, array in tensors.items()
    }
