"""Text through mlx-lm. Importing this file imports the library; `generate.py` does, in its import phase."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from mlx_lm import load as load_model
from mlx_lm import stream_generate
from mlx_lm.generate import generate_step
from mlx_lm.sample_utils import make_sampler

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlxlock.runners.generate import Generated, Job


def load(job: Job) -> tuple[Any, Any]:
    """Return the model and its tokenizer, trusting the model's own code only when the job does."""
    trust = {"trust_remote_code": job.trust_remote_code}
    # Older mlx-lm takes it for the tokenizer only.
    direct = trust if "trust_remote_code" in inspect.signature(load_model).parameters else {}
    model, tokenizer = load_model(job.model, tokenizer_config=trust, **direct)
    return model, tokenizer


def generate(job: Job, loaded: tuple[Any, Any], emit: Callable[[str], None]) -> Generated:
    """Generate from the prompt, in the model's chat form when it has one."""
    for option in ("image", "audio", "language", "voice", "ref_audio", "wav"):
        if getattr(job, option) is not None:
            job.refuse(option)
    model, tokenizer = loaded
    ids = _encode(job, tokenizer)
    tokens: dict[int, int] = {}
    pieces = []
    for part in stream_generate(model, tokenizer, ids, **_options(job, tokenizer)):
        tokens[part.generation_tokens] = int(part.token)
        pieces.append(part.text)
        emit(part.text)
    return {
        "digested": list(tokens.values()),
        "text": "".join(pieces),
        "tokens": len(tokens),
        "samples": None,
        "input_ids": ids,
    }


def _encode(job: Job, tokenizer: Any) -> list[int]:
    """Tokenize as `mlx_lm.generate` does: through the chat template, which brings its own special tokens."""
    if tokenizer.chat_template is None:
        if job.system is not None:
            job.refuse("system")
        return list(tokenizer.encode("\n".join([*(said["content"] for said in job.history), job.prompt])))
    system = [] if job.system is None else [{"role": "system", "content": job.system}]
    messages = [*system, *job.history, {"role": "user", "content": job.prompt}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return list(tokenizer.encode(text, add_special_tokens=False))


def _options(job: Job, tokenizer: Any) -> dict[str, Any]:
    """Split the job's options as the library does: those of its sampler, and those of its generator."""
    options = job.named_options(make_sampler, stream_generate, generate_step)
    names = inspect.signature(make_sampler).parameters
    sampling = {name: value for name, value in options.items() if name in names}
    rest = {name: value for name, value in options.items() if name not in names}
    return {
        "max_tokens": job.max_tokens,
        "sampler": make_sampler(temp=job.temperature or 0.0, **sampling),
        "logits_processors": job.keep_going(tokenizer.eos_token_ids),
        **rest,
    }
