"""A tiny Qwen2 for mlx-lm, whose tokenizer is code of another repo, named by `auto_map`."""

import json
from pathlib import Path

from tests.tinymodels import text
from tests.tinymodels.common import Card, write_card, write_json

_CODE = '''"""A tokenizer with a word of its own, which nobody has without this file."""

from transformers import Qwen2Tokenizer


class TinyTokenizer(Qwen2Tokenizer):
    """Says before each text that it was here."""

    def encode(self, text, *args, **kwargs):
        return super().encode(f"{text} hello", *args, **kwargs)
'''


def build(repo_dir: Path, code_dir: Path) -> None:
    """Write both repos.

    Args:
        repo_dir: The model's folder; made when absent.
        code_dir: The folder of the repo with the tokenizer's code; made when absent.
    """
    text.build(repo_dir)
    path = repo_dir / "tokenizer_config.json"
    named = f"{code_dir.parent.name}/{code_dir.name}--tokenization_tiny.TinyTokenizer"
    config = json.loads(path.read_text())
    write_json(
        path, {**config, "tokenizer_class": "TinyTokenizer", "auto_map": {"AutoTokenizer": [named, None]}}
    )
    write_card(code_dir, Card(license="apache-2.0", pipeline_tag="text-generation"))
    (code_dir / "tokenization_tiny.py").write_text(_CODE, newline="\n")
