"""Pictures and text through mlx-vlm. Importing this file imports the library; `generate.py` does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlx_vlm import apply_chat_template, prepare_inputs, stream_generate
from mlx_vlm import load as load_model
from mlx_vlm.generate import generate_step

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlxlock.runners.generate import Generated, Job


def load(job: Job) -> tuple[Any, Any]:
    """Return the model and its processor; left unsaid, mlx-vlm would trust the model's own code."""
    model, processor = load_model(job.model, trust_remote_code=job.trust_remote_code)
    return model, processor


def generate(job: Job, loaded: tuple[Any, Any], emit: Callable[[str], None]) -> Generated:
    """Generate from the picture, when there is one, and the prompt in the model's chat form."""
    for option in ("audio", "language", "voice", "ref_audio", "wav"):
        if getattr(job, option) is not None:
            job.refuse(option)
    model, processor = loaded
    prompt = _prompt(job, model, processor)
    images = None if job.image is None else [job.image]
    ends = _criteria(model, processor).eos_token_ids
    tokens: dict[int, int] = {}
    pieces = []
    for part in stream_generate(model, processor, prompt, image=images, **_options(job, ends)):
        if part.token is not None and not getattr(part, "is_draft", False):
            tokens[part.generation_tokens] = int(part.token)
            pieces.append(part.text)
            emit(part.text)
    return {
        "digested": list(tokens.values()),
        "text": "".join(pieces),
        "tokens": len(tokens),
        "samples": None,
        "input_ids": _input_ids(model, processor, prompt, images),
    }


def _prompt(job: Job, model: Any, processor: Any) -> str:
    messages = [*job.history, {"role": "user", "content": job.prompt}]
    if job.system is not None:
        messages.insert(0, {"role": "system", "content": job.system})
    count = 0 if job.image is None else 1
    return str(apply_chat_template(processor, model.config, messages, num_images=count))


def _criteria(model: Any, processor: Any) -> Any:
    """Set what ends a text, as `mlx_vlm.generate` does before it streams, and return it."""
    criteria = getattr(processor, "tokenizer", processor).stopping_criteria
    criteria.reset(model.config.eos_token_id)
    return criteria


def _options(job: Job, ends: list[int]) -> dict[str, Any]:
    heat = {} if job.temperature is None else {"temperature": job.temperature}
    processors = job.keep_going(ends)
    options = job.named_options(stream_generate, generate_step)
    return {"max_tokens": job.max_tokens, "logits_processors": processors, **heat, **options}


def _input_ids(model: Any, processor: Any, prompt: str, images: list[str] | None) -> list[int]:
    """Prepare the inputs once more, for their ids alone: the streaming function keeps them to itself."""
    token = getattr(model.config, "image_token_index", None)
    inputs = prepare_inputs(processor, images=images, prompts=prompt, image_token_index=token)
    return [int(number) for number in inputs["input_ids"].reshape(-1).tolist()]
