"""The offline workflow of ADR-022 in its four steps, with the model that the ADR is about."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.site import ROOT, Site
from tests.testhub import LoopbackHub

pytestmark = [pytest.mark.mlx, pytest.mark.sandbox]

REPO = "mlx-community/VibeVoice-ASR-tiny"
MODEL = "./models/VibeVoice-ASR-tiny"
STEPS = re.findall(r"^\d\. `mlxk ([^`]+)`", (ROOT / "SECURITY.md").read_text(encoding="utf-8"), re.MULTILINE)
SPEECH = ("--audio", str(ROOT / "mlxlock/runners/media/hello.wav"), "--max-tokens", "8")


def step(number: int) -> list[str]:
    """A step as SECURITY.md has it, of this model."""
    words = STEPS[number - 1].replace("ORG/NAME", REPO).replace("./models/NAME", MODEL).split()
    return [each for word in words for each in (SPEECH if word == "…" else [word])]


def test_clone_run_once_look_be_offline_and_move_house(tiny_models: Path, tmp_path: Path) -> None:
    desk = Site(tmp_path / "here", "http://127.0.0.1:9")
    desk.env |= {"VIRTUAL_ENV": str(Path(sys.executable).parents[1])}
    with LoopbackHub() as hub:
        hub.load_tree(tiny_models)
        online = {"HF_ENDPOINT": hub.endpoint}
        # 1. Use `mlxk clone` to create isolated workspaces
        cloned = desk.run(*step(1), more=online)
        assert cloned.returncode == 0, cloned.stderr
        # 2. Run the model once (online) to capture all runtime dependencies
        first = desk.run(*step(2), more=online)
        assert "Qwen/Qwen2.5-7B @ " in first.stderr
    # 3. Verify that .hf_cache/ contains all artifacts
    assert "Qwen/Qwen2.5-7B" in desk.mlxk(*step(3))
    # 4. Subsequent runs are fully offline
    connects = desk.root / "connects"
    watch = ("strace", "-f", "-qq", "-e", "trace=connect", "-o", str(connects))
    assert desk.mlxk("run", MODEL, *SPEECH, before=watch) == first.stdout
    assert "AF_INET" not in connects.read_text()
    # … and the workspace can be archived and transferred
    subprocess.run(["tar", "-cf", "models.tar", "models"], cwd=desk.root, check=True)
    shutil.rmtree(desk.models)
    (tmp_path / "else where").mkdir()
    subprocess.run(["tar", "-xf", str(desk.root / "models.tar")], cwd=tmp_path / "else where", check=True)
    desk.root = tmp_path / "else where"
    assert desk.mlxk(*step(4)) == first.stdout != ""
