"""The table of model types says what the installed MLX libraries say; they are read, not imported."""

import ast
import importlib.metadata
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from mlxlock.spec.manifest import KINDS
from mlxlock.spec.model_types import _NAMES, KIND_OF_TYPE, OF_NO_KIND

VERSIONS = {"mlx-audio": "0.6.2", "mlx-lm": "0.32.2", "mlx-vlm": "0.7.10"}
SHARED = {"glm", "mimo"}
"""mlx-audio has a claim on these, and mlx-lm the better one."""


def root_of(distribution: str) -> Path:
    try:
        version = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{distribution} is not installed")
    if version != VERSIONS[distribution]:
        pytest.skip(f"{distribution} {version} is not the version that the table was read off")
    spec = importlib.util.find_spec(distribution.replace("-", "_"))
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0])


def registry() -> ModuleType:
    """mlx-audio's registry, which imports nothing, without the package around it."""
    spec = importlib.util.spec_from_file_location("registry", root_of("mlx-audio") / "registry.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def aliases(utils: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(utils.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MODEL_REMAPPING":
            yield from ast.literal_eval(node.value)


def language_types() -> set[str]:
    root = root_of("mlx-lm")
    modules = (root / "models").glob("*.py")
    models = {module.stem for module in modules if "class ModelArgs" in module.read_text(encoding="utf-8")}
    return models - {"base"} | set(aliases(root / "utils.py"))


def vision_types() -> set[str]:
    root = root_of("mlx-vlm")
    folders = {path.name for path in (root / "models").iterdir() if path.is_dir()}
    return {name for name in folders if not name.startswith("__")} | set(aliases(root / "utils.py"))


def test_every_kind_of_the_table_is_one_that_a_manifest_can_name() -> None:
    assert set(KIND_OF_TYPE.values()) == set(KINDS)
    assert all(name == name.lower() for name in {*KIND_OF_TYPE, *OF_NO_KIND})
    assert not OF_NO_KIND & KIND_OF_TYPE.keys()
    assert len(KIND_OF_TYPE) == sum(len(names.split()) for names in _NAMES.values())


def test_voices_are_what_mlx_audio_takes_them_for() -> None:
    audio = registry()
    types = {each for kind in audio.kinds() for each in audio.supported_model_types(kind)}
    theirs = {each: audio.classify_model(each) for each in types}
    expected = {each: kind for each, kind in theirs.items() if kind and each not in SHARED}
    assert {each: KIND_OF_TYPE.get(each) for each in expected} == expected


def test_every_language_model_of_mlx_lm_is_text() -> None:
    found = {KIND_OF_TYPE.get(name.lower()) for name in language_types()}
    assert found == {"text"}


def test_every_model_of_mlx_vlm_is_known() -> None:
    unknown = {name for name in vision_types() if name not in KIND_OF_TYPE and name not in OF_NO_KIND}
    assert unknown == set()


def test_nothing_is_in_the_table_that_no_library_has() -> None:
    audio = registry()
    types = {each for kind in audio.kinds() for each in audio.supported_model_types(kind)}
    types |= {name.lower() for name in language_types() | vision_types()}
    assert {*KIND_OF_TYPE, *OF_NO_KIND} - types == set()
