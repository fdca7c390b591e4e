"""`probe.py` describes any interpreter, fast, and without importing what it reports."""

import json
import platform
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.runners.driver import RUNNERS


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment with two hand-made packages and an editable install of a third."""
    venv.create(tmp_path / "venv", with_pip=False)
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    for name, version in (("Huggingface_Hub", "9.8"), ("mlx_lm", "0.1"), ("unrelated", "1.0")):
        (site / f"{name}-{version}.dist-info").mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (site / f"{name}-{version}.dist-info" / "METADATA").write_text(metadata)
    (tmp_path / "editable").mkdir()
    (site / "editable.pth").write_text(f"{tmp_path / 'editable'}\n{tmp_path / 'gone'}\n")
    return tmp_path / "venv"


def _probe(python: Path, *flags: str) -> tuple[Mapping[str, object], str]:
    command = [str(python), *flags, str(RUNNERS / "probe.py")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=240)
    return json.loads(done.stdout), done.stderr


def test_it_describes_an_environment(environment: Path) -> None:
    found, _ = _probe(environment / "bin" / "python")
    assert found == {
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "platform": f"{'macosx' if sys.platform == 'darwin' else sys.platform}-{platform.machine().lower()}",
        "prefix": str(environment),
        "base_prefix": sys.base_prefix,
        "paths": [str(environment.parent / "editable")],
        "packages": {"huggingface-hub": "9.8", "mlx-lm": "0.1"},
    }


def test_an_empty_environment_has_no_packages(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    found, _ = _probe(tmp_path / "venv" / "bin" / "python")
    assert (found["packages"], found["paths"]) == ({}, [])


@pytest.mark.mlx
def test_it_imports_nothing_but_the_standard_library() -> None:
    found, imports = _probe(Path(sys.executable), "-X", "importtime")
    packages = found["packages"]
    assert isinstance(packages, dict)
    assert {"mlx", "mlx-lm", "transformers"} <= packages.keys()
    assert "importlib.metadata" in imports
    assert not [name for name in ("mlx", "numpy", "transformers", "huggingface_hub") if name in imports]
