"""Text to speech through mlx-audio. Importing this file imports the library; `generate.py` does.

It never calls `mlx_audio.tts.generate`, which catches every exception and exits 0.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np
from mlx_audio.audio_io import write as write_audio
from mlx_audio.tts.utils import load_model
from mlx_audio.utils import load_audio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mlxlock.runners.generate import Generated, Job

# The models' own names for what a job calls by one.
_NAMES = {"language": ("lang_code", "language", "lang"), "system": ("instruct",), "voice": ("voice",)}


def load(job: Job) -> Any:
    """Return the model. mlx-audio reads the directory's name, and takes no word on remote code."""
    return load_model(Path(job.model))


def generate(job: Job, loaded: Any, emit: Callable[[str], None]) -> Generated:  # noqa: ARG001 (speech has no text)
    """Speak the prompt; the digest covers the raw float32 samples, the WAV is for people."""
    for option in ("image", "audio"):
        if getattr(job, option) is not None:
            job.refuse(option)
    if not job.prompt:
        job.lacks("prompt")
    parts = [part for part in loaded.generate(text=job.prompt, **_options(job, loaded)) if part.audio.size]
    sound = [np.array(mx.array(part.audio).astype(mx.float32)) for part in parts]
    if job.wav is not None and sound:
        rate = getattr(parts[0], "sample_rate", None) or loaded.sample_rate
        _write_wav(job.wav, np.concatenate(sound), int(rate))
    return {
        "digested": b"".join(samples.astype("<f4").tobytes() for samples in sound),
        "text": "",
        "tokens": None,
        "samples": sum(int(samples.size) for samples in sound),
        "input_ids": None,
    }


def _options(job: Job, model: Any) -> dict[str, Any]:
    """Give the model what it takes; what the job asks for by name and it lacks is an error."""
    takes = inspect.signature(model.generate).parameters
    wishes = {"max_tokens": job.max_tokens, "temperature": job.temperature}
    options = {name: value for name, value in wishes.items() if value is not None and name in takes}
    for option, names in _NAMES.items():
        value = getattr(job, option)
        if value is not None:
            options[_first(job, option, names, takes)] = value
    if job.ref_audio is not None:
        options[_first(job, "ref_audio", ("ref_audio",), takes)] = _reference(job.ref_audio, model)
    return {**options, **job.named_options(model.generate)}


def _first(job: Job, option: str, names: Iterable[str], takes: Iterable[str]) -> str:
    for name in names:
        if name in takes:
            return name
    return job.refuse(option)


def _reference(path: str, model: Any) -> Any:
    """Read a reference recording as mlx-audio's own command does; some models want the path itself."""
    if getattr(model, "preserve_ref_audio_path", False) is True:
        return path
    return load_audio(path, sample_rate=model.sample_rate)


def _write_wav(path: str, samples: Any, rate_hz: int) -> None:
    scratch = Path(f"{path}.part")
    write_audio(scratch, samples, rate_hz, format="wav")
    scratch.replace(path)
