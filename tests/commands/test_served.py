"""A model whose code insists on the Hub's API: `lock` says `served`, and `run` brings a mirror."""

import json
import sys
from pathlib import Path

import pytest

from tests.commands.site import Site
from tests.testhub import LoopbackHub

pytestmark = [pytest.mark.mlx, pytest.mark.sandbox]

CODE = """
from huggingface_hub import HfApi
from transformers import Qwen2Tokenizer

class Tok(Qwen2Tokenizer):
    def __init__(self, *args, **kwargs):
        assert "code.py" in HfApi().list_repo_files("acme/code")
        super().__init__(*args, **kwargs)
"""


def test_what_is_served_is_run_with_a_mirror_of_the_lock(tiny_models: Path, tmp_path: Path) -> None:
    folder = tiny_models / "mlx-community/Qwen2-tiny-4bit"
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    auto_map = {"auto_map": {"AutoTokenizer": ["acme/code--code.Tok", None]}, "tokenizer_class": "Tok"}
    told = {**json.loads(files["tokenizer_config.json"]), **auto_map}
    with LoopbackHub() as hub:
        hub.repo("acme/text").commit({**files, "tokenizer_config.json": json.dumps(told).encode()})
        hub.repo("acme/code").commit({"code.py": CODE.encode()})
        site = Site(tmp_path / "project", hub.endpoint)
        site.write(
            f'[sandbox]\npython = "{sys.executable}"\n'
            '[models.it]\nrepo = "acme/text"\nremote-code = "allow"\n'
        )
        assert "only with a mirror of the lock" in site.run("lock").stderr
        site.mlxk("sync")
    assert [proof["offline"] for proof in site.locked["it"]["proofs"]] == ["served"]
    for more in ((), ("--no-network",)):
        assert site.mlxk("run", "it", "Hello", "--max-tokens", "4", *more)
