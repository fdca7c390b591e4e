"""What an interpreter has installed is read off its directories, for any layout of them."""

import importlib.metadata
import sys
from pathlib import Path

import pytest

from mlxlock.cli.installed import installed
from mlxlock.planning.runtime import PACKAGES


def test_this_interpreter_has_what_its_own_metadata_says(tmp_path: Path) -> None:
    expected = {}
    for name in PACKAGES:
        try:
            expected[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    assert installed(None, tmp_path, {"VIRTUAL_ENV": sys.prefix}).packages == expected


@pytest.mark.parametrize("place", ["lib/python3.12/site-packages", "local/lib/python3.11/dist-packages"])
def test_every_place_is_looked_into(tmp_path: Path, place: str) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text("")
    for name in ("mlx-0.32.4", "mlx_lm-0.32.2", "mlx.vlm-1.0", "other-1.0"):
        (tmp_path / place / f"{name}.dist-info").mkdir(parents=True)
    found = installed(str(tmp_path / "bin" / "python"), tmp_path, {})
    assert found.packages == {"mlx": "0.32.4", "mlx-lm": "0.32.2", "mlx-vlm": "1.0"}


def test_no_interpreter_is_a_problem_and_no_error(tmp_path: Path) -> None:
    assert "no interpreter" in str(installed("gone/bin/python", tmp_path, {}).problem)
    assert installed(None, tmp_path, {"PATH": "/nonexistent"}).problem == "no Python to run models with"
