"""A tiny Dia for mlx-audio (text to speech), and the audio codec that it fetches as a whole second model."""

from pathlib import Path

from mlx_audio.codec.models.descript import DAC
from mlx_audio.tts.models.dia.config import DiaConfig
from mlx_audio.tts.models.dia.layers import DiaModel

from tests.tinymodels.common import Card, write_card, write_json, write_weights

_CODEC = {
    "encoder_dim": 2, "encoder_rates": [2, 4, 8, 8], "decoder_dim": 32, "decoder_rates": [8, 8, 4, 2],
    "n_codebooks": 9, "codebook_size": 1024, "codebook_dim": 2, "sample_rate": 44100,
}  # fmt: skip
_ENCODER = {"n_layer": 1, "n_embd": 16, "n_hidden": 32, "n_head": 2, "head_dim": 8}
_DECODER = {
    "n_layer": 1, "n_embd": 16, "n_hidden": 32, "gqa_query_heads": 2, "kv_heads": 1, "gqa_head_dim": 8,
    "cross_query_heads": 2, "cross_head_dim": 8,
}  # fmt: skip
_CONFIG = {
    "version": "0.1", "model_type": "dia", "architecture": "dia",
    "model": {
        "encoder": _ENCODER, "decoder": _DECODER, "src_vocab_size": 256, "tgt_vocab_size": 1028,
        "weight_dtype": "float32",
    },
    "training": {"dtype": "float32"},
    "data": {
        "text_length": 64, "audio_length": 64, "channels": 9, "text_pad_value": 0, "audio_eos_value": 1024,
        "audio_pad_value": 1025, "audio_bos_value": 1026, "delay_pattern": [0, 8, 9, 10, 11, 12, 13, 14, 15],
    },
}  # fmt: skip


def build(repo_dir: Path, codec_dir: Path) -> None:
    """Write both repos.

    Args:
        repo_dir: The model's folder; made when absent.
        codec_dir: The codec's folder; made when absent.
    """
    write_card(codec_dir, Card(license="mit", pipeline_tag="audio-to-audio"))
    write_json(codec_dir / "config.json", _CODEC)
    write_weights(codec_dir, DAC(**_CODEC), dtype="F32")
    write_card(
        repo_dir, Card(license="apache-2.0", pipeline_tag="text-to-speech", base_model="nari-labs/Dia-1.6B")
    )
    write_json(repo_dir / "config.json", _CONFIG)
    write_weights(repo_dir, DiaModel(DiaConfig.load_dict(_CONFIG)), dtype="F32")
