"""A tiny OuteTTS for mlx-audio (text to speech): another repo's tokenizer, a codec, and a whole Whisper.

Given a recording to speak like, it fetches Whisper to hear it, and leaves the voice in `~/.cache`, under a
random name.
"""

from pathlib import Path

from mlx import nn
from mlx_audio.codec.models.descript import DAC
from mlx_audio.lm.models.llama import Model, ModelArgs

from tests.tinymodels import whisper
from tests.tinymodels.common import Card, write_card, write_json, write_weights
from tests.tinymodels.tokenizer import Tokenizer

_CODEC: dict[str, object] = {
    "encoder_dim": 2, "encoder_rates": [2, 4, 5, 8], "decoder_dim": 32, "decoder_rates": [8, 5, 4, 2],
    "n_codebooks": 2, "codebook_size": 1024, "codebook_dim": 2, "sample_rate": 24_000,
}  # fmt: skip
_MARKS = (
    "text_start", "text_end", "audio_start", "audio_end", "word_start", "word_end", "features", "code",
    *(f"{name}_{level}" for name in ("energy", "spectral_centroid", "pitch") for level in range(101)),
    *(f"t_{step / 100:.2f}" for step in range(201)),
    *(f"c{book}_{number}" for book in (1, 2) for number in range(1025)),
)  # fmt: skip
_SPECIALS = ("<|im_start|>", "<|im_end|>", *(f"<|{mark}|>" for mark in _MARKS))


def build(repo_dir: Path, tokenizer_dir: Path, codec_dir: Path, whisper_dir: Path) -> None:
    """Write the repos.

    Args:
        repo_dir: The model's folder; made when absent.
        tokenizer_dir: The folder of the repo whose tokenizer it takes; made when absent.
        codec_dir: The codec's folder; made when absent.
        whisper_dir: The folder of the model that it listens with; made when absent.
    """
    whisper.build(whisper_dir)
    write_card(codec_dir, Card(license="mit", pipeline_tag="audio-to-audio"))
    write_json(codec_dir / "config.json", _CODEC)
    write_weights(codec_dir, DAC(**_CODEC), dtype="F32")
    tokenizer = Tokenizer(cls="PreTrainedTokenizerFast", specials=_SPECIALS, chat_template=None)
    config: dict[str, object] = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 16,
        "num_hidden_layers": 1, "intermediate_size": 32, "num_attention_heads": 2, "num_key_value_heads": 1,
        "head_dim": 8, "rms_norm_eps": 1e-5, "vocab_size": tokenizer.size, "max_position_embeddings": 4096,
        "rope_theta": 10000.0, "tie_word_embeddings": True,
        "tokenizer_name": f"{tokenizer_dir.parent.name}/{tokenizer_dir.name}",
    }  # fmt: skip
    for place in (tokenizer_dir, repo_dir):
        write_card(place, Card(license="cc-by-nc-sa-4.0", pipeline_tag="text-to-speech"))
        write_json(place / "config.json", config)
        tokenizer.write(place)
    model = nn.Module()
    model.model = Model(ModelArgs.from_dict(config))
    write_weights(repo_dir, model)
