"""A workspace that the command line made, read by programs that know nothing of mlxlock."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.artifacts import MODEL, TOK, lock_with_artifact
from tests.commands.site import Site, contents
from tests.testhub import LoopbackHub

CHAT = "mlx-community/Qwen2-tiny-4bit"
SNAPSHOT = """
import sys
from pathlib import Path
from huggingface_hub import hf_hub_download, snapshot_download, try_to_load_from_cache, _CACHED_NO_EXIST
chat = Path(snapshot_download(sys.argv[1]))
assert sorted(path.name for path in chat.iterdir()) == sys.argv[3].split()
assert Path(snapshot_download(sys.argv[1], revision=chat.name, local_files_only=True)) == chat
tok = sys.argv[2]
assert Path(hf_hub_download(tok, "vocab.json")).read_bytes() == b"v" * 2048
assert try_to_load_from_cache(tok, "added_tokens.json") is _CACHED_NO_EXIST
assert try_to_load_from_cache(tok, "model.safetensors") is None
"""
LOAD = """
import sys
from pathlib import Path
from mlx_lm import generate, load
from transformers import AutoTokenizer
texts = set()
for name in (sys.argv[1], sys.argv[2]):
    assert AutoTokenizer.from_pretrained(name).encode("Hello")
    model, tokenizer = load(name)
    texts.add(generate(model, tokenizer, prompt="Hello", max_tokens=4))
assert len(texts) == 1
print("same")
"""


@pytest.fixture(scope="module")
def site(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with LoopbackHub() as hub:
        hub.load_tree(tiny_models)
        hub.remove(TOK)
        site = Site(tmp_path_factory.mktemp("readers") / "project", hub.endpoint)
        lock_with_artifact(hub, site)
        site.mlxk("add", f"chat={CHAT}", "--no-capture")
    yield site
    site.mlxk("verify")
    assert "nothing to do" in site.mlxk("sync", "--offline")


@pytest.fixture(params=["1.33", "2"])
def python(hub_pythons: dict[str, Path], request: pytest.FixtureRequest) -> Path:
    """An interpreter with that huggingface_hub, unmodified."""
    return hub_pythons[str(request.param)]


def test_snapshots_are_found_offline(site: Site, python: Path) -> None:
    files = sorted(path.name for path in (site.models / "Qwen2-tiny-4bit").iterdir())
    files.remove(".mlxk_workspace.json")
    site.mlxk("exec", "--", str(python), "-c", SNAPSHOT, CHAT, TOK, " ".join(files))


def test_hf_cache_ls_lists_every_repo_with_its_commit_and_refs(site: Site, python: Path) -> None:
    hf = str(python.with_name("hf"))
    done = site.run("exec", "--", hf, "cache", "ls", "--revisions", "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    listed = {row["repo_id"]: (row["revision"], row["refs"], row["size"]) for row in json.loads(done.stdout)}
    brought = site.locked["asr"]["artifact"][0]["commit"]
    assert listed == {
        CHAT: (site.locked["chat"]["commit"], ["main"], listed[CHAT][2]),
        MODEL: (site.locked["asr"]["commit"], ["main"], "3.0K"),
        TOK: (brought, ["main"], "2.0K"),
    }


@pytest.mark.mlx
def test_transformers_and_mlx_lm_load_by_repo_id_and_by_path(site: Site) -> None:
    before = contents(site.models, lambda name: "/hub/" in name or not name.startswith("."))
    path = str(site.models / "Qwen2-tiny-4bit")
    assert site.mlxk("exec", "--", sys.executable, "-c", LOAD, CHAT, path).endswith("same\n")
    assert contents(site.models, lambda name: "/hub/" in name or not name.startswith(".")) == before
