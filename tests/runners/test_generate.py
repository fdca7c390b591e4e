"""`generate.py` really generates with unmodified libraries, says the same twice, and fails when it must."""

import json
import shutil
import wave
from pathlib import Path

import pytest

from tests.runners.driver import RUNNERS, Driver, Ran
from tests.tinymodels import MODELS
from tests.tinymodels.media import write_png

pytestmark = pytest.mark.mlx


@pytest.fixture
def driver(tiny_models: Path, tmp_path: Path) -> Driver:
    """Runs jobs below a fresh folder."""
    return Driver(tiny_models, tmp_path)


# The others take more from the Hub than a cache laid out by hand offers, and run in `tests/hidden`.
@pytest.mark.parametrize("name", ["text", "vision", "whisper", "vibevoice", "dia", "moondream2"])
def test_two_processes_say_the_same(driver: Driver, name: str) -> None:
    first, second = (driver.run_model(name) for _ in range(2))
    assert first.output == second.output
    assert (first.result["ok"], first.result["kind"], first.phase) == (True, MODELS[name].kind, "generate")
    assert first.stdout == ""
    phases = first.result["phases"]
    assert isinstance(phases, dict)
    assert list(phases) == ["import", "load", "generate"]


@pytest.mark.parametrize("name", ["text", "vision", "moondream2"])
def test_tokens_are_counted_and_the_input_has_a_digest(driver: Driver, name: str) -> None:
    output = driver.run_model(name, max_tokens=11).output
    assert (output["tokens"], output["samples"]) == (11, None)
    assert str(output["input_digest"]).startswith("sha256:")
    assert output["text"]


@pytest.mark.parametrize("name", ["whisper", "vibevoice"])
def test_a_recording_gives_a_transcript(driver: Driver, name: str) -> None:
    output = driver.run_model(name).output
    assert output["text"]
    assert output["samples"] is None
    assert str(output["input_digest"]).startswith("sha256:")


def test_a_transcript_that_was_cut_short_is_not_one_that_ended(driver: Driver) -> None:
    for most in (1, 9):
        output = driver.run_model("vibevoice", max_tokens=most).output
        assert (output["tokens"], output["ended"]) == (most, False)


def test_speech_is_counted_and_written(driver: Driver) -> None:
    path = driver.scratch / "said.wav"
    output = driver.run_model("dia", wav=str(path)).output
    with wave.open(str(path), "rb") as sound:
        assert (sound.getnframes(), sound.getframerate()) == (output["samples"], 44_100)
        assert len(set(sound.readframes(2000))) > 100  # not silent
    assert (output["tokens"], output["text"], output["input_digest"]) == (None, "", None)


def test_digests_follow_the_prompt(driver: Driver) -> None:
    plain, other = driver.run_model("text"), driver.run_model("text", prompt="hello fox")
    system = driver.run_model("text", system="please describe")
    assert len({str(ran.output["digest"]) for ran in (plain, other, system)}) == 3
    assert len({str(ran.output["input_digest"]) for ran in (plain, other, system)}) == 3


def test_digests_follow_the_picture(driver: Driver) -> None:
    small = str(write_png(driver.scratch / "small.png", side=28))
    whole, other = driver.run_model("vision").output, driver.run_model("vision", image=small).output
    assert whole["digest"] != other["digest"]
    assert whole["input_digest"] != other["input_digest"]  # fewer patches, fewer tokens


def test_greedy_ignores_the_seed_and_sampling_follows_it(driver: Driver) -> None:
    def digest(seed: int, temperature: float) -> object:
        return driver.run_model("text", seed=seed, temperature=temperature).output["digest"]

    assert digest(1, 0.0) == digest(2, 0.0)
    assert digest(1, 3.0) == digest(1, 3.0) != digest(2, 3.0)


@pytest.mark.parametrize("name", ["text", "vision", "whisper"])
def test_a_stream_prints_the_text_and_nothing_else(driver: Driver, name: str) -> None:
    ran = driver.run_model(name, stream=True, exercise=True)
    assert ran.stdout.rstrip("\n") == str(ran.output["text"]).rstrip("\n") != ""


@pytest.mark.parametrize("name", ["text", "vision"])
def test_an_exercise_does_not_end_before_eight_tokens(driver: Driver, name: str) -> None:
    model = _copy(driver, name)
    for file in ("config.json", "generation_config.json"):
        if (model / file).exists():
            _edit(model / file, eos_token_id=list(range(320)))
    exercised = driver.run_model(name, model=str(model))
    natural = driver.run_model(name, model=str(model), stream=True)
    assert int(str(exercised.output["tokens"])) >= 8
    assert int(str(natural.output["tokens"])) < 8


def test_a_hidden_repo_that_is_missing_fails_the_load(driver: Driver) -> None:
    model = driver.tree / MODELS["dia"].repo
    ran = driver.run({"kind": "tts", "model": str(model), "prompt": "[S1] hello"})
    assert (ran.code, ran.result["ok"], ran.phase) == (1, False, "load")
    assert ran.error["phase"] == "load"
    assert "Traceback" in ran.stderr


def test_a_swallowed_miss_shows_in_the_input(driver: Driver) -> None:
    whole = driver.run_model("moondream2")
    starved = driver.run(
        {
            "kind": "vision",
            "model": str(driver.tree / MODELS["moondream2"].repo),
            "prompt": "hello world",
            "image": str(driver.scratch / "a.png"),
        }
    )
    # mlx-vlm takes the wrong tokenizer and goes on; only what the model was told gives it away.
    assert starved.code == 0
    assert starved.output["input_digest"] != whole.output["input_digest"]


def test_a_library_that_exits_has_failed(driver: Driver) -> None:
    model = _copy(driver, "vision")
    (model / "odd.py").write_text("raise SystemExit(0)\n")
    _edit(model / "config.json", model_file="odd.py")
    ran = driver.run_model("vision", model=str(model))
    assert (ran.code, ran.error["type"], ran.error["phase"]) == (1, "library-exit", "load")


@pytest.mark.parametrize(("trusts", "runs"), [(False, False), (True, True)])
def test_a_models_own_tokenizer_code_runs_only_when_trusted(
    driver: Driver, *, trusts: bool, runs: bool
) -> None:
    model = _copy(driver, "vision")
    marker = driver.scratch / "it-ran"
    code = (
        f"open({str(marker)!r}, 'w').close()",
        "print('noise')",
        "from transformers import Qwen2Tokenizer as Odd",
    )
    (model / "odd.py").write_text("\n".join(code))
    _edit(model / "tokenizer_config.json", auto_map={"AutoTokenizer": ["odd.Odd", None]})
    ran = driver.run_model("vision", model=str(model), trust_remote_code=trusts)
    assert marker.exists() is runs, ran.stderr[-1000:]
    assert (ran.stdout, "noise" in ran.stderr) == ("", runs)


@pytest.mark.parametrize("kind", ["text", "vision", "stt", "tts"])
def test_a_missing_library_is_named_with_its_interpreter(driver: Driver, kind: str) -> None:
    ran = driver.run({"kind": kind, "model": str(driver.tree)}, flags=["-I", "-S"])
    assert (ran.code, ran.error["type"], ran.phase) == (3, "missing-library", "import")
    assert "is not installed in /" in str(ran.error["message"])
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("text", {"voice": "alice"}),
        ("vision", {"audio": "a.png"}),
        ("whisper", {"system": "be brief"}),
        ("vibevoice", {"language": "en"}),
        ("dia", {"language": "en"}),
    ],
)
def test_what_a_model_cannot_do_is_refused(driver: Driver, name: str, wrong: dict[str, str]) -> None:
    (driver.scratch / "a.png").touch()
    job = {option: value.replace("a.png", str(driver.scratch / "a.png")) for option, value in wrong.items()}
    _assert_refused(driver.run_model(name, **job), next(iter(wrong)))


@pytest.mark.parametrize(
    ("name", "options", "refused"),
    [
        ("text", {"vad": True}, "vad"),
        ("vision", {"ref_text": "z"}, "ref-text"),
        ("vibevoice", {"vad": True}, "vad"),
        ("vibevoice", {"ref_text": "z"}, "ref-text"),
        ("dia", {"ref_text": "hello", "vad": True}, "vad"),
    ],
)
def test_an_option_that_the_library_does_not_name_is_refused(
    driver: Driver, name: str, options: dict[str, object], refused: str
) -> None:
    _assert_refused(driver.run_model(name, options=options), refused)


def test_vad_reaches_the_library_which_then_asks_for_its_detector(driver: Driver) -> None:
    audio = str(RUNNERS / "media" / "hello.wav")
    assert driver.run_model("cohere", audio=audio, options={"vad": False}).output["tokens"] == 16
    ran = driver.run_model("cohere", audio=audio, options={"vad": True})
    assert (ran.code, ran.error["type"], ran.phase) == (1, "LocalEntryNotFoundError", "generate")
    assert "/cohere_asr/vad.py" in ran.stderr


def _assert_refused(ran: Ran, option: str) -> None:
    assert (ran.code, ran.error["type"], ran.error["phase"]) == (1, "unsupported-option", "generate")
    assert f"`{option}`" in str(ran.error["message"])


@pytest.mark.parametrize(
    ("name", "lacking"), [("whisper", {"audio": None}), ("dia", {"prompt": ""})]
)  # fmt: skip
def test_what_a_kind_needs_is_asked_for(driver: Driver, name: str, lacking: dict[str, object]) -> None:
    ran = driver.run_model(name, **lacking)
    assert (ran.code, ran.error["type"]) == (1, "bad-job")


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "music"},
        {"kind": "../kind_text"},
        {"moddel": "x"},
        {"model": "/nowhere/at/all"},
        {"max_tokens": 0},
        {"max_tokens": "many"},
        {"seed": -1},
        {"trust_remote_code": "false"},
    ],
)
def test_a_bad_job_is_refused_before_anything_runs(driver: Driver, change: dict[str, object]) -> None:
    ran: Ran = driver.run({"kind": "text", "model": str(driver.tree), **change})
    assert (ran.code, ran.result, ran.phase) == (2, {}, None)
    assert ran.stderr.startswith("error: ")


def _copy(driver: Driver, name: str) -> Path:
    repo = MODELS[name].repo
    return shutil.copytree(driver.tree / repo, driver.scratch / "copy" / repo)


def _edit(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **values}))
