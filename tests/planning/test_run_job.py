"""The job that the runner gets: the kind's default, and what the manifest says instead."""

from mlxlock.planning.run_job import DEFAULTS, RUNNABLE, Json, asked_job, first_run_job, lacking, unsuited
from mlxlock.spec.first_run import FirstRun, Option


def job(kind: str, **options: Option) -> dict[str, Json]:
    given = {key.replace("_", "-"): value for key, value in options.items()}
    return first_run_job(FirstRun(name="x", options=given), kind, project="/p", runners="/r")


def test_each_kind_has_a_default_that_is_greedy_and_seeded() -> None:
    assert set(DEFAULTS) == set(RUNNABLE)
    assert job("text") == {
        "kind": "text",
        "seed": 0,
        "temperature": 0,
        "prompt": "Hello! Who are you?",
        "max_tokens": 16,
        "options": {},
    }


def test_default_media_are_the_runners_and_declared_ones_the_projects() -> None:
    assert job("stt")["audio"] == "/r/media/hello.wav"
    assert job("vision")["image"] == "/r/media/square.png"
    assert job("stt", audio="a/b.wav")["audio"] == "/p/a/b.wav"
    assert job("tts", ref_audio="v.wav")["ref_audio"] == "/p/v.wav"


def test_what_is_declared_replaces_the_default() -> None:
    made = job("text", prompt="p", max_tokens=3, seed=7, system="s", language="en", voice="v")
    assert {key: made[key] for key in ("prompt", "max_tokens", "seed", "system", "language", "voice")} == {
        "prompt": "p",
        "max_tokens": 3,
        "seed": 7,
        "system": "s",
        "language": "en",
        "voice": "v",
    }
    assert job("tts", text="read this")["prompt"] == "read this"


def test_the_rest_is_the_librarys_own_options() -> None:
    assert job("tts", ref_text="t", vad=True)["options"] == {"ref_text": "t", "vad": True}


def test_each_kind_refuses_what_is_for_another() -> None:
    given: dict[str, Json] = {
        "prompt": "p",
        "image": "i",
        "audio": "a",
        "output": "o",
        "voice": "v",
        "system": None,
    }
    assert unsuited("text", given) == ("audio", "image", "output", "voice")
    assert unsuited("vision", given) == ("audio", "output", "voice")
    assert unsuited("stt", given) == ("image", "output", "voice")
    assert unsuited("tts", given) == ("audio", "image")


def test_what_a_kind_cannot_do_without_is_named_with_an_example() -> None:
    assert lacking("text", {}) == ("prompt", '"Hello"')
    assert lacking("stt", {"prompt": "p"}) == ("audio", "--audio FILE.wav")
    assert lacking("tts", {"prompt": "p"}) == ("output", '"Hello" --output FILE.wav')
    assert lacking("tts", {"prompt": "p", "output": "o"}) is None
    assert lacking("vision", {"prompt": "p", "image": None}) is None


def test_what_was_asked_becomes_the_job_and_the_rest_is_the_kinds_own() -> None:
    asked: dict[str, Json] = {"prompt": "p", "ref-audio": "r", "max-tokens": None, "seed": 0}
    assert asked_job("tts", asked) == {
        "kind": "tts",
        "max_tokens": None,
        "prompt": "p",
        "ref_audio": "r",
        "seed": 0,
    }
    assert asked_job("text", {})["max_tokens"] == 512
    assert asked_job("text", {"max-tokens": 3})["max_tokens"] == 3
