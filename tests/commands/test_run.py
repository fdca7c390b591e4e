"""`mlxk run`: which child is started, and what it sees. The interpreter notes it; no model is loaded here."""

import json
import os
import pty
import struct
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from jsonschema import Draft202012Validator

from mlxlock.cli.laboratory import RealLaboratory
from mlxlock.cli.options import Common
from mlxlock.cli.wiring import wire
from mlxlock.commands.run import RunOptions, run
from mlxlock.errors import SandboxError
from mlxlock.ports import ignore
from mlxlock.render import Look
from mlxlock.store import DirectoryStore
from tests.commands.recording_python import RecordingPython
from tests.commands.site import ROOT, Site

CONFIGS = {
    "chat": {"model_type": "qwen2"},
    "eye": {"model_type": "qwen2_vl", "vision_config": {"depth": 1}},
    "whisper": {"model_type": "whisper"},
    "dia": {"model_type": "dia"},
    "odd": {"model_type": "qwen2", "auto_map": {"AutoTokenizer": "mine.Tokenizer"}},
    "blank": {"model_type": "nobody-knows"},
}


class Place(Site):
    """A directory with `models/` in it, and an interpreter that notes its calls."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "http://127.0.0.1:9")
        self.python = RecordingPython.make(root.parent / "venv")
        self.env |= {"VIRTUAL_ENV": str(self.python.home)}
        (root.parent / "home").mkdir()
        for name, config in CONFIGS.items():
            make_model(self.models / name, config)

    def call(self, *argv: str, more: dict[str, str] | None = None) -> dict[str, Any]:
        """How the interpreter was called by a run that succeeds."""
        done = self.run("run", *argv, more=more)
        assert done.returncode == 0, done.stderr
        return self.python.calls()[-1]


def make_model(directory: Path, config: object) -> None:
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(json.dumps(config))
    header = b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}'
    (directory / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "here")


@pytest.fixture
def wav(tmp_path: Path) -> str:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    return str(tmp_path / "a.wav")


# --- isolation ----------------------------------------------------------------------------------------------


def assert_isolated(call: dict[str, Any], cache: Path) -> None:
    """Every place that a library may look into or write to is in `.hf_cache` or in scratch."""
    env, scratch = call["env"], str(Path(call["argv"][2]).parent)
    assert env["HF_HOME"] == str(cache)
    assert env["HF_HUB_CACHE"] == str(cache / "hub")
    assert (env["HF_HUB_OFFLINE"], env["TRANSFORMERS_OFFLINE"]) == ("1", "1")
    for name in (
        "HOME",
        "HF_ASSETS_CACHE",
        "MLX_AUDIO_CACHE_DIR",
        "TORCH_HOME",
        "XDG_CACHE_HOME",
        "NLTK_DATA",
    ):
        assert env[name].startswith(f"{cache}/"), name
    for name in ("HF_MODULES_CACHE", "HF_XET_CACHE", "TMPDIR"):
        assert env[name].startswith(scratch), name
    assert not {"HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_CACHE", "HF_ENDPOINT", "HF_TOKEN"} & env.keys()
    assert all(there for name, there in call["files"].items() if name.startswith(("HF_H", "HOME", "TMP")))


@pytest.mark.parametrize(
    "spelled",
    ["./models/chat", "models/chat", "{root}/models/chat", "~/../here/models/chat", "models/chat/", "link",
     "models/../models/./chat", "../here/models/chat"],
)  # fmt: skip
def test_every_spelling_of_a_path_is_isolated_alike(place: Place, spelled: str) -> None:
    (place.root / "link").symlink_to(place.models / "chat")
    call = place.call(spelled.format(root=place.root), "hi")
    assert_isolated(call, place.models / ".hf_cache")
    assert call["job"]["model"] == str(place.models / "chat")


@pytest.mark.parametrize("spelled", [".", "./", "../chat"])
def test_from_inside_of_the_model_too(place: Place, spelled: str) -> None:
    place.root = place.root / "models" / "chat"
    assert_isolated(place.call(spelled, "hi"), place.root.parent / ".hf_cache")


@pytest.mark.parametrize(
    "inherited",
    [
        {"HF_HUB_CACHE": "/elsewhere"},
        {"HUGGINGFACE_HUB_CACHE": "/elsewhere"},
        {"HF_HOME": "/elsewhere"},
        {"HF_HOME": ""},
        {"TRANSFORMERS_CACHE": "/elsewhere", "XDG_CACHE_HOME": "/elsewhere"},
        {"HF_TOKEN": "hf_secret", "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0"},
    ],
    ids=lambda value: "+".join(f"{name}={text}" for name, text in value.items()),
)
def test_an_inherited_variable_leads_nobody_out(place: Place, inherited: dict[str, str]) -> None:
    assert_isolated(place.call("models/chat", "hi", more=inherited), place.models / ".hf_cache")


def test_a_name_in_the_workspace_home_is_isolated_in_the_home(place: Place, tmp_path: Path) -> None:
    make_model(tmp_path / "home models" / "mine", CONFIGS["chat"])
    call = place.call("mine", "hi", more={"MLXK_WORKSPACE_HOME": str(tmp_path / "home models")})
    assert_isolated(call, tmp_path / "home models" / ".hf_cache")


def test_a_name_in_a_path_of_models_is_isolated_there(place: Place, tmp_path: Path) -> None:
    make_model(tmp_path / "more" / "mine", CONFIGS["chat"])
    path = f"{tmp_path / 'nowhere'}:{tmp_path / 'more'}"
    assert_isolated(place.call("mine", "hi", more={"MLXK_MODEL_PATH": path}), tmp_path / "more" / ".hf_cache")


def test_models_of_two_workspaces_do_not_see_each_others_cache(place: Place, tmp_path: Path) -> None:
    make_model(tmp_path / "other" / "chat", CONFIGS["chat"])
    here, there = place.call("models/chat", "hi"), place.call(str(tmp_path / "other" / "chat"), "hi")
    assert_isolated(here, place.models / ".hf_cache")
    assert_isolated(there, tmp_path / "other" / ".hf_cache")
    assert not [name for name, value in there["env"].items() if str(place.models) in value]


def cached(place: Place) -> tuple[Path, dict[str, str]]:
    hub = place.root.parent / "hub"
    snapshot = hub / "models--org--talk" / "snapshots" / ("a" * 40)
    make_model(snapshot, CONFIGS["chat"])
    (hub / "models--org--talk" / "refs").mkdir()
    (hub / "models--org--talk" / "refs" / "main").write_text("a" * 40)
    return snapshot, {"HF_HUB_CACHE": str(hub)}


@pytest.mark.parametrize("spelled", ["org/talk", "talk", "{snapshot}", "link"])
def test_a_model_of_the_cache_leaves_nothing_there(place: Place, spelled: str) -> None:
    snapshot, env = cached(place)
    (place.root / "link").symlink_to(snapshot)
    before = sorted(snapshot.parents[2].rglob("*"))
    call = place.call(spelled.format(snapshot=snapshot), "hi", more=env)
    assert call["job"]["model"] == str(snapshot)
    assert call["env"]["HF_HUB_CACHE"] == env["HF_HUB_CACHE"]
    assert call["env"]["HF_HUB_OFFLINE"] == "1"
    assert call["env"]["HF_HOME"].startswith(str(Path(call["argv"][2]).parent))
    assert sorted(snapshot.parents[2].rglob("*")) == before


def test_a_workspace_cache_takes_what_a_model_of_the_cache_needs(place: Place) -> None:
    _, env = cached(place)
    assert_isolated(place.call("talk", "hi", "--workspace-cache", "mine", more=env), place.root / "mine")


def test_a_first_run_of_a_model_of_the_cache_needs_a_place(place: Place) -> None:
    _, env = cached(place)
    code, name, told = place.refusal("run", "talk", "hi", "--online", more=env)
    assert (code, name) == (2, "usage")
    assert "--workspace-cache DIR" in told


@pytest.mark.parametrize(
    ("spelled", "inherited"), [("models/chat", {"HF_HOME": ""}), ("link", {"HF_HUB_CACHE": "/elsewhere"})]
)
def test_a_conversion_loads_its_model_in_the_same_isolation(
    place: Place, spelled: str, inherited: dict[str, str]
) -> None:
    (place.root / "link").symlink_to(place.models / "chat")
    origin = ("--origin", f"org/chat@{'a' * 40}")
    place.run("convert", spelled, "out", "--quantize", "4", *origin, more=inherited)
    (call,) = place.python.calls()
    assert call["argv"][1].endswith("/convert.py")
    assert_isolated(call, place.models / ".hf_cache")


@pytest.mark.parametrize("verb", ["exec", "env"])
@pytest.mark.parametrize(
    "inherited", [{"HF_HUB_CACHE": "/e"}, {"HUGGINGFACE_HUB_CACHE": "/e"}, {"HF_HOME": ""}], ids=str
)
def test_other_programs_are_led_into_the_workspace_too(
    place: Place, verb: str, inherited: dict[str, str]
) -> None:
    place.write("")
    show = 'echo "$HF_HOME|$HF_HUB_CACHE|$HUGGINGFACE_HUB_CACHE|$HF_HUB_OFFLINE"'
    if verb == "exec":
        told = place.run("exec", "--", "sh", "-c", show, more=inherited).stdout
    else:
        lines = place.run("env", more=inherited).stdout
        told = subprocess.run(
            ["sh", "-c", f"{lines}{show}"], env=inherited, capture_output=True, text=True, check=True
        ).stdout
    cache = place.models / ".hf_cache"
    assert told.strip() == f"{cache}|{cache}/hub||1"


# --- a sandbox that is not there ----------------------------------------------------------------------------


class NoSandboxHere(RealLaboratory):
    """A machine on which no sandbox works."""

    def sandbox(self) -> NoReturn:
        raise SandboxError("no sandbox works here")


def test_without_a_sandbox_nothing_runs_that_shall_have_no_network(place: Place) -> None:
    os.environ |= {"VIRTUAL_ENV": str(place.python.home), "HOME": place.env["HOME"]}
    os.environ["MLXK_STORE_DIR"] = str(place.store)
    common = Common(look=Look(), project=place.root, named_project=False, offline="a test", jobs=1)
    ports = wire(common, ignore, project=place.root)
    laboratory = NoSandboxHere(
        project=place.root,
        store_dir=place.store,
        store=DirectoryStore(place.store),
        web=ports.web,
        sandboxed=True,
        on_event=ignore,
    )
    options = RunOptions(model=str(place.models / "chat"), prompt="hi", no_network=True)
    with pytest.raises(SandboxError):
        run(None, replace(ports, laboratory=lambda: laboratory), options)
    assert place.python.calls() == []


# --- what is asked ------------------------------------------------------------------------------------------


def test_text_goes_to_stdout_and_noise_nowhere(place: Place) -> None:
    done = place.run("run", "models/chat", "hi")
    assert (done.stdout, done.stderr) == ("an answer\n", "")
    assert place.run("run", "-v", "models/chat", "hi").stderr == "noise of a library\n"


def test_options_reach_the_runner(place: Place, tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    options = ("--system", "s", "--max-tokens", "7", "--temperature", "0.5", "--seed", "3")
    job = place.call("models/eye", "what?", "--image", "../a.png", *options)["job"]
    expected = {"kind": "vision", "prompt": "what?", "image": str(tmp_path / "here/../a.png"), "system": "s"}
    expected |= {"max_tokens": 7, "temperature": 0.5, "seed": 3, "stream": True, "exercise": False}  # type: ignore[dict-item]
    assert {name: job[name] for name in expected} == expected
    assert job["trust_remote_code"] is False


def test_a_transcript_is_as_long_as_it_is(place: Place, wav: str) -> None:
    assert place.call("models/whisper", "--audio", wav, "--language", "en")["job"]["max_tokens"] is None
    assert place.call("models/chat", "hi")["job"]["max_tokens"] == 512


def test_speech_gets_its_place_whole(place: Place) -> None:
    told = place.mlxk("run", "models/dia", "say this", "--output", "said.wav", "--voice", "v")
    assert "wrote `said.wav`" in told
    assert (place.root / "said.wav").read_bytes() == b"RIFF sound"
    assert sorted(path.name for path in place.root.iterdir()) == ["models", "said.wav"]
    place.python.answer(1, error={"type": "ValueError", "message": "no", "phase": "load"})
    assert place.run("run", "models/dia", "say this", "--output", "said.wav").returncode == 1
    assert (place.root / "said.wav").read_bytes() == b"RIFF sound"


@pytest.mark.parametrize("piped", [(), ("-",)])
def test_a_prompt_comes_from_stdin(place: Place, piped: tuple[str, ...]) -> None:
    command = place.command("run", "models/chat", *piped)
    subprocess.run(command, cwd=place.root, env=place.env, input=b"from \xc3\xa4 pipe\n", check=True)
    assert place.python.calls()[-1]["job"]["prompt"] == "from \xe4 pipe"


def test_on_a_terminal_without_a_prompt_it_is_a_chat(place: Place) -> None:
    ours, theirs = pty.openpty()
    command = place.command("run", "models/chat", "--system", "s")
    with os.fdopen(ours), os.fdopen(theirs) as terminal:
        subprocess.run(command, cwd=place.root, env=place.env, stdin=terminal, check=True, timeout=240)
    (call,) = place.python.calls()
    assert call["job"]["tame"] is False
    assert call["argv"][1].endswith("/chat.py")
    assert call["job"]["system"] == "s"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("models/chat", "hi", "--voice", "x"), "`--voice` is not for `text` models"),
        (("models/eye", "hi", "--output", "x.wav"), "`--output` is not for `vision` models"),
        (("models/whisper",), "it needs `--audio`"),
        (("models/dia", "hi"), "it needs `--output`"),
        (("models/dia", "--output", "x.wav"), "it needs a prompt"),
        (("models/dia", "hi", "--output", "nowhere/x.wav"), "cannot be written"),
        (("models/chat",), "it needs a prompt"),
        (("models/blank", "hi"), "nothing tells what it is for"),
        (("models/chat", "hi", "--online", "--no-network"), "contradict"),
        (("./models", "hi"), "holds models, and is none itself"),
        (("nobody", "hi"), "no model `nobody`"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(
    place: Place, argv: tuple[str, ...], says: str
) -> None:
    code, name, told = place.refusal("run", *argv)
    assert (code, name) == (2, "usage")
    assert says in told
    assert place.python.calls() == []


def test_a_model_that_is_not_whole_is_told_as_health_tells_it(place: Place) -> None:
    (place.models / "chat" / "config.json").write_text("{broken")
    code, name, told = place.refusal("run", "models/chat", "hi")
    assert (code, name) == (1, "unhealthy")
    (model,) = json.loads(place.run("health", "./models/chat", "--json").stdout)["data"]["models"]
    assert [problem for problem in model["problems"] if problem not in json.loads(told)["details"]] == []


def test_a_model_that_is_declared_and_not_locked_is_told_as_such(place: Place) -> None:
    place.write('[models.vl]\nrepo = "org/vl"\n')
    code, name, told = place.refusal("run", "vl", "hi")
    assert (code, name) == (2, "usage")
    assert "`vl` is in `models.toml`, and not locked yet" in told
    assert "run `mlxk lock`" in told


def test_a_kind_can_be_said(place: Place) -> None:
    assert place.call("models/blank", "hi", "--kind", "text")["job"]["kind"] == "text"


def test_a_config_that_is_nested_too_deeply_is_an_answer_and_no_bug(place: Place) -> None:
    (place.models / "blank" / "config.json").write_text('{"a":' * 100_000)
    assert place.refusal("run", "models/blank", "hi")[:2] == (1, "unhealthy")
    code, kind, told = place.refusal("run", "models/blank", "hi", "--kind", "text")
    assert (code, kind) == (1, "policy")
    assert "nested too deeply" in told


def test_code_of_a_repo_runs_only_when_it_is_trusted(place: Place) -> None:
    code, name, told = place.refusal("run", "models/odd", "hi")
    assert (code, name) == (1, "policy")
    assert "mine.Tokenizer" in told
    assert "--trust-remote-code" in told
    assert place.python.calls() == []
    assert place.call("models/odd", "hi", "--trust-remote-code")["job"]["trust_remote_code"] is True


# --- what comes out -----------------------------------------------------------------------------------------


def test_the_childs_exit_code_is_ours_and_its_error_one_sentence(place: Place) -> None:
    place.python.answer(7, error={"type": "ValueError", "message": "bad\nweights", "phase": "load"})
    done = place.run("run", "models/chat", "hi")
    assert done.returncode == 7
    assert done.stderr.startswith("error: `chat` failed in load: ValueError: bad weights\n")
    assert "Traceback" not in done.stderr
    assert place.refusal("run", "models/chat", "hi")[:2] == (7, "child-failed")


def test_a_child_that_says_nothing_is_told_by_its_last_words(place: Place) -> None:
    place.python.answer(9)
    assert "exit code 9: noise of a library" in place.run("run", "models/chat", "hi").stderr


def test_a_missing_library_is_ours_to_tell(place: Place) -> None:
    place.python.answer(
        3, error={"type": "missing-library", "message": "mlx-lm is not installed", "phase": "x"}
    )
    code, name, told = place.refusal("run", "models/chat", "hi")
    assert (code, name) == (2, "runtime-missing")
    assert "bin/python -m pip install mlx-lm`" in told


def test_a_reader_that_has_enough_is_no_error(place: Place) -> None:
    place.python.answer(1, error={"type": "BrokenPipeError", "message": "", "phase": "generate"})
    done = place.run("run", "models/chat", "hi")
    assert (done.returncode, done.stderr) == (0, "")


def test_json_is_as_described(place: Place) -> None:
    schema = json.loads((ROOT / "schemas/output.schema.json").read_text())
    for argv, code in (
        (("models/chat", "hi"), 0),
        (("models/dia", "hi", "--output", "x.wav"), 0),
        (("gone",), 2),
    ):
        done = place.run("run", *argv, "--json")
        assert done.returncode == code
        Draft202012Validator(schema).validate(json.loads(done.stdout))


def test_json_holds_the_answer_and_nothing_is_printed_beside_it(place: Place) -> None:
    data = place.data("run", "models/chat", "hi")
    assert (data["text"], data["kind"], data["exit_code"], data["appeared"]) == ("an answer", "text", 0, None)
    assert place.python.calls()[-1]["job"]["stream"] is False


def test_a_runner_is_told_when_its_text_ends_on_a_terminal(place: Place) -> None:
    ours, theirs = pty.openpty()
    command = place.command("run", "models/chat", "hi")
    with os.fdopen(ours), os.fdopen(theirs) as terminal:
        subprocess.run(
            command, cwd=place.root, env=place.env, stdin=subprocess.DEVNULL, stdout=terminal, check=True
        )
    assert place.python.calls()[-1]["job"]["tame"] is True
