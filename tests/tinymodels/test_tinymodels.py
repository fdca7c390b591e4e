"""The tiny models are the same on every build, look like real repos, and run in the unmodified libraries."""

import hashlib
import json
import os
import subprocess
import sys
import wave
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.tinymodels import MODELS
from tests.tinymodels.hfcache import lay_out_cache
from tests.tinymodels.media import write_png, write_wav

pytestmark = pytest.mark.mlx

_FIRST_RUN = Path(__file__).with_name("first_run.py")
_REPOS = sorted({repo for model in MODELS.values() for repo in (model.repo, *model.needs)})


def _digests(tree: Path) -> Mapping[str, str]:
    files = (path for path in tree.rglob("*") if path.is_file())
    return {str(path.relative_to(tree)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_second_build_gives_the_same_bytes(tiny_models: Path, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-m", "tests.tinymodels", str(tmp_path)]
    built = subprocess.run(command, env=env, check=True, capture_output=True, text=True, timeout=240)
    assert sorted(set(built.stdout.split())) == _REPOS
    assert _digests(tmp_path) == _digests(tiny_models)


def test_the_bytes_do_not_depend_on_the_machine(tiny_models: Path, tmp_path: Path) -> None:
    repo = tiny_models / MODELS["text"].repo
    made = (
        repo / "model.safetensors",
        repo / "tokenizer.json",
        write_wav(tmp_path / "a"),
        write_png(tmp_path / "b"),
    )
    assert [hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in made] == [
        "332b2c497014f38d", "7f14b34ad3614b7c", "1888f1aeec640b18", "96be87a7e7e94c95",
    ]  # fmt: skip


def test_one_model_alone_is_built_as_among_the_others(tiny_models: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.tinymodels", str(tmp_path), "text"]
    subprocess.run(command, check=True, capture_output=True, timeout=240)
    repo = MODELS["text"].repo
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*")] == [repo]
    assert _digests(tmp_path / repo) == _digests(tiny_models / repo)


def test_the_command_line_names_an_unknown_model(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.tinymodels", str(tmp_path), "text", "llama"]
    refused = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
    assert (refused.returncode, list(tmp_path.iterdir())) == (2, [])
    assert "unknown models: llama" in refused.stderr


@pytest.mark.parametrize("repo", _REPOS)
def test_each_repo_has_the_small_files_of_a_real_one(tiny_models: Path, repo: str) -> None:
    card = (tiny_models / repo / "README.md").read_text()
    assert card.startswith("---\nlicense: ")
    assert "filter=lfs" in (tiny_models / repo / ".gitattributes").read_text()
    for path in (tiny_models / repo).glob("*.json"):
        assert isinstance(json.loads(path.read_bytes()), list if path.name == "Cangjie5_TC.json" else dict)


def test_a_tokenizer_reads_back_what_it_wrote(tiny_models: Path) -> None:
    code = (
        "import sys; from tokenizers import Tokenizer; t = Tokenizer.from_file(sys.argv[1]);"
        "ids = t.encode('describe this image: é<|im_end|>').ids; print(len(ids), t.decode(ids, False))"
    )
    path = tiny_models / MODELS["text"].repo / "tokenizer.json"
    result = subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True, timeout=240)
    count, text = result.stdout.decode().rstrip("\n").split(" ", 1)
    assert text == "describe this image: é<|im_end|>"
    assert int(count) < 20  # whole words, not bytes


def test_the_media_are_what_they_claim(tmp_path: Path) -> None:
    with wave.open(str(write_wav(tmp_path / "a.wav")), "rb") as sound:
        assert (sound.getframerate(), sound.getnframes(), sound.getnchannels()) == (16_000, 16_000, 1)
        assert len(set(sound.readframes(40))) > 10  # not silent
    code = "import sys; from PIL import Image; i = Image.open(sys.argv[1]); i.load(); print(i.size, i.mode)"
    picture = write_png(tmp_path / "a.png")
    result = subprocess.run(
        [sys.executable, "-c", code, picture], check=True, capture_output=True, timeout=240
    )
    assert result.stdout.decode().strip() == "(56, 56) RGB"


# The others take more from the Hub than a cache laid out by hand offers, and run in `tests/hidden`.
@pytest.mark.parametrize("name", ["text", "vision", "whisper", "vibevoice", "dia", "moondream2"])
def test_each_model_generates_offline(tiny_models: Path, tmp_path: Path, name: str) -> None:
    result = _first_run(tiny_models, tmp_path, name, with_needs=True)
    assert result.returncode == 0, result.stderr[-2000:]


@pytest.mark.parametrize("name", ["vibevoice", "dia"])
def test_a_hidden_repo_is_really_needed(tiny_models: Path, tmp_path: Path, name: str) -> None:
    result = _first_run(tiny_models, tmp_path, name, with_needs=False)
    assert result.returncode == 1
    assert "offline" in result.stderr.lower()


def _first_run(tree: Path, scratch: Path, name: str, *, with_needs: bool) -> subprocess.CompletedProcess[str]:
    model = MODELS[name]
    media = write_png(scratch / "a.png") if model.kind == "vision" else write_wav(scratch / "a.wav")
    hf_home = lay_out_cache(tree, scratch / "hf", model.needs if with_needs else ())
    env = {**os.environ, "HF_HOME": str(hf_home), "HF_HUB_CACHE": str(hf_home / "hub"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, str(_FIRST_RUN), model.kind, str(tree / model.repo), str(media)]
    return subprocess.run(command, env=env, check=False, capture_output=True, text=True, timeout=240)
