"""A tiny Irodori TTS for mlx-audio: a codec at load, missed with a mere warning, a tokenizer at generate."""

from pathlib import Path

import mlx.core as mx
from mlx_audio.codec.models.dacvae.codec import DACVAE, DACVAEConfig
from mlx_audio.tts.models.irodori_tts.config import ModelConfig
from mlx_audio.tts.models.irodori_tts.irodori_tts import Model

from tests.tinymodels.common import Card, write_card, write_json, write_weights
from tests.tinymodels.tokenizer import Tokenizer

_CODEC: dict[str, object] = {
    "encoder_dim": 2, "encoder_rates": [2, 4], "latent_dim": 16, "decoder_dim": 48, "decoder_rates": [4, 2],
    "codebook_dim": 8, "sample_rate": 48_000,
}  # fmt: skip
_DIT: dict[str, object] = {
    "latent_dim": 8, "model_dim": 16, "num_layers": 1, "num_heads": 2, "text_dim": 16, "text_layers": 1,
    "text_heads": 2, "speaker_dim": 16, "speaker_layers": 1, "speaker_heads": 2, "timestep_embed_dim": 16,
    "adaln_rank": 4,
}  # fmt: skip


def build(repo_dir: Path, codec_dir: Path, tokenizer_dir: Path) -> None:
    """Write the repos.

    Args:
        repo_dir: The model's folder; made when absent.
        codec_dir: The codec's folder; made when absent.
        tokenizer_dir: The folder of the repo whose tokenizer it takes; made when absent.
    """
    write_card(codec_dir, Card(license="mit", pipeline_tag="audio-to-audio"))
    write_json(codec_dir / "config.json", _CODEC)
    codec = DACVAE(DACVAEConfig(**_CODEC))
    # Its width is no matter of configuration: nine million numbers that nobody need draw.
    codec.decoder.wm_model.apply(mx.zeros_like)
    write_weights(codec_dir, codec)
    tokenizer = Tokenizer(
        cls="PreTrainedTokenizerFast", specials=("<s>", "</s>"), bos="<s>", eos="</s>", chat_template=None
    )
    write_card(tokenizer_dir, Card(license="apache-2.0", pipeline_tag="text-generation"))
    write_json(tokenizer_dir / "config.json", {"model_type": "llama", "vocab_size": tokenizer.size})
    tokenizer.write(tokenizer_dir)
    config: dict[str, object] = {
        "model_type": "irodori_tts", "audio_downsample_factor": 8,
        "dit": {**_DIT, "text_vocab_size": tokenizer.size},
        "sampler": {"num_steps": 4, "sequence_length": 32},
    }  # fmt: skip
    write_card(repo_dir, Card(license="mit", pipeline_tag="text-to-speech"))
    write_json(repo_dir / "config.json", config)
    write_weights(repo_dir, Model(ModelConfig.from_dict(config)), dtype="F32")
