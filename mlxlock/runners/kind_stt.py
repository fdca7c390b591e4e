"""Speech to text through mlx-audio. Importing this file imports the library; `generate.py` does."""

from __future__ import annotations

import dataclasses
import inspect
import json
from typing import TYPE_CHECKING, Any

from mlx_audio.stt import load as load_model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlxlock.runners.generate import Generated, Job

# What a proof wants; `generate.py` keeps text going for as long.
_LEAST_TOKENS = 8
# How sure a model was is measured in floats whose last bits say nothing about what it heard.
_MEASURES = frozenset({"avg_logprob", "compression_ratio", "confidence", "no_speech_prob", "temperature"})


def load(job: Job) -> Any:
    """Return the model. mlx-audio reads the directory's name, and takes no word on remote code."""
    return load_model(job.model)


def generate(job: Job, loaded: Any, emit: Callable[[str], None]) -> Generated:
    """Transcribe the job's recording; the digest covers the text and the segments."""
    for option in ("image", "system", "voice", "ref_audio", "wav"):
        if getattr(job, option) is not None:
            job.refuse(option)
    if job.audio is None:
        job.lacks("audio")
    options = _options(job, loaded)
    result = loaded.generate(job.audio, **options)
    text = str(result.text)
    emit(f"{text}\n")
    segments = getattr(result, "segments", None) or getattr(result, "sentences", None) or []
    tokens = getattr(result, "generation_tokens", 0) or _most(job, options)
    plain = _plain(segments, getattr(result, "total_time", 0.0))
    transcript = json.dumps([text, plain], ensure_ascii=False, sort_keys=True, default=_convert)
    return {
        "digested": transcript.encode() if text or segments or tokens else b"",
        "text": text,
        "tokens": tokens,
        "samples": None,
        "input_ids": None,
    }


def _most(job: Job, options: Mapping[str, Any]) -> int | None:
    """How many tokens a model that hides their number can have generated, where that is too few to tell."""
    most = options.get("max_tokens")
    return most if job.exercise and most is not None and most < _LEAST_TOKENS else None


def _options(job: Job, model: Any) -> dict[str, Any]:
    """Give the model what it takes: whisper has no `max_tokens`, others no `temperature` or `language`."""
    takes = inspect.signature(model.generate).parameters
    if job.language is not None and "language" not in takes:
        job.refuse("language")
    wishes: dict[str, Any] = {
        "max_tokens": job.max_tokens,
        "temperature": job.temperature,
        "language": job.language,
    }
    options = {name: wish for name, wish in wishes.items() if wish is not None and name in takes}
    if job.exercise and "no_speech_threshold" in takes:
        options["no_speech_threshold"] = None
    return {**options, **job.named_options(model.generate)}


def _plain(value: Any, took_s: float) -> Any:
    """Take segments apart into what JSON can say, without the measures.

    Higgs Audio 3 and Qwen2-Audio end their only segment when the transcription took so many seconds.
    """
    if isinstance(value, dict):
        return {
            str(name): _plain(inner, took_s)
            for name, inner in value.items()
            if name not in _MEASURES and not (took_s and isinstance(inner, float) and inner == took_s)
        }
    if isinstance(value, (list, tuple)):
        return [_plain(inner, took_s) for inner in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value), took_s)
    return value


def _convert(value: Any) -> Any:
    """Turn arrays and array scalars into plain numbers.

    Raises:
        TypeError: It is neither.
    """
    if not hasattr(value, "tolist"):
        raise TypeError(f"a segment holds a {type(value).__name__}, which has no digest")
    return value.tolist()
