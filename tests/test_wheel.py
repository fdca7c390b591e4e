"""The wheel holds what an installation needs, and runs from where it was unpacked."""

import configparser
import email
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.commands.site import ROOT

VERSION = "0.1.0"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=240)
    (built,) = out.glob("*.whl")
    return built


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as opened:
        return set(opened.namelist())


def meta(wheel: Path, name: str) -> str:
    with zipfile.ZipFile(wheel) as opened:
        return opened.read(f"mlxlock-{VERSION}.dist-info/{name}").decode()


def test_it_holds_the_package_its_media_and_the_schemas(wheel: Path) -> None:
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "mlxlock").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    schemas = {f"mlxlock/schemas/{path.name}" for path in (ROOT / "schemas").iterdir()}
    assert {"mlxlock/py.typed", "mlxlock/runners/media/hello.wav"} <= package
    assert "mlxlock/schemas/output.schema.json" in schemas
    held = {name for name in names(wheel) if ".dist-info/" not in name}
    assert held == package | schemas


def test_both_names_are_one_program(wheel: Path) -> None:
    entries = configparser.ConfigParser()
    entries.read_string(meta(wheel, "entry_points.txt"))
    assert dict(entries["console_scripts"]) == {
        "mlxk": "mlxlock.__main__:main",
        "mlxlock": "mlxlock.__main__:main",
    }


def test_its_metadata_says_what_it_needs(wheel: Path) -> None:
    told = email.message_from_string(meta(wheel, "METADATA"))
    assert (told["Name"], told["Version"], told["License-Expression"]) == ("mlxlock", VERSION, "Apache-2.0")
    assert told["Requires-Python"] == ">=3.11"
    assert set(told.get_all("Provides-Extra", [])) == {"text", "vision", "audio", "all"}
    plain = {need.partition(";")[0] for need in told.get_all("Requires-Dist", []) if "extra ==" not in need}
    assert not any(need.startswith(("mlx", "transformers")) for need in plain)


def test_it_runs_from_where_it_was_unpacked(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(tmp_path / "site")
    probe = "import sys; sys.path.insert(0, sys.argv.pop(1)); from mlxlock.__main__ import main; main()"
    command = [sys.executable, "-I", "-c", probe, str(tmp_path / "site"), "help", "sync"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=True)
    assert "Usage: mlxk sync" in done.stdout
