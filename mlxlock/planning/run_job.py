"""What the standalone runner is told: the JSON job of one run. Pure.

Owns the sensible default of each kind, and which manifest key becomes which job key.
"""

from collections.abc import Mapping
from typing import Final

from mlxlock.spec.first_run import FirstRun

Json = None | bool | int | str | Mapping[str, "Json"]

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
