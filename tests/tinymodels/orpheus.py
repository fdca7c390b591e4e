"""A tiny Orpheus for mlx-audio (text to speech), which fetches a codec at import and a tokenizer at load."""

from pathlib import Path

from mlx_audio.codec.models.snac.snac import SNAC
from mlx_audio.lm.models.llama import Model, ModelArgs

from tests.tinymodels.common import Card, write_card, write_json, write_weights
from tests.tinymodels.tokenizer import Tokenizer

_FIRST_SOUND = 128_266
_SOUNDS = 7 * 4096
_CODEC: dict[str, object] = {
    "sampling_rate": 24000, "encoder_dim": 2, "encoder_rates": [2, 4], "decoder_dim": 8,
    "decoder_rates": [8, 4], "attn_window_size": None, "codebook_dim": 1, "vq_strides": [4, 2, 1],
    "noise": False, "depthwise": False,
    # mlx-audio decodes whatever token was generated, text too, as a code before or after the real ones.
    "codebook_size": _FIRST_SOUND + _SOUNDS,
}  # fmt: skip
_CONFIG: dict[str, object] = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 8, "num_hidden_layers": 1,
    "intermediate_size": 16, "num_attention_heads": 2, "num_key_value_heads": 1, "rms_norm_eps": 1e-5,
    "vocab_size": _FIRST_SOUND + _SOUNDS, "max_position_embeddings": 512, "rope_theta": 10000.0,
    "tie_word_embeddings": True,
}  # fmt: skip


def build(repo_dir: Path, codec_dir: Path, tokenizer_dir: Path) -> None:
    """Write the repos.

    Args:
        repo_dir: The model's folder; made when absent.
        codec_dir: The codec's folder; made when absent.
        tokenizer_dir: The folder of the repo whose tokenizer it takes for its own; made when absent.
    """
    write_card(codec_dir, Card(license="mit", pipeline_tag="audio-to-audio"))
    write_json(codec_dir / "config.json", _CODEC)
    write_weights(codec_dir, SNAC(**_CODEC))
    tokenizer = Tokenizer(cls="PreTrainedTokenizerFast", chat_template=None)
    for place in (tokenizer_dir, repo_dir):
        write_card(place, Card(license="apache-2.0", pipeline_tag="text-to-speech"))
        write_json(place / "config.json", _CONFIG)
        tokenizer.write(place)
    write_weights(repo_dir, Model(ModelArgs.from_dict(_CONFIG)))
