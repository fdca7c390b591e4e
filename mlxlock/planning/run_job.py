"""What the standalone runner is told: the JSON job of one run. Pure.

Owns the sensible default of each kind, which manifest key becomes which job key, and which option of
`mlxk run` is for which kind.
"""

from collections.abc import Mapping
from typing import Final

from mlxlock.spec.first_run import FirstRun

Json = None | bool | int | float | str | Mapping[str, "Json"]

RUNNABLE: Final = ("text", "vision", "stt", "tts")
"""The kinds that the built-in runner can exercise."""

IMAGE: Final = "media/square.png"
SPEECH: Final = "media/hello.wav"

DEFAULTS: Final[Mapping[str, Mapping[str, Json]]] = {
    "text": {"prompt": "Hello! Who are you?", "max_tokens": 16},
    "vision": {"prompt": "Describe this image.", "image": IMAGE, "max_tokens": 16},
    "stt": {"audio": SPEECH, "max_tokens": 16},
    "tts": {"prompt": "Hello, this is a test.", "max_tokens": 64},
}
"""Relative media are below the runners' directory."""

_PATHS: Final = {"image": "image", "audio": "audio", "ref-audio": "ref_audio"}
_SAME: Final = {
    "prompt": "prompt",
    "text": "prompt",
    "system": "system",
    "language": "language",
    "voice": "voice",
    "max-tokens": "max_tokens",
    "seed": "seed",
}


def first_run_job(run: FirstRun, kind: str, *, project: str, runners: str) -> dict[str, Json]:
    """The job of a first run: the kind's default, changed by what the manifest says.

    Args:
        run: As declared, or the bare default.
        kind: One of `RUNNABLE`.
        project: The directory to which the manifest's paths are relative.
        runners: The directory to which the defaults' paths are relative.
    """
    job: dict[str, Json] = {"kind": kind, "seed": 0, "temperature": 0, **DEFAULTS[kind]}
    for key in ("image", "audio"):
        if key in job:
            job[key] = f"{runners}/{job[key]}"
    for key, value in run.options.items():
        if key in _PATHS:
            job[_PATHS[key]] = f"{project}/{value}"
        elif key in _SAME:
            job[_SAME[key]] = value
    extra: dict[str, Json] = {
        name: run.options[key]
        for key, name in {"ref-text": "ref_text", "vad": "vad"}.items()
        if key in run.options
    }
    return {**job, "options": extra}


MAX_TOKENS: Final = 512
"""Of `mlxk run` for text and vision; a transcript and a speech are as long as they are."""

_ANY: Final = frozenset({"prompt", "max-tokens", "temperature", "seed"})
_ASKED: Final[Mapping[str, frozenset[str]]] = {
    "text": _ANY | {"system"},
    "vision": _ANY | {"system", "image"},
    "stt": _ANY | {"audio", "language"},
    "tts": _ANY | {"system", "language", "voice", "ref-audio", "output"},
}
"""What `mlxk run` takes for each kind; speech-to-text takes a prompt and has no use for it."""

_NEEDED: Final[Mapping[str, tuple[str, str]]] = {
    "text": ("prompt", '"Hello"'),
    "vision": ("prompt", '"What is this?" --image FILE'),
    "stt": ("audio", "--audio FILE.wav"),
    "tts": ("prompt", '"Hello" --output FILE.wav'),
}


def unsuited(kind: str, asked: Mapping[str, Json]) -> tuple[str, ...]:
    """Which of the options that were given are not for this kind, by their names on the command line."""
    given = {name for name, value in asked.items() if value is not None}
    return tuple(sorted(given - _ASKED[kind]))


def lacking(kind: str, asked: Mapping[str, Json]) -> tuple[str, str] | None:
    """What the kind cannot do without and nobody gave, with an example; None when nothing is missing."""
    name, example = _NEEDED[kind]
    if asked.get(name) is None:
        return name, example
    if kind == "tts" and asked.get("output") is None:
        return "output", example
    return None


def asked_job(kind: str, asked: Mapping[str, Json]) -> dict[str, Json]:
    """The job of `mlxk run`: what was asked for, and the kind's own default where nothing was."""
    given = {name.replace("-", "_"): value for name, value in asked.items() if value is not None}
    most = MAX_TOKENS if kind in {"text", "vision"} else None
    return {"kind": kind, "max_tokens": most, **given}
