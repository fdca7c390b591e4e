"""A tiny Chatterbox Turbo for mlx-audio (text to speech): a speech tokenizer, missed with a mere warning.

Without it, mlx-audio goes on with random numbers in its place.
"""

from pathlib import Path

import mlx.core as mx
from mlx_audio.codec.models.s3.model_v2 import S3TokenizerV2
from mlx_audio.tts.models.chatterbox_turbo import Model

from tests.tinymodels.common import Card, write_card, write_json, write_tensors, write_weights
from tests.tinymodels.narrow import BITS, GROUP, Widths, as_module, narrowed, quantised_rows
from tests.tinymodels.tokenizer import Tokenizer

_N = 8
_CONFIG: dict[str, object] = {
    "model_type": "chatterbox_turbo", "quantization": {"group_size": GROUP, "bits": BITS},
}  # fmt: skip
_ROWS = (
    r"t3\.tfmr\.h\..*\.attn\.c_(attn|proj)\.weight"
    r"|s3gen\.encoder\.(up_embed\.linear|.*\.linear_(q|k|v|out))\.weight"
)


def build(repo_dir: Path, speech_tokenizer_dir: Path) -> None:
    """Write the repos.

    Args:
        repo_dir: The model's folder; made when absent.
        speech_tokenizer_dir: The speech tokenizer's folder; made when absent.
    """
    build_speech_tokenizer(speech_tokenizer_dir)
    tokenizer = Tokenizer(
        cls="PreTrainedTokenizerFast", specials=("<|endoftext|>",), eos="<|endoftext|>", chat_template=None
    )
    write_card(repo_dir, Card(license="mit", pipeline_tag="text-to-speech"))
    write_json(repo_dir / "config.json", _CONFIG)
    tokenizer.write(repo_dir)
    model = Model({})
    tensors = narrowed(model, _rules(tokenizer.size)) | quantised_rows(model, _ROWS)
    write_weights(repo_dir, as_module(tensors))
    write_voice(repo_dir)


def build_speech_tokenizer(repo_dir: Path) -> None:
    """Write the speech tokenizer's repo, with little of its weights."""
    write_card(repo_dir, Card(license="apache-2.0", pipeline_tag="audio-to-audio"))
    write_json(repo_dir / "config.json", {"model_type": "s3tokenizer_v2"})
    layer = r"encoder\.blocks\.\d+\.mlp\.layers"
    rules: dict[str, Widths] = {rf"{layer}\.0\..*": {5120: 1}, rf"{layer}\.2\.weight": {5120: 1}}
    write_weights(repo_dir, as_module(narrowed(S3TokenizerV2("speech_tokenizer_v2_25hz"), rules)))


def write_voice(repo_dir: Path) -> None:
    """Write the voice to speak with where nobody gives a recording: two tokens, and what they sound like."""
    write_tensors(
        repo_dir / "conds.safetensors",
        {"t3.speaker_emb": (1, 256), "gen.embedding": (1, 192), "gen.prompt_feat": (1, 4, 80)},
        whole={"gen.prompt_token": mx.array([[7, 11]]), "gen.prompt_token_len": mx.array([2])},
    )


def _rules(vocabulary: int) -> dict[str, Widths]:
    estimator = r"s3gen\.decoder\.estimator"
    return {
        r"t3\.tfmr\.wte\.weight|t3\.text_head\.weight": {50_276: 1, 1024: 1},
        r"t3\.tfmr\.wpe\.weight": {8196: 1024, 1024: 1},
        r"t3\.text_emb\.weight": {50_276: vocabulary},
        r"t3\.tfmr\.h\.\d+\.mlp\..*": {4096: 1},
        r"s3gen\.encoder\..*\.feed_forward\..*": {2048: 1},
        rf"{estimator}\..*\.attn1\.to_.*": {256: _N},
        rf"{estimator}\..*": {256: _N, 512: 2 * _N, 1024: _N, 2048: 2 * _N},
        r"s3gen\.mel2wav\.(?!stft_window).*": {64: _N, 128: _N, 256: _N, 512: _N},
    }
