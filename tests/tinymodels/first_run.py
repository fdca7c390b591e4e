"""`python first_run.py KIND PATH MEDIA [--trust-remote-code] [--clone]` generates once, in the shortest way.

The libraries are as they are; `--clone` is to speak like the recording. Exits 0 only when something came out.
It shares nothing with the product's runner: the two can disagree.
"""

import inspect
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

TRUST = "--trust-remote-code"
CLONE = "--clone"


def _text(path: str, _media: str, flags: Collection[str]) -> int:
    from mlx_lm import generate, load

    model, tokenizer = load(path, tokenizer_config={"trust_remote_code": TRUST in flags})
    return len(generate(model, tokenizer, prompt="hello world", max_tokens=8))


def _vision(path: str, media: str, flags: Collection[str]) -> int:
    from mlx_vlm import apply_chat_template, generate, load

    model, processor = load(path, trust_remote_code=TRUST in flags)
    prompt = apply_chat_template(processor, model.config, "describe this image", num_images=1)
    return int(generate(model, processor, prompt, image=[media], max_tokens=8).generation_tokens)


def _stt(path: str, media: str, _flags: Collection[str]) -> int:
    from mlx_audio.stt import load

    model = load(path)
    limit = {"max_tokens": 8} if "max_tokens" in inspect.signature(model.generate).parameters else {}
    return len(model.generate(media, **limit).text)


def _tts(path: str, media: str, flags: Collection[str]) -> int:
    from mlx_audio.tts.utils import load_model
    from mlx_audio.utils import load_audio

    model = load_model(Path(path))
    voice = {"ref_audio": load_audio(media, sample_rate=model.sample_rate)} if CLONE in flags else {}
    return sum(part.audio.size for part in model.generate(text="[S1] hello", max_tokens=48, **voice))


_KINDS: Mapping[str, Callable[..., int]] = {
    "text": _text,
    "vision": _vision,
    "stt": _stt,
    "tts": _tts,
}

if __name__ == "__main__":
    kind, path, media, *flags = sys.argv[1:]
    sys.exit(0 if _KINDS[kind](path, media, flags) > 0 else 1)
