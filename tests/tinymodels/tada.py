"""A tiny TADA for mlx-audio (text to speech): a gated repo's tokenizer, and a codec that is fetched whole.

When the codec cannot be had, mlx-audio speaks without it and only prints so.
"""

import re
from pathlib import Path

from mlx import nn
from mlx.utils import tree_flatten, tree_unflatten
from mlx_audio.tts.models.tada.config import ModelConfig
from mlx_audio.tts.models.tada.tada import Model

from tests.tinymodels.common import Card, write_card, write_json, write_weights
from tests.tinymodels.tokenizer import Tokenizer

_SPECIALS = (
    "<|begin_of_text|>", "<|end_of_text|>", "<|finetune_right_pad_id|>", "<|start_header_id|>",
    "<|end_header_id|>", "<|eot_id|>",
)  # fmt: skip
# mlx-audio knows this type by `acoustic_dim` alone: the type that it declares is that of its backbone.
_CONFIG: dict[str, object] = {
    "model_type": "llama", "acoustic_dim": 8, "hidden_size": 16, "num_hidden_layers": 1,
    "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "intermediate_size": 32,
    "num_time_classes": 4, "head_layers": 1, "head_ffn_ratio": 2.0,
    "decoder_hidden_dim": 16, "decoder_embed_dim": 8, "decoder_d_model": 4, "decoder_strides": [2, 2],
    "decoder_num_attn_layers": 1, "decoder_num_attn_heads": 2, "decoder_attn_dim_feedforward": 32,
}  # fmt: skip
_TRANSPOSED = re.compile(r".*wav_decoder\.model\.[1-9]\d*\.block\.1\.weight")


def build(repo_dir: Path, tokenizer_dir: Path, codec_dir: Path) -> None:
    """Write the repos.

    Args:
        repo_dir: The model's folder; made when absent.
        tokenizer_dir: The folder of the gated repo whose tokenizer it takes; made when absent.
        codec_dir: The codec's folder; made when absent.
    """
    tokenizer = Tokenizer(
        cls="PreTrainedTokenizerFast", specials=_SPECIALS, bos="<|begin_of_text|>", eos="<|eot_id|>",
        chat_template=None,
    )  # fmt: skip
    write_card(tokenizer_dir, Card(license="llama3.2", pipeline_tag="text-generation"))
    write_json(tokenizer_dir / "config.json", {"model_type": "llama", "vocab_size": tokenizer.size})
    tokenizer.write(tokenizer_dir)
    config = {**_CONFIG, "vocab_size": tokenizer.size}
    model = _as_in_torch(Model(ModelConfig.from_dict(config)))
    write_card(codec_dir, Card(license="mit", pipeline_tag="audio-to-audio"))
    (codec_dir / "decoder").mkdir(exist_ok=True)
    write_weights(codec_dir / "decoder", model.decoder, dtype="F32")
    write_card(repo_dir, Card(license="llama3.2", pipeline_tag="text-to-speech", base_model="HumeAI/tada-1b"))
    write_json(repo_dir / "config.json", config)
    write_weights(repo_dir, model, dtype="F32")


def _as_in_torch(model: nn.Module) -> nn.Module:
    """Bring the convolutions' axes into PyTorch's order, from which mlx-audio always brings them back."""
    model.update(
        tree_unflatten(
            [
                (name, array.transpose((2, 0, 1) if _TRANSPOSED.fullmatch(name) else (0, 2, 1)))
                for name, array in tree_flatten(model.parameters())
                if array.ndim == 3 and name.endswith("weight")
            ]
        )
    )
    return model
