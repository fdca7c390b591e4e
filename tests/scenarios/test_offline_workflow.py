"""The offline workflow of ADR-022 in its four steps, with the model that the ADR is about."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.site import ROOT, Site
from tests.testhub import LoopbackHub

pytestmark = [pytest.mark.mlx, pytest.mark.sandbox, pytest.mark.timeout(300)]

REPO = "mlx-community/VibeVoice-ASR-tiny"
MODEL = "./models/VibeVoice-ASR-tiny"
SPEECH = ("--audio", str(ROOT / "mlxlock/runners/media/hello.wav"), "--max-tokens", "8")


def test_clone_run_once_look_and_then_be_offline(tiny_models: Path, tmp_path: Path) -> None:
    desk = Site(tmp_path / "here", "http://127.0.0.1:9")
    desk.env |= {"VIRTUAL_ENV": str(Path(sys.executable).parents[1])}
    with LoopbackHub() as hub:
        hub.load_tree(tiny_models)
        online = {"HF_ENDPOINT": hub.endpoint}
        # 1. Use `mlxk clone` to create isolated workspaces
        cloned = desk.run("clone", REPO, MODEL, more=online)
        assert cloned.returncode == 0, cloned.stderr
        # 2. Run the model once (online) to capture all runtime dependencies
        first = desk.run("run", MODEL, *SPEECH, "--online", more=online)
        assert "Qwen/Qwen2.5-7B @ " in first.stderr
    # 3. Verify that .hf_cache/ contains all artifacts
    assert "Qwen/Qwen2.5-7B" in desk.mlxk("health", MODEL, "--verbose")
    # 4. Subsequent runs are fully offline
    connects = desk.root / "connects"
    watch = ("strace", "-f", "-qq", "-e", "trace=connect", "-o", str(connects))
    assert desk.mlxk("run", MODEL, *SPEECH, before=watch) == first.stdout
    assert "AF_INET" not in connects.read_text()
    assert desk.mlxk("run", MODEL, *SPEECH, "--no-network") == first.stdout


def test_a_workspace_can_be_archived_and_runs_elsewhere(tiny_models: Path, tmp_path: Path) -> None:
    desk = Site(tmp_path / "here", "http://127.0.0.1:9")
    desk.env |= {"VIRTUAL_ENV": str(Path(sys.executable).parents[1])}
    shutil.copytree(tiny_models / REPO, desk.root / MODEL)
    with LoopbackHub() as hub:
        hub.load_tree(tiny_models)
        first = desk.run("run", MODEL, *SPEECH, "--online", more={"HF_ENDPOINT": hub.endpoint})
    subprocess.run(["tar", "-cf", "models.tar", "models"], cwd=desk.root, check=True)
    shutil.rmtree(desk.models)
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    subprocess.run(["tar", "-xf", str(desk.root / "models.tar")], cwd=elsewhere, check=True)
    desk.root = elsewhere
    assert desk.mlxk("run", MODEL, *SPEECH) == first.stdout != ""
