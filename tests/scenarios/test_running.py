"""Models really run: text, vision, speech to text and text to speech, by path, by name and from the lock.

The Hub is there for one first run with `--online`; everything else happens without it.
"""

import json
import re
import shutil
import socket
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.site import ROOT, Site
from tests.testhub import LoopbackHub
from tests.tinymodels import MODELS
from tests.tinymodels.hfcache import lay_out_cache

pytestmark = pytest.mark.mlx

NAMES = ("text", "vision", "whisper", "dia")
TOKEN = "hf_the_parents"  # noqa: S105 - the Hub is the test's own
SPEECH = str(ROOT / "mlxlock/runners/media/hello.wav")
PICTURE = str(ROOT / "mlxlock/runners/media/square.png")
ASKED = {
    "text": ("Hello there", "--max-tokens", "8"),
    "vision": ("What is this?", "--image", PICTURE, "--max-tokens", "8"),
    "whisper": ("--audio", SPEECH),
    "dia": ("[S1] hello", "--output", "said.wav"),
}
MANIFEST = "".join(f'[models.{name}]\nrepo = "{MODELS[name].repo}"\n' for name in NAMES)
FIVE = ["config.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "vocab.json"]


def basename(name: str) -> str:
    return MODELS[name].repo.partition("/")[2]


class Desk(Site):
    """A directory with `models/` in it, and no Hub unless one is named."""

    def __init__(self, root: Path, tree: Path, *names: str, endpoint: str = "http://127.0.0.1:9") -> None:
        super().__init__(root, endpoint)
        self.env |= {"VIRTUAL_ENV": str(Path(sys.executable).parents[1]), "HF_HUB_CACHE": "/nowhere"}
        self.heard: dict[str, bytes] = {}
        for name in names:
            shutil.copytree(tree / MODELS[name].repo, self.models / basename(name))

    def said_by_path(self, name: str) -> bytes:
        """What a run by path says, which is always the same."""
        if name not in self.heard:
            self.heard[name] = self.said(f"models/{basename(name)}", name)
        return self.heard[name]

    def said(self, model: str, name: str, *more: str) -> bytes:
        """What a run says: its text, or its sound."""
        told = self.mlxk("run", model, *ASKED[name], *more)
        if name != "dia":
            return told.encode()
        with wave.open(str(self.root / "said.wav"), "rb") as sound:
            frames = sound.readframes(sound.getnframes())
        (self.root / "said.wav").unlink()
        return frames


@pytest.fixture(scope="module")
def hub(tiny_models: Path) -> Iterator[LoopbackHub]:
    with LoopbackHub() as served:
        served.load_tree(tiny_models)
        yield served


@pytest.fixture(scope="module")
def desk(tiny_models: Path, hub: LoopbackHub, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Every kind, Dia's codec having been fetched by a first run."""
    made = Desk(tmp_path_factory.mktemp("desk") / "here", tiny_models, *NAMES)
    done = made.run(
        "run", f"models/{basename('dia')}", *ASKED["dia"], "--online", more={"HF_ENDPOINT": hub.endpoint}
    )
    assert done.returncode == 0, done.stderr
    assert "mlx-community/descript-audio-codec-44khz @" in done.stderr
    return made


@pytest.fixture(scope="module")
def locked(hub: LoopbackHub, desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A synced project of the same models, with the same `.hf_cache`."""
    made = Desk(tmp_path_factory.mktemp("locked") / "project", Path("/nowhere"))
    made.write(MANIFEST)
    for verb in (("lock", "--no-capture"), ("sync",)):
        assert made.run(*verb, more={"HF_ENDPOINT": hub.endpoint}).returncode == 0
    codec = "hub/models--mlx-community--descript-audio-codec-44khz"
    shutil.copytree(desk.models / ".hf_cache" / codec, made.models / ".hf_cache" / codec, symlinks=True)
    return made


@pytest.mark.parametrize("name", NAMES)
def test_a_model_says_the_same_by_path_by_name_and_from_the_lock(desk: Desk, locked: Desk, name: str) -> None:
    by_path = desk.said_by_path(name)
    assert by_path.strip()
    desk.env["MLXK_WORKSPACE_HOME"] = str(desk.models)
    assert desk.said(basename(name), name) == by_path
    assert locked.said(name, name) == by_path


# --- a first run --------------------------------------------------------------------------------------------


@pytest.fixture
def asr(tiny_models: Path, hub: LoopbackHub, tmp_path: Path) -> Desk:
    return Desk(tmp_path / "here", tiny_models, "vibevoice", endpoint=hub.endpoint)


RUN_ASR = ("run", f"./models/{basename('vibevoice')}", "--audio", SPEECH, "--max-tokens", "8")


def test_a_first_run_says_what_it_fetched_and_the_next_that_it_fetched_nothing(asr: Desk) -> None:
    refused = asr.run(*RUN_ASR)
    assert refused.returncode == 1
    assert (
        "it asks for `Qwen/Qwen2.5-7B`, which is not here: `--online` lets it fetch that once"
        in refused.stderr
    )
    first = asr.run(*RUN_ASR, "--online")
    assert re.search(rf"Qwen/Qwen2.5-7B @ [0-9a-f]{{12}}: 5 files \({', '.join(FIVE)}\)", first.stderr)
    assert first.stdout.strip()
    assert "nothing new in" in asr.run(*RUN_ASR, "--online").stderr


def test_a_first_run_keeps_to_the_commit_that_is_there(tiny_models: Path, tmp_path: Path) -> None:
    with LoopbackHub() as hub:
        hub.load_tree(tiny_models)
        desk = Desk(tmp_path / "here", tiny_models, "vibevoice", endpoint=hub.endpoint)
        desk.mlxk(*RUN_ASR, "--online")
        cache = desk.models / ".hf_cache/hub/models--Qwen--Qwen2.5-7B"
        commit = (cache / "refs/main").read_text()
        files = {path.name: path.read_bytes() for path in (cache / "snapshots" / commit).iterdir()}
        (cache / "snapshots" / commit / "vocab.json").unlink()
        repo = next(repo for repo in hub._state.repos.values() if repo.id == "Qwen/Qwen2.5-7B")
        repo.commit(
            {name: data for name, data in files.items() if name != "vocab.json"} | {"vocab.json": b"{}"}
        )
        desk.mlxk(*RUN_ASR, "--online")
        assert (cache / "refs/main").read_text() == commit
        assert (cache / "snapshots" / commit / "vocab.json").read_bytes() == files["vocab.json"]


def test_a_token_opens_a_gated_repo_and_is_seen_by_nobody(tiny_models: Path, tmp_path: Path) -> None:
    with LoopbackHub() as hub:
        hub.load_tree(tiny_models)
        next(repo for repo in hub._state.repos.values() if repo.id == "Qwen/Qwen2.5-7B").gated = "auto"
        hub.user(TOKEN, grants=["Qwen/Qwen2.5-7B"])
        desk = Desk(tmp_path / "here", tiny_models, "vibevoice", endpoint=hub.endpoint)
        refused = desk.run(*RUN_ASR, "--online")
        assert refused.returncode == 1
        assert "`Qwen/Qwen2.5-7B`" in refused.stderr.partition("hint:")[2]
        opened = desk.run(*RUN_ASR, "--online", more={"MLXK_ENDPOINT_TOKEN": TOKEN})
        assert opened.returncode == 0, opened.stderr
        kept = [path for path in desk.root.parent.rglob("*") if path.is_file()]
        assert not [path for path in kept if TOKEN.encode() in path.read_bytes()]


def test_a_silent_miss_is_told(tiny_models: Path, tmp_path: Path) -> None:
    desk = Desk(tmp_path / "here", tiny_models, "moondream2")
    done = desk.run("run", f"models/{basename('moondream2')}", "Hello", "--max-tokens", "4")
    assert done.returncode == 0
    assert "warning: `moondream2-tiny` asked for `moondream/starmie-v1`, which is not here" in done.stderr


@pytest.mark.parametrize(("flag", "runs"), [((), False), (("--trust-remote-code",), True)])
def test_code_of_a_second_repo_runs_only_when_it_is_trusted_whatever_the_library_trusts(
    tiny_models: Path, tmp_path: Path, flag: tuple[str, ...], runs: bool
) -> None:
    desk = Desk(tmp_path / "here", tiny_models, "vibevoice")
    lay_out_cache(tiny_models, desk.models / ".hf_cache", ["Qwen/Qwen2.5-7B"])
    (snapshot,) = desk.models.glob(".hf_cache/hub/*/snapshots/*")
    config = json.loads((snapshot / "tokenizer_config.json").read_bytes())
    config["auto_map"] = {"AutoTokenizer": ["odd.Odd", None]}
    (snapshot / "tokenizer_config.json").write_text(json.dumps(config))
    code = (
        f"open({str(tmp_path / 'it-ran')!r}, 'w').close()\nfrom transformers import Qwen2Tokenizer as Odd\n"
    )
    (snapshot / "odd.py").write_text(code)
    done = desk.run(*RUN_ASR, *flag)
    assert (tmp_path / "it-ran").exists() is runs, done.stderr
    if not runs:
        assert done.returncode == 1
        assert "`Qwen/Qwen2.5-7B` would execute code that it ships: `odd.Odd`" in done.stderr
        assert "--trust-remote-code" in done.stderr


# --- no network ---------------------------------------------------------------------------------------------

TRY = """
import os, socket
try:
    socket.create_connection(("127.0.0.1", {port}), timeout=5)
    said = "connected"
except OSError:
    said = "refused"
open(os.path.join(os.environ["HOME"], "said"), "w").write(said)
raise SystemExit(0)
"""


@pytest.mark.sandbox
@pytest.mark.parametrize(("flag", "says"), [((), "connected"), (("--no-network",), "refused")])
def test_a_program_that_ignores_the_variables_has_no_network_when_a_sandbox_says_so(
    tiny_models: Path, tmp_path: Path, flag: tuple[str, ...], says: str
) -> None:
    desk = Desk(tmp_path / "here", tiny_models, "vision")
    model = desk.models / basename("vision")
    config = (model / "config.json").read_text()
    (model / "config.json").write_text(config.replace("{", '{"model_file": "odd.py",', 1))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        (model / "odd.py").write_text(TRY.format(port=listener.getsockname()[1]))
        desk.run("run", str(model), "Hello", "--trust-remote-code", *flag)
    assert (desk.models / ".hf_cache/home/said").read_text() == says


@pytest.mark.sandbox
def test_without_a_network_a_model_says_the_same(desk: Desk) -> None:
    assert desk.said(f"models/{basename('dia')}", "dia", "--no-network") == desk.said_by_path("dia")
    assert [path.name for path in desk.root.iterdir()] == ["models"]


@pytest.mark.sandbox
@pytest.mark.parametrize("beside", [(), ("--workspace-cache", "mine")], ids=["alone", "beside a cache"])
def test_without_a_network_a_model_of_the_cache_says_the_same(
    desk: Desk, tiny_models: Path, tmp_path: Path, beside: tuple[str, ...]
) -> None:
    repo = MODELS["text"].repo
    lay_out_cache(tiny_models, tmp_path, [repo])
    (snapshot,) = tmp_path.glob("hub/*/snapshots/*")
    for path in list(snapshot.iterdir()):
        blob = snapshot.parents[1] / "blobs" / path.name
        blob.parent.mkdir(exist_ok=True)
        path.rename(blob)
        path.symlink_to(f"../../blobs/{path.name}")
    here = Desk(tmp_path / "here", tiny_models)
    here.env["HF_HUB_CACHE"] = str(tmp_path / "hub")
    assert here.said(repo, "text", "--no-network", *beside) == desk.said_by_path("text")


LOOK = """
import os
said = []
for name in (".git/config", ".env", "sub/.env.local"):
    try:
        said.append(open(os.path.join(os.path.dirname(__file__), name)).read())
    except OSError:
        pass
open(os.path.join(os.environ["HOME"], "said"), "w").write(" ".join(said))
raise SystemExit(0)
"""


@pytest.mark.sandbox
@pytest.mark.parametrize(("flag", "says"), [((), "one two three"), (("--no-network",), "")])
def test_without_a_network_a_models_code_reads_no_credentials_beside_it(
    tiny_models: Path, tmp_path: Path, flag: tuple[str, ...], says: str
) -> None:
    desk = Desk(tmp_path / "here", tiny_models, "vision")
    model = desk.models / basename("vision")
    config = (model / "config.json").read_text()
    (model / "config.json").write_text(config.replace("{", '{"model_file": "odd.py",', 1))
    (model / "odd.py").write_text(LOOK)
    for name, secret in ((".git/config", "one"), (".env", "two"), ("sub/.env.local", "three")):
        (model / name).parent.mkdir(exist_ok=True)
        (model / name).write_text(secret)
    desk.run("run", str(model), "Hello", "--trust-remote-code", *flag)
    assert (desk.models / ".hf_cache/home/said").read_text() == says
