"""A tiny Higgs Audio 3 for mlx-audio (speech to text), which fetches a voice activity detector at generate.

When that fetch fails, mlx-audio cuts the recording by length without a word, and hears something else.
"""

from pathlib import Path

import mlx.core as mx
from mlx_audio.stt.models.higgs_audio_3.config import ModelConfig
from mlx_audio.stt.models.higgs_audio_3.higgs_audio_3 import Model
from mlx_audio.vad.models.silero_vad.config import ModelConfig as DetectorConfig
from mlx_audio.vad.models.silero_vad.silero_vad import Model as Detector

from tests.tinymodels.common import Card, write_card, write_json, write_weights
from tests.tinymodels.tokenizer import QWEN_SPECIALS, Tokenizer

_DETECTOR: dict[str, object] = {"model_type": "silero_vad", "architecture": "silero_vad"}
_ENCODER: dict[str, object] = {
    "model_type": "higgs_audio_encoder", "num_mel_bins": 128, "encoder_layers": 1,
    "encoder_attention_heads": 2, "encoder_ffn_dim": 32, "d_model": 16, "max_source_positions": 1500,
}  # fmt: skip
_DECODER: dict[str, object] = {
    "model_type": "qwen3", "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
    "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8,
}  # fmt: skip


def build(repo_dir: Path, detector_dir: Path) -> None:
    """Write both repos.

    Args:
        repo_dir: The model's folder; made when absent.
        detector_dir: The detector's folder; made when absent.
    """
    _build_detector(detector_dir)
    tokenizer = Tokenizer(specials=(*QWEN_SPECIALS, "<|audio_bos|>", "<|audio_eos|>", "<|AUDIO|>"))
    config: dict[str, object] = {
        "model_type": "higgs_audio_3", "architectures": ["HiggsAudio3ForConditionalGeneration"],
        "audio_encoder_config": _ENCODER, "text_config": {**_DECODER, "vocab_size": tokenizer.size},
        "audio_in_token_idx": tokenizer.special_ids["<|AUDIO|>"], "split_vads": True,
    }  # fmt: skip
    write_card(repo_dir, Card(license="apache-2.0", pipeline_tag="automatic-speech-recognition"))
    write_json(repo_dir / "config.json", config)
    tokenizer.write(repo_dir)
    model = Model(ModelConfig.from_dict(config))
    for convolution in (model.audio_tower.conv1, model.audio_tower.conv2, model.audio_encoder_proj.temporal):
        # Only quantised weights are taken to be in MLX's order of axes.
        convolution.weight = convolution.weight.transpose(0, 2, 1)
    write_weights(repo_dir, model)


def _build_detector(repo_dir: Path) -> None:
    """Write a detector that hears speech in the middle of the bundled second, as its ear is set here."""
    write_card(repo_dir, Card(license="mit", pipeline_tag="voice-activity-detection"))
    write_json(repo_dir / "config.json", _DETECTOR)
    detector = Detector(DetectorConfig.from_dict(_DETECTOR))
    detector.vad_16k.final_conv.weight = mx.full((1, 1, 128), 8.0)
    detector.vad_16k.final_conv.bias = mx.array([-9.4])
    write_weights(repo_dir, detector, fixed=["vad_16k.final_conv.bias"])
