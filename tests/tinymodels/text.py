"""A tiny Qwen2 for mlx-lm, quantised to 4 bits: the plain case, without any hidden download."""

from pathlib import Path

from mlx import nn
from mlx_lm.models.qwen2 import Model, ModelArgs

from tests.tinymodels.common import Card, write_card, write_json, write_weights
from tests.tinymodels.tokenizer import Tokenizer


def build(repo_dir: Path) -> None:
    """Write the repo.

    Args:
        repo_dir: Its folder; made when absent.
    """
    tokenizer = Tokenizer()
    quantization = {"group_size": 32, "bits": 4}
    eos = tokenizer.special_ids[tokenizer.eos]
    config: dict[str, object] = {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 32,
        "num_hidden_layers": 2, "intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2,
        "rms_norm_eps": 1e-6, "vocab_size": tokenizer.size, "rope_theta": 10000.0,
        "max_position_embeddings": 512, "tie_word_embeddings": False, "eos_token_id": eos,
        "torch_dtype": "float16", "quantization": quantization,
    }  # fmt: skip
    model = Model(ModelArgs.from_dict(config))
    nn.quantize(model, **quantization)
    write_card(
        repo_dir, Card(license="apache-2.0", pipeline_tag="text-generation", base_model="Qwen/Qwen2-0.5B")
    )
    write_json(repo_dir / "config.json", config)
    write_json(repo_dir / "generation_config.json", {"do_sample": False, "eos_token_id": eos})
    tokenizer.write(repo_dir, template_file=True)
    write_weights(repo_dir, model)
