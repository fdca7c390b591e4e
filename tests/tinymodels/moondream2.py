"""A tiny Moondream2 for mlx-vlm, which ignores its own tokenizer and fetches that of `moondream/starmie-v1`.

When that fetch fails, mlx-vlm takes the bundled one without a word, and the model says something else.
"""

from pathlib import Path

from mlx_vlm.models.moondream2 import Model, ModelConfig

from tests.tinymodels.common import Card, write_card, write_json, write_weights
from tests.tinymodels.tokenizer import WORDS, Tokenizer


def build(repo_dir: Path, starmie_dir: Path) -> None:
    """Write both repos.

    Args:
        repo_dir: The model's folder; made when absent.
        starmie_dir: The folder of the repo whose tokenizer it takes; made when absent.
    """
    end = "<|endoftext|>"
    starmie = Tokenizer(cls="PreTrainedTokenizerFast", specials=(end,), eos=end, chat_template=None)
    write_card(starmie_dir, Card(license="apache-2.0", pipeline_tag="text-generation"))
    starmie.write(starmie_dir)
    write_card(
        repo_dir,
        Card(license="apache-2.0", pipeline_tag="image-text-to-text", base_model="vikhyatk/moondream2"),
    )
    # Larger than the right one, as in reality: each number that the model can say has some wrong text there.
    words = (" unwanted", " wrong", *WORDS)
    Tokenizer(cls="GPT2Tokenizer", specials=(end,), eos=end, chat_template=None, words=words).write(repo_dir)
    config = _config(starmie)
    write_json(repo_dir / "config.json", config)
    write_weights(repo_dir, Model(ModelConfig.from_dict(config)))


def _config(tokenizer: Tokenizer) -> dict[str, object]:
    eos = tokenizer.special_ids[tokenizer.eos]
    text = {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "vocab_size": tokenizer.size,
        "num_attention_heads": 4, "num_key_value_heads": 4,
    }  # fmt: skip
    vision = {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
        "proj_inner_dim": 32, "proj_out_dim": 32,
    }  # fmt: skip
    return {
        "model_type": "moondream2", "eos_token_id": eos, "bos_token_id": eos, "torch_dtype": "float16",
        "text_config": text, "vision_config": vision,
    }  # fmt: skip
