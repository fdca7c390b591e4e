"""`python first_run.py KIND PATH MEDIA [--trust-remote-code]` generates once with the unmodified library.

Exits 0 only when something came out. It shares nothing with the product's runner: the two can disagree.
"""

import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path


def _text(path: str, _media: str, *, trust: bool) -> int:
    from mlx_lm import generate, load

    model, tokenizer = load(path, tokenizer_config={"trust_remote_code": trust})
    return len(generate(model, tokenizer, prompt="hello world", max_tokens=8))


def _vision(path: str, media: str, *, trust: bool) -> int:
    from mlx_vlm import apply_chat_template, generate, load

    model, processor = load(path, trust_remote_code=trust)
    prompt = apply_chat_template(processor, model.config, "describe this image", num_images=1)
    return int(generate(model, processor, prompt, image=[media], max_tokens=8).generation_tokens)


def _stt(path: str, media: str, *, trust: bool) -> int:  # noqa: ARG001 - mlx-audio takes no word on it
    from mlx_audio.stt import load

    model = load(path)
    limit = {"max_tokens": 8} if "max_tokens" in inspect.signature(model.generate).parameters else {}
    return len(model.generate(media, **limit).text)


def _tts(path: str, _media: str, *, trust: bool) -> int:  # noqa: ARG001 - mlx-audio takes no word on it
    from mlx_audio.tts.utils import load_model

    return sum(part.audio.size for part in load_model(Path(path)).generate(text="[S1] hello", max_tokens=48))


_KINDS: Mapping[str, Callable[..., int]] = {
    "text": _text,
    "vision": _vision,
    "stt": _stt,
    "tts": _tts,
}

if __name__ == "__main__":
    kind, path, media, *flags = sys.argv[1:]
    sys.exit(0 if _KINDS[kind](path, media, trust="--trust-remote-code" in flags) > 0 else 1)
