"""The main job, with nothing made up: real libraries, real bubblewrap, a Hub that then goes away.

VibeVoice-ASR is why mlxlock exists: mlx-audio fetches another repo's tokenizer to run it.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.testhub import LoopbackHub

pytestmark = [pytest.mark.mlx, pytest.mark.sandbox]

ROOT = Path(__file__).parents[2]
MANIFEST = f"""
[sandbox]
require = "full"
python = "{sys.executable}"

[models.chat]
repo = "mlx-community/Qwen2-tiny-4bit"

[models.asr]
repo = "mlx-community/VibeVoice-ASR-tiny"
"""


class Site:
    """A project whose lock was made while the Hub was there, and the Hub's absence."""

    def __init__(self, root: Path, endpoint: str) -> None:
        self.root = root
        self.env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOME": str(root.parent / "home"),
            "HF_ENDPOINT": endpoint,
            "HF_HUB_CACHE": str(root / "no-cache"),
            "MLXK_STORE_DIR": str(root / "store"),
        }
        root.mkdir(exist_ok=True)
        (root / "models.toml").write_text(MANIFEST)

    @property
    def lock(self) -> dict[str, Any]:
        return {model["name"]: model for model in tomllib.loads(self.lock_text)["model"]}

    @property
    def lock_text(self) -> str:
        return (self.root / "models.lock").read_text()

    def run(self, *argv: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        command = [*before, sys.executable, "-m", "mlxlock", *argv]
        return subprocess.run(
            command, cwd=self.root, env=self.env, capture_output=True, text=True, timeout=200, check=False
        )

    def mlxk(self, *argv: str, before: tuple[str, ...] = ()) -> str:
        done = self.run(*argv, before=before)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def site(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    with LoopbackHub() as hub:
        hub.load_tree(tiny_models)
        site = Site(tmp_path_factory.mktemp("project"), hub.endpoint)
        site.mlxk("lock")
        locked = site.lock_text
        asked = len(hub.requests)
        assert "up to date" in site.mlxk("lock")
        assert site.lock_text == locked
        assert len(hub.requests) == asked
    return site


def test_the_lock_names_what_was_fetched_behind_our_back(site: Site) -> None:
    assert "artifact" not in site.lock["chat"]
    (found,) = site.lock["asr"]["artifact"]
    assert found["repo"] == "Qwen/Qwen2.5-7B"
    assert (found["revision"], found["when"]) == ("main", "load")
    assert found["asked-by"] == "mlx_audio.stt.models.vibevoice_asr.vibevoice_asr:Model.post_load_hook"
    assert [file["path"] for file in found["files"]] == [
        "config.json",
        "merges.txt",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.json",
    ]
    assert found["absent"] == ["added_tokens.json", "chat_template.jinja", "special_tokens_map.json"]


def test_every_first_run_is_proven(site: Site) -> None:
    for model in site.lock.values():
        (proof,) = model["proofs"]
        del proof["environment"]
        assert proof == {
            "first-run": "default",
            "sandbox": "full",
            "offline": "proven",
            "compared": "output",
        }


def test_without_the_hub_the_workspace_is_rebuilt_and_no_socket_leaves(site: Site) -> None:
    shutil.rmtree(site.root / "models", ignore_errors=True)
    log = site.root / "connects"
    site.mlxk("sync", "--offline", before=("strace", "-f", "-qq", "-e", "trace=connect", "-o", str(log)))
    assert not re.search(r"AF_INET", log.read_text())
    assert "every byte is as locked" in site.mlxk("verify")
    assert "nothing to do" in site.mlxk("sync")


def test_models_run_from_it_offline(site: Site) -> None:
    site.mlxk("sync", "--offline")
    log = site.root / "connects"
    watch = ("strace", "-f", "-qq", "-e", "trace=connect", "-o", str(log))
    assert site.mlxk("run", "chat", "Hello", "--max-tokens", "8", before=watch)
    speech = ROOT / "mlxlock" / "runners" / "media" / "hello.wav"
    assert site.mlxk("run", "asr", "--audio", str(speech), "--max-tokens", "8", before=watch)
    assert not re.search(r"connect\(\d+, \{sa_family=AF_INET", log.read_text())


def test_a_program_that_loads_by_repo_id_runs_unchanged(site: Site) -> None:
    site.mlxk("sync", "--offline")
    program = "from mlx_lm import load; load('mlx-community/Qwen2-tiny-4bit'); print('loaded')"
    assert "loaded" in site.mlxk("exec", "--", sys.executable, "-c", program)


def test_why_tells_who_asked(site: Site) -> None:
    told = site.mlxk("why", "Qwen/Qwen2.5-7B")
    assert "first run of `asr`" in told
    assert "at load" in told
    assert "by mlx_audio.stt.models.vibevoice_asr.vibevoice_asr:Model.post_load_hook" in told
    assert f"asked main, locked {site.lock['asr']['artifact'][0]['commit']}" in told


def test_a_withheld_artifact_makes_the_model_fail(site: Site) -> None:
    site.mlxk("sync", "--offline")
    blob = next(
        (site.root / "models/.hf_cache/hub/models--Qwen--Qwen2.5-7B/snapshots").glob("*/tokenizer.json")
    )
    blob.unlink()
    failed = site.run("run", "asr", "--audio", "x.wav")
    assert failed.returncode != 0
    site.mlxk("sync", "--offline")


def test_an_empty_machine_without_a_network_needs_lock_and_store_only(site: Site) -> None:
    speech = ROOT / "mlxlock" / "runners" / "media" / "hello.wav"
    argv = ("run", "asr", "--audio", str(speech), "--max-tokens", "8")
    site.mlxk("sync", "--offline")
    here = site.mlxk(*argv)
    there = Site(site.root.parent / "elsewhere", site.env["HF_ENDPOINT"])
    for name in ("models.lock", "store"):
        (site.root / name).rename(there.root / name)
    alone = ("bwrap", "--dev-bind", "/", "/", "--unshare-net", "--tmpfs", str(site.root), "--")
    try:
        there.mlxk("sync", before=alone)
        assert there.mlxk(*argv, before=alone) == here
        there.mlxk("verify", before=alone)
    finally:
        for name in ("models.lock", "store"):
            (there.root / name).rename(site.root / name)
