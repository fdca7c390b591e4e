"""A tiny Qwen2-VL for mlx-vlm, without any hidden download."""

from pathlib import Path

from mlx_vlm.models.qwen2_vl import Model, ModelConfig, TextConfig, VisionConfig

from tests.tinymodels.common import Card, write_card, write_json, write_weights
from tests.tinymodels.tokenizer import Tokenizer

_PREPROCESSOR = {
    "image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2VLProcessor", "patch_size": 14,
    "temporal_patch_size": 2, "merge_size": 2, "min_pixels": 784, "max_pixels": 3136, "image_mean": [0.5] * 3,
    "image_std": [0.5] * 3,
}  # fmt: skip
_VISION = {
    "model_type": "qwen2_vl", "depth": 1, "embed_dim": 32, "hidden_size": 32, "num_heads": 2,
    "patch_size": 14, "spatial_patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2,
    "mlp_ratio": 2, "in_channels": 3,
}  # fmt: skip


def build(repo_dir: Path) -> None:
    """Write the repo.

    Args:
        repo_dir: Its folder; made when absent.
    """
    tokenizer = Tokenizer()
    config = _config(tokenizer)
    write_card(
        repo_dir,
        Card(license="apache-2.0", pipeline_tag="image-text-to-text", base_model="Qwen/Qwen2-VL-2B-Instruct"),
    )
    write_json(repo_dir / "config.json", config)
    write_json(repo_dir / "preprocessor_config.json", _PREPROCESSOR)
    tokenizer.write(repo_dir)
    arguments = ModelConfig.from_dict(dict(config))
    arguments.text_config = TextConfig.from_dict(arguments.text_config)
    arguments.vision_config = VisionConfig.from_dict(arguments.vision_config)
    write_weights(repo_dir, Model(arguments))


def _config(tokenizer: Tokenizer) -> dict[str, object]:
    ids = tokenizer.special_ids
    return {
        "architectures": ["Qwen2VLForConditionalGeneration"], "model_type": "qwen2_vl", "hidden_size": 32,
        "num_hidden_layers": 2, "intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2,
        "rms_norm_eps": 1e-6, "vocab_size": tokenizer.size, "rope_theta": 10000.0,
        "max_position_embeddings": 512, "tie_word_embeddings": False,
        "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]}, "eos_token_id": ids["<|im_end|>"],
        "bos_token_id": ids["<|endoftext|>"], "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"], "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"], "torch_dtype": "float16", "vision_config": _VISION,
    }  # fmt: skip
