"""What a model's files tell of it."""

import pytest

from mlxlock.planning.description import Framework, describe
from mlxlock.spec.model_facts import ModelFacts
from mlxlock.spec.names import RepoId
from mlxlock.spec.safetensors import Header
from tests.planning.model_facts import facts, header

LLAMA = {"model_type": "llama"}


@pytest.mark.parametrize(
    ("config", "weights", "repo", "framework"),
    [
        (LLAMA, {"m.safetensors": header("w", format="mlx")}, None, "MLX"),
        ({**LLAMA, "quantization": {"bits": 4}}, {"m.safetensors": header("w", format="pt")}, None, "MLX"),
        (LLAMA, {"m.safetensors": header("w")}, "mlx-community/x", "MLX"),
        (LLAMA, {"m.safetensors": header("w")}, "org/x-mlx", "MLX"),
        (LLAMA, {"weights.npz": None}, None, "MLX"),
        (LLAMA, {"m.GGUF": None}, "mlx-community/x", "GGUF"),
        (LLAMA, {"m.safetensors": header("w", format="pt")}, "org/x", "PyTorch"),
        (LLAMA, {"pytorch_model.bin": None}, None, "PyTorch"),
        (LLAMA, {"m.safetensors": header("w")}, "org/x", "Unknown"),
        (LLAMA, {"m.safetensors": "it is empty"}, None, "Unknown"),
        (LLAMA, {}, "mlx-community/x", "Unknown"),
    ],
)
def test_the_framework_is_told_by_weights_config_and_name(
    config: dict[str, object], weights: dict[str, Header | str | None], repo: str | None, framework: Framework
) -> None:
    told = describe(facts(config, weights), None if repo is None else RepoId(repo))
    assert told.framework == framework


@pytest.mark.parametrize(
    ("found", "kind", "capabilities"),
    [
        (facts(LLAMA), "text", ("text-generation",)),
        (
            facts(LLAMA, texts={"tokenizer_config.json": '{"chat_template": "x"}'}),
            "text",
            ("text-generation", "chat"),
        ),
        (facts(LLAMA, texts={"chat_template.jinja": "x"}), "text", ("text-generation", "chat")),
        (
            facts({"model_type": "qwen2_vl", "vision_config": {"a": 1}}),
            "vision",
            ("text-generation", "vision"),
        ),
        (facts({"model_type": "whisper"}), "stt", ("audio", "speech-to-text")),
        (facts({"model_type": "kokoro"}), "tts", ("audio", "text-to-speech")),
        (facts({"model_type": "unheard-of"}), None, ()),
        (facts(None), None, ()),
    ],
)
def test_kind_and_capabilities(found: ModelFacts, kind: str | None, capabilities: tuple[str, ...]) -> None:
    told = describe(found, None)
    assert (told.kind, told.capabilities) == (kind, capabilities)


@pytest.mark.parametrize(
    ("config", "quantization", "context_length"),
    [
        (LLAMA, None, None),
        ({"quantization": {"bits": 4, "group_size": 64, "w": {}}}, {"bits": 4, "group_size": 64}, None),
        (
            {"quantization_config": {"quant_method": "awq", "bits": 8}},
            {"bits": 8, "quant_method": "awq"},
            None,
        ),
        ({"quantization": {}, "quantization_config": {"x": 1}}, None, None),
        ({"quantization": {"bits": True, "mode": "a"}, "n_ctx": True}, {"mode": "a"}, None),
        ({"max_position_embeddings": 4096}, None, 4096),
        ({"text_config": {"max_position_embeddings": 8}, "max_position_embeddings": 4}, None, 8),
        ({"text_config": "x", "n_ctx": 7, "max_position_embeddings": "many"}, None, 7),
        ({"n_ctx": 0}, None, None),
    ],
)
def test_quantization_and_context_length(
    config: dict[str, object], quantization: object, context_length: int | None
) -> None:
    told = describe(facts(config), None)
    assert (told.quantization, told.context_length) == (quantization, context_length)


def test_a_model_type_that_is_no_text_is_no_architecture() -> None:
    assert describe(facts({"model_type": 1}), None).architecture is None
    assert describe(facts(LLAMA), None).architecture == "llama"
    assert facts(LLAMA).size_bytes == 2
    assert facts(LLAMA).modified_ns == 5
