"""A tiny VibeVoice-ASR for mlx-audio, which brings no tokenizer: loading it fetches Qwen2.5-7B's."""

from pathlib import Path

from mlx_audio.stt.models.vibevoice_asr.config import ModelConfig
from mlx_audio.stt.models.vibevoice_asr.vibevoice_asr import Model

from tests.tinymodels.common import Card, write_card, write_json, write_weights
from tests.tinymodels.tokenizer import Tokenizer

_DECODER: dict[str, object] = {
    "model_type": "qwen2", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 64,
}  # fmt: skip


def build(repo_dir: Path, qwen_dir: Path) -> None:
    """Write both repos.

    Args:
        repo_dir: The model's folder; made when absent.
        qwen_dir: The folder of the repo whose tokenizer it takes; made when absent.
    """
    tokenizer = Tokenizer()
    _build_qwen(qwen_dir, tokenizer)
    speech: dict[str, object] = {
        "encoder_n_filters": 4, "encoder_ratios": [80, 40], "encoder_depths": "1-1-1", "vae_dim": 8
    }  # fmt: skip
    decoder = {
        **_DECODER, "vocab_size": tokenizer.size, "tie_word_embeddings": False,
        "layer_types": ["full_attention"] * 2,
    }  # fmt: skip
    config: dict[str, object] = {
        "model_type": "vibevoice", "architectures": ["VibeVoiceForASRTraining"], "acoustic_vae_dim": 8,
        "semantic_vae_dim": 8, "acoustic_tokenizer_config": speech, "semantic_tokenizer_config": speech,
        "decoder_config": decoder,
    }  # fmt: skip
    write_card(
        repo_dir,
        Card(
            license="mit", pipeline_tag="automatic-speech-recognition", base_model="microsoft/VibeVoice-ASR"
        ),
    )
    write_json(repo_dir / "config.json", config)
    write_weights(repo_dir, Model(ModelConfig.from_dict(config)), dtype="F32")


def _build_qwen(repo_dir: Path, tokenizer: Tokenizer) -> None:
    """Write the tokenizer's repo, with weights that nobody may fetch: they are no safetensors at all."""
    write_card(repo_dir, Card(license="apache-2.0", pipeline_tag="text-generation"))
    tokenizer.write(repo_dir)
    write_json(
        repo_dir / "config.json",
        {"architectures": ["Qwen2ForCausalLM"], "vocab_size": tokenizer.size, **_DECODER},
    )
    write_json(repo_dir / "generation_config.json", {"do_sample": True, "temperature": 0.7})
    (repo_dir / "model-00001-of-00001.safetensors").write_bytes(bytes(1_000_000))
