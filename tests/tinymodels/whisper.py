"""A tiny Whisper for mlx-audio, without any hidden download."""

from pathlib import Path

from mlx_audio.stt.models.whisper.whisper import Model, ModelDimensions

from tests.tinymodels.common import Card, write_card, write_json, write_weights
from tests.tinymodels.tokenizer import Tokenizer

# The 1501 timestamps are not optional: Whisper's decoder counts on their places in the vocabulary.
_SPECIALS = (
    "<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|translate|>", "<|transcribe|>", "<|startoflm|>",
    "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
    *(f"<|{step * 0.02:.2f}|>" for step in range(1501)),
)  # fmt: skip
_PREPROCESSOR = {
    "feature_extractor_type": "WhisperFeatureExtractor", "processor_class": "WhisperProcessor",
    "feature_size": 80, "sampling_rate": 16000, "hop_length": 160, "n_fft": 400, "chunk_length": 30,
    "n_samples": 480000, "nb_max_frames": 3000, "padding_value": 0.0, "return_attention_mask": False,
}  # fmt: skip


def build(repo_dir: Path) -> None:
    """Write the repo.

    Args:
        repo_dir: Its folder; made when absent.
    """
    tokenizer = Tokenizer(cls="WhisperTokenizer", specials=_SPECIALS, eos="<|endoftext|>", chat_template=None)
    config: dict[str, object] = {
        "model_type": "whisper", "n_mels": 80, "n_audio_ctx": 1500, "n_audio_state": 16, "n_audio_head": 2,
        "n_audio_layer": 1, "n_vocab": tokenizer.size, "n_text_ctx": 32, "n_text_state": 16, "n_text_head": 2,
        "n_text_layer": 1,
    }  # fmt: skip
    write_card(
        repo_dir,
        Card(license="mit", pipeline_tag="automatic-speech-recognition", base_model="openai/whisper-tiny"),
    )
    write_json(repo_dir / "config.json", config)
    write_json(repo_dir / "preprocessor_config.json", _PREPROCESSOR)
    tokenizer.write(repo_dir)
    write_weights(repo_dir, Model(ModelDimensions.from_dict(config)))
