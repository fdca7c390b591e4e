"""A tiny Bark for mlx-audio: BERT's tokenizer by an id without a namespace, and a codec at generate."""

import string
from pathlib import Path

import mlx.core as mx
from mlx import nn
from mlx_audio.codec.models.encodec.encodec import Encodec, EncodecConfig
from mlx_audio.tts.models.bark.bark import (
    GPT,
    CoarseAcousticsConfig,
    FineAcousticsConfig,
    FineGPT,
    ModelConfig,
    SemanticConfig,
)

from tests.tinymodels.common import Card, write_card, write_json, write_weights

_GPT: dict[str, int] = {"n_layer": 1, "n_head": 1, "n_embd": 4, "block_size": 1032}
_CONFIG: dict[str, object] = {
    "architectures": ["BarkModel"], "model_type": "bark", "codec_config": {"model_type": "encodec"},
    "semantic_config": {**_GPT, "input_vocab_size": 129_600, "output_vocab_size": 10_048},
    "coarse_acoustics_config": {**_GPT, "input_vocab_size": 12_096, "output_vocab_size": 12_096},
    "fine_acoustics_config": {**_GPT, "input_vocab_size": 1056, "output_vocab_size": 1056},
}  # fmt: skip
_CODEC: dict[str, object] = {
    "model_type": "encodec", "num_filters": 2, "hidden_size": 8, "codebook_dim": 8, "num_lstm_layers": 1,
    "upsampling_ratios": [2, 2], "target_bandwidths": [480.0], "sampling_rate": 24_000,
}  # fmt: skip
_END = 10_000
_PREFIX = 257
_STEPS = 16
_ENDING = (
    "semantic.position_embeds_layer.weight",
    "semantic.layers.0.attn.out_proj.weight",
    "semantic.lm_head.weight",
)
_SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def build(repo_dir: Path, bert_dir: Path, codec_dir: Path) -> None:
    """Write the repos.

    Args:
        repo_dir: The model's folder; made when absent.
        bert_dir: The folder of the repo whose tokenizer it takes; made when absent.
        codec_dir: The codec's folder; made when absent.
    """
    _build_bert(bert_dir)
    write_card(codec_dir, Card(license="mit", pipeline_tag="audio-to-audio"))
    write_json(codec_dir / "config.json", _CODEC)
    codec = Encodec(EncodecConfig(**_CODEC))
    for layer in codec.quantizer.layers:
        # Left at its zeros, it would sound the same whatever is said.
        layer.codebook.embed = mx.arange(1024.0 * 8).reshape(1024, 8)
    write_weights(codec_dir, codec, dtype="F32")
    write_card(repo_dir, Card(license="mit", pipeline_tag="text-to-speech", base_model="suno/bark-small"))
    write_json(repo_dir / "config.json", _CONFIG)
    write_weights(repo_dir, _parts(ModelConfig.from_dict(_CONFIG)), fixed=_ENDING)


def _parts(config: ModelConfig) -> nn.Module:
    """Make the model without its constructor, which would fetch the tokenizer."""
    model = nn.Module()
    model.semantic = GPT(SemanticConfig(**config.semantic_config))
    model.coarse_acoustics = GPT(CoarseAcousticsConfig(**config.coarse_acoustics_config))
    model.fine_acoustics = FineGPT(FineAcousticsConfig(**config.fine_acoustics_config))
    _end_early(model.semantic)
    return model


def _end_early(gpt: GPT) -> None:
    """Let the place decide when the sound ends (Bark's limit is 768 steps), and the text what is heard."""
    direction = mx.array([1.0, -1.0, 1.0, -1.0])
    going = mx.arange(_GPT["block_size"]) < _PREFIX + _STEPS
    gpt.position_embeds_layer.weight = mx.where(going[:, None], -direction, direction) * 2
    gpt.layers[0].attn.out_proj.weight = mx.eye(4) * 4
    rows = mx.arange(gpt.lm_head.weight.shape[0])[:, None]
    others = (rows * mx.array([7, 11, 13, 17]) % 31 - 15) / 4
    gpt.lm_head.weight = mx.where(rows == _END, direction * 64, others)


def _build_bert(repo_dir: Path) -> None:
    letters = [*string.printable.strip()]
    write_card(repo_dir, Card(license="apache-2.0", pipeline_tag="fill-mask"))
    vocabulary = [*_SPECIALS, *letters, *(f"##{letter}" for letter in letters)]
    (repo_dir / "vocab.txt").write_text("".join(f"{token}\n" for token in vocabulary), newline="\n")
    write_json(repo_dir / "tokenizer_config.json", {"do_lower_case": False, "model_max_length": 512})
    write_json(
        repo_dir / "config.json",
        {"architectures": ["BertForMaskedLM"], "model_type": "bert", "vocab_size": len(vocabulary)},
    )
