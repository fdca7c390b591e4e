"""`mlxk convert`: a whole model of another one, that says of which, or nothing at all."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.commands.site import Site, contents
from tests.commands.test_clone import by_sha256sum, litter, sentinel
from tests.commands.test_shelf import BARE, MODELS, tensors
from tests.testhub import LoopbackHub

TINY = "org/tiny"
INDEX = "model.safetensors.index.json"
FIRST, SECOND = (f"model-0000{number}-of-00002.safetensors" for number in (1, 2))
FILES = {
    "config.json": b'{"model_type": "llama"}',
    FIRST: tensors("a", "b"),
    SECOND: tensors("c"),
    INDEX: json.dumps({"weight_map": {"a": FIRST, "z": SECOND}}).encode(),
    "sub/deep/vocab.txt": b"v" * 40,
}


@pytest.fixture
def site(loopback_hub: LoopbackHub, tmp_path: Path) -> Site:
    loopback_hub.repo(TINY).commit(FILES)
    site = Site(tmp_path / "here", loopback_hub.endpoint)
    site.mlxk("clone", TINY)
    return site


def test_a_repaired_index_names_what_is_there_and_nothing_else_changes(site: Site) -> None:
    before = contents(site.root / "tiny")
    assert site.run("health", "./tiny").returncode == 1
    command = [sys.executable, "-c", BARE.format(blocked=[*MODELS, "huggingface_hub"])]
    done = subprocess.run(
        [*command, "convert", "./tiny", "./made", "--repair-index", "--json"],
        cwd=site.root,
        env=site.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert contents(site.root / "tiny") == before
    made = contents(site.root / "made", lambda name: name not in {INDEX, ".mlxk_workspace.json"})
    assert made == {name: data for name, data in FILES.items() if name != INDEX}
    weight_map = json.loads((site.root / "made" / INDEX).read_text())["weight_map"]
    assert weight_map == {"a": FIRST, "b": FIRST, "c": SECOND}
    assert site.mlxk("health", "./made", "--content") == "made (ws): healthy\n"
    told, source = sentinel(site.root / "made"), sentinel(site.root / "tiny")
    assert (told["operation"], told["source_repo"], told["source_revision"]) == (
        "convert",
        TINY,
        source["source_revision"],
    )
    assert told["parameters"] == {"mode": "repair-index", "source_content_hash": source["content_hash"]}
    assert told["content_hash"] == by_sha256sum(site.root / "made")
    assert site.data("list", "./")["models"][0]["hash_modified"] is False
    assert not litter(site.root)


def test_what_cannot_be_made_makes_nothing(site: Site) -> None:
    (site.root / "own").mkdir()
    (site.root / "own" / "config.json").write_text("{}")
    (site.root / "full").mkdir()
    (site.root / "full" / "mine").write_text("mine")
    before = contents(site.root)
    for argv in (
        ["./tiny", "./made"],
        ["./tiny", "./made", "--repair-index", "--quantize", "4"],
        ["./own", "./made", "--repair-index"],
        ["./nowhere", "./made", "--repair-index"],
        ["./tiny", "./full", "--repair-index"],
        ["./tiny", "./tiny", "--repair-index"],
        ["./tiny", "./made", "--repair-index", "--origin", "org/x@main"],
    ):
        assert site.refusal("convert", *argv)[:2] == (2, "usage"), argv
    assert contents(site.root) == before


def test_an_edited_source_is_said_to_be_what_it_is(site: Site) -> None:
    pristine = sentinel(site.root / "tiny")["content_hash"]
    (site.root / "tiny" / "sub" / "deep" / "mine.txt").write_text("mine")
    site.mlxk("convert", "./tiny", "./made", "--repair-index")
    told = sentinel(site.root / "made")["parameters"]["source_content_hash"]
    assert told == by_sha256sum(site.root / "tiny") != pristine


def test_a_broken_source_is_not_converted(site: Site) -> None:
    weights = site.root / "tiny" / SECOND
    data = weights.read_bytes()
    weights.unlink()
    weights.write_bytes(data[:-1])
    code, kind, told = site.refusal("convert", "./tiny", "./made", "--repair-index")
    assert (code, kind) == (2, "usage")
    assert "cut off" in told
    assert not (site.root / "made").exists()


def test_a_source_of_unknown_origin_needs_one_said(site: Site) -> None:
    shutil.copytree(site.root / "tiny", site.root / "own")
    (site.root / "own" / ".mlxk_workspace.json").unlink()
    assert site.refusal("convert", "./own", "./made", "--repair-index")[:2] == (2, "usage")
    site.mlxk("convert", "./own", "./made", "--repair-index", "--origin", f"org/x@{'1' * 40}")
    told = sentinel(site.root / "made")
    assert (told["source_repo"], told["source_revision"]) == ("org/x", "1" * 40)


def test_a_converted_model_is_not_added_as_what_the_hub_has(site: Site) -> None:
    site.mlxk("convert", "./tiny", "./made", "--repair-index")
    site.mlxk("init")
    code, _, told = site.refusal("add", "./made")
    assert code == 2
    assert "was converted" in told


# --- with the real libraries --------------------------------------------------------------------------------


def project_python(site: Site) -> None:
    """Let the interpreter of this suite, which has the libraries, run the models."""
    site.env["VIRTUAL_ENV"] = sys.prefix


@pytest.fixture(scope="session")
def unquantized(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("unquantized") / "Qwen2-tiny"
    script = (
        "import sys; from mlx_lm.convert import convert; convert(sys.argv[1], sys.argv[2], dequantize=True)"
    )
    source = tiny_models / "mlx-community" / "Qwen2-tiny-4bit"
    subprocess.run([sys.executable, "-c", script, source, made], check=True, capture_output=True)
    return made


def clone_of(site: Site, hub: LoopbackHub, model: Path) -> Path:
    """A clone of a model, with a sub-directory that no library knows."""
    files: dict[str, Any] = {
        path.relative_to(model).as_posix(): path for path in model.rglob("*") if path.is_file()
    }
    hub.repo(f"org/{model.name}").commit({**files, "extra/notes.txt": b"kept"})
    site.mlxk("clone", f"org/{model.name}", "source")
    project_python(site)
    return site.root / "source"


@pytest.mark.mlx
def test_a_language_model_is_quantized_by_mlx_lm_and_runs(
    site: Site, loopback_hub: LoopbackHub, unquantized: Path
) -> None:
    source = clone_of(site, loopback_hub, unquantized)
    before = contents(source)
    site.mlxk("convert", "./source", "./made", "--quantize", "4", "--group-size", "32")
    made = site.root / "made"
    assert contents(source) == before
    assert (made / "extra" / "notes.txt").read_text() == "kept"
    assert json.loads((made / "config.json").read_text())["quantization"]["bits"] == 4
    told = sentinel(made)
    assert told["content_hash"] == by_sha256sum(made)
    parameters = told["parameters"]
    assert parameters.pop("library").startswith("mlx-lm ")
    assert parameters == {
        "mode": "quantize",
        "bits": 4,
        "group_size": 32,
        "source_content_hash": sentinel(source)["content_hash"],
    }
    assert site.run("health", "./made", "--content").returncode == 0
    assert site.data("show", "./made")["model"]["quantization"]["bits"] == 4
    assert site.run("run", "./made", "hello", "--max-tokens", "4").returncode == 0
    code, kind, refused = site.refusal("convert", "./made", "./again", "--quantize", "4")
    assert (code, kind) == (2, "usage")
    assert "is quantized already" in refused
    assert not (site.root / "again").exists()


@pytest.mark.mlx
def test_a_library_that_fails_leaves_nothing(site: Site, tiny_models: Path) -> None:
    assert tiny_models.is_dir()
    project_python(site)
    site.mlxk("convert", "./tiny", "./whole", "--repair-index")
    code, kind, told = site.refusal("convert", "./whole", "./made", "--quantize", "4")
    assert (code, kind) == (2, "convert-failed")
    assert "was not converted" in told
    assert not (site.root / "made").exists()
    assert not litter(site.root)


@pytest.mark.mlx
def test_a_vision_model_is_quantized_by_mlx_vlm(
    site: Site, loopback_hub: LoopbackHub, tiny_models: Path
) -> None:
    clone_of(site, loopback_hub, tiny_models / "mlx-community" / "Qwen2-VL-tiny-fp16")
    site.mlxk("convert", "./source", "./made", "--quantize", "8", "--group-size", "32")
    made = site.root / "made"
    assert (made / "extra" / "notes.txt").read_text() == "kept"
    assert sentinel(made)["parameters"]["library"].startswith("mlx-vlm ")
    assert sentinel(made)["content_hash"] == by_sha256sum(made)
    assert site.run("health", "./made").returncode == 0


@pytest.mark.mlx
def test_a_speech_model_is_not_quantized(site: Site, loopback_hub: LoopbackHub, tiny_models: Path) -> None:
    clone_of(site, loopback_hub, tiny_models / "mlx-community" / "whisper-tiny-asr-fp16")
    code, kind, told = site.refusal("convert", "./source", "./made", "--quantize", "4")
    assert (code, kind) == (2, "usage")
    assert "only text and vision" in told
    assert not (site.root / "made").exists()


def test_without_the_library_it_says_so(site: Site) -> None:
    del site.env["PYTHONPATH"]
    site.env["PYTHONPATH"] = str(Path(__file__).parents[2])
    bare = site.root.parent / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    site.env["VIRTUAL_ENV"] = str(bare)
    shutil.rmtree(site.root / "tiny")
    files = {name: data for name, data in FILES.items() if name != INDEX}
    for name, data in files.items():
        path = site.root / "own" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    argv = ["./own", "./made", "--quantize", "4", "--origin", f"org/x@{'1' * 40}"]
    assert site.refusal("convert", *argv)[:2] == (2, "runtime-missing")
    assert not (site.root / "made").exists()
    assert not litter(site.root)
