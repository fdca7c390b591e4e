"""A tiny Qwen2-VL that brings its own architecture for mlx-vlm, which runs it without being asked."""

import json
from pathlib import Path

from tests.tinymodels import vision
from tests.tinymodels.common import write_json

_CODE = '''"""An architecture like another one."""

from mlx_vlm.models.qwen2_vl import (
    LanguageModel,
    Model,
    ModelConfig,
    TextConfig,
    VisionConfig,
    VisionModel,
)
'''


def build(repo_dir: Path) -> None:
    """Write the repo.

    Args:
        repo_dir: Its folder; made when absent.
    """
    vision.build(repo_dir)
    path = repo_dir / "config.json"
    write_json(path, {**json.loads(path.read_text()), "model_file": "modeling_tiny.py"})
    (repo_dir / "modeling_tiny.py").write_text(_CODE, newline="\n")
