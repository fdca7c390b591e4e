"""A tiny Pocket TTS for mlx-audio: a tokenizer by its tag at load, and a voice by its commit at generate."""

from pathlib import Path

from mlx_audio.tts.models.pocket_tts.config import ModelConfig
from mlx_audio.tts.models.pocket_tts.pocket_tts import Model

from tests.tinymodels.common import Card, write_card, write_json, write_tensors, write_weights
from tests.tinymodels.tokenizer import Tokenizer

TAG = "v1.0"
VOICES_COMMIT = "d4fdd22ae8c8e1cb3634e150ebeff1dab2d16df3"
_WIDTH = 16
_CONVOLUTIONS: dict[str, object] = {
    "dimension": _WIDTH, "channels": 1, "n_filters": 2, "n_residual_layers": 1, "ratios": [4, 2, 2],
    "kernel_size": 7, "residual_kernel_size": 3, "last_kernel_size": 3, "dilation_base": 2,
    "pad_mode": "constant", "compress": 2,
}  # fmt: skip
_TRANSFORMER: dict[str, object] = {
    "d_model": _WIDTH, "input_dimension": _WIDTH, "output_dimensions": [_WIDTH], "num_heads": 2,
    "num_layers": 1, "layer_scale": 0.01, "context": 250, "dim_feedforward": 32,
}  # fmt: skip
_CODEC: dict[str, object] = {
    "dtype": "float32", "sample_rate": 24_000, "channels": 1, "frame_rate": 750.0, "seanet": _CONVOLUTIONS,
    "transformer": _TRANSFORMER, "quantizer": {"dimension": 8, "output_dimension": _WIDTH},
    "encoder_enabled": False,
}  # fmt: skip


def build(repo_dir: Path, tokenizer_dir: Path, voices_dir: Path) -> None:
    """Write the repos.

    Args:
        repo_dir: The model's folder; made when absent.
        tokenizer_dir: The folder of the repo whose `TAG` has the tokenizer; made when absent.
        voices_dir: The folder of the repo whose `VOICES_COMMIT` has the voices; made when absent.
    """
    tokenizer = Tokenizer(chat_template=None)
    for place in (tokenizer_dir, voices_dir, repo_dir):
        write_card(place, Card(license="cc-by-4.0", pipeline_tag="text-to-speech"))
    tokenizer.write(tokenizer_dir)
    (voices_dir / "embeddings").mkdir(exist_ok=True)
    for voice in ("alba", "marius"):
        write_tensors(voices_dir / "embeddings" / f"{voice}.safetensors", {"audio_prompt": (1, 4, _WIDTH)})
    fetched = f"hf://{tokenizer_dir.parent.name}/{tokenizer_dir.name}/tokenizer.json@{TAG}"
    write_json(repo_dir / "config.json", _config(tokenizer, fetched))
    here = _config(tokenizer, str(tokenizer_dir / "tokenizer.json"))
    write_weights(repo_dir, Model(ModelConfig.from_dict(here)), dtype="F32")


def _config(tokenizer: Tokenizer, path: str) -> dict[str, object]:
    language: dict[str, object] = {
        "dtype": "float32", "ldim": 8, "flow": {"dim": 16, "depth": 1},
        "transformer": {
            "hidden_scale": 2, "max_period": 10_000, "d_model": _WIDTH, "num_heads": 2, "num_layers": 1,
        },
        "lookup_table": {
            "dim": _WIDTH, "n_bins": tokenizer.size, "tokenizer": "huggingface", "tokenizer_path": path,
        },
    }  # fmt: skip
    return {"model_type": "pocket_tts", "flow_lm": language, "mimi": _CODEC}
