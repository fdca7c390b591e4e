"""Kinds and remote code are told from JSON and names alone, and no code that would run goes unnoticed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlxlock.spec.inspection import RemoteCode, decoded, detect_kind, may_name_code, remote_code
from mlxlock.spec.manifest import Kind
from mlxlock.spec.names import RepoId, printable

WEIGHTS = ["config.json", "model.safetensors"]


@pytest.mark.parametrize(
    ("config", "name", "kind"),
    [
        ({"model_type": "qwen2"}, "Qwen2.5-0.5B", "text"),
        ({"model_type": "Klear"}, "Klear-46B", "text"),
        ({"model_type": "qwen2_vl", "vision_config": {"depth": 1}}, "Qwen2-VL-2B", "vision"),
        ({"model_type": "gemma3", "vision_config": {}}, "gemma-3-1b-it", "text"),
        ({"model_type": "moondream2"}, "moondream2", "vision"),
        ({"model_type": "whisper"}, "whisper-tiny", "stt"),
        ({"model_type": "vibevoice"}, "VibeVoice-ASR-4bit", "stt"),
        ({"model_type": "vibevoice_streaming"}, "VibeVoice-Realtime-0.5B", "tts"),
        ({"model_type": "dia"}, "Dia-1.6B", "tts"),
        ({"model_type": "snac"}, "snac_24khz", "codec"),
        ({"model_type": "siglip", "vision_config": {"depth": 1}}, "siglip2", "embedding"),
        ({"model_type": "sam3", "vision_config": {"depth": 1}}, "sam3", None),
        ({"model_type": "new_vlm", "vision_config": {"depth": 1}}, "whisper-of-pictures", "vision"),
        ({"architecture": "kokoro"}, "voices", "tts"),
        ({"flow_lm": {}, "mimi": {}}, "anything", "tts"),
        ({"model_type": "qwen2", "architectures": ["MiMoAudioModel"]}, "MiMo-Audio-7B", "sts"),
        ({"model_type": "glm4"}, "GLM-4-9B-0414-4bit", "text"),
        ({"model_type": "qwen2"}, "Qwen2.5-Spark-of-Dia", "text"),
        ({"model_type": "qwen2"}, "Spark-TTS-0.5B-bf16", "tts"),
        ({"model_type": "llama"}, "orpheus-3b-0.1-ft-4bit", "tts"),
        ({"model_type": "llama"}, "Llama-OuteTTS-1.0-1B", "tts"),
        ({"model_type": "llama", "acoustic_dim": 512}, "tada-1b", "tts"),
        ({"model_type": "qwen2", "acoustic_dim": 512}, "tada-1b", "text"),
        ({"model_type": "qwen3"}, "VyvoTTS-EN-Beta-4bit", "tts"),
        ({"model_type": "qwen3"}, "Some-ASR-1B", "stt"),
        ({}, "parakeet-tdt-0.6b-v3", "stt"),
        ({}, "Kokoro-82M-bf16", "tts"),
        ({}, "some-tts", "tts"),
        ({}, "llama-3", None),
        ({"model_type": "unheard_of"}, "thing", None),
        ({"model_type": ["odd"]}, "thing", None),
        (None, "whisper-large-v3-mlx", "stt"),
        (None, "thing", None),
    ],
)
def test_kinds_follow_from_type_config_and_name(
    config: dict[str, object] | None, name: str, kind: Kind | None
) -> None:
    assert detect_kind(config, RepoId(f"org/{name}"), WEIGHTS) == kind


def test_a_repo_without_weights_is_no_model() -> None:
    assert detect_kind({"model_type": "qwen2"}, RepoId("org/x"), ["config.json", "tokenizer.json"]) is None
    assert detect_kind(None, RepoId("org/whisper"), ["WEIGHTS.NPZ"]) == "stt"


@pytest.mark.parametrize(
    ("data", "may"),
    [
        (b'{"auto_map": {}}', True),
        (b'{"model_file": 1}', True),
        (rb'{"auto\u005Fmap": {}}', True),
        ('{"auto_map": {}}'.encode("utf-16"), True),
        (rb'{"a": "\u0120"}', False),
        (b'{"model_type": "llama", "automap": 1}', False),
    ],
)
def test_only_files_that_may_name_code_have_to_be_read(data: bytes, *, may: bool) -> None:
    assert may_name_code(data) is may


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-le"])
def test_a_text_is_read_in_whatever_encoding_json_knows(encoding: str) -> None:
    text = '{"model_file": "m.py"}'
    assert decoded(text.encode(encoding)) == text


def test_a_model_file_is_executed() -> None:
    (found,) = remote_code({"config.json": '{"model_file": "evil.py"}'}, "text")
    assert found == RemoteCode(file="config.json", key="model_file", value="evil.py")
    assert str(found) == "`config.json`: `model_file` names `evil.py`"


def test_an_auto_map_may_name_code_of_another_repo() -> None:
    (found,) = remote_code({"tokenizer_config.json": '{"auto_map": {"AutoTokenizer": ["o/r--t.Tok", null]}}'})
    assert found == RemoteCode(
        file="tokenizer_config.json", key="auto_map.AutoTokenizer", value="o/r--t.Tok", repo="o/r"
    )
    assert str(found).endswith("names `o/r--t.Tok`, code of `o/r`")


@pytest.mark.parametrize(
    ("name", "document", "keys"),
    [
        ("config.json", {"auto_map": {"AutoModelForCausalLM": "m.M", "AutoModel": "m.N"}}, []),
        ("config.json", {"auto_map": {"AutoConfig": "c.C"}}, ["auto_map.AutoConfig"]),
        ("config.json", {"auto_map": {"AutoProcessor": "p.P"}}, ["auto_map.AutoProcessor"]),
        ("tokenizer_config.json", {"auto_map": ["t.Slow", "t.Fast"]}, ["auto_map.AutoTokenizer"] * 2),
        ("tokenizer_config.json", {"auto_map": "t.Slow"}, ["auto_map.AutoTokenizer"]),
        (
            "processor_config.json",
            {"image_processor": {"auto_map": {"AutoImageProcessor": "i.I"}}},
            ["auto_map.AutoImageProcessor"],
        ),
        ("text/preprocessor_config.json", {"auto_map": {"AutoFeatureExtractor": "f.F"}}, None),
        ("config.json", {"auto_map": {"AutoTokenizer": [None, None, ""]}, "model_file": None}, []),
        ("config.json", [{"auto_map": {"AutoTokenizer": "t.T"}}], ["auto_map.AutoTokenizer"]),
        ("a/b/CONFIG.JSON", {"a": [{"b": {"auto_map": "t.T"}}]}, ["auto_map.AutoTokenizer"]),
        ("README.md", {"auto_map": {"AutoTokenizer": "t.T"}}, []),
    ],
)
def test_what_a_library_would_follow_is_found(name: str, document: object, keys: list[str] | None) -> None:
    found = [code.key for code in remote_code({name: json.dumps(document)})]
    assert found == (["auto_map.AutoFeatureExtractor"] if keys is None else keys)


def test_mlx_lm_does_not_follow_a_config_class() -> None:
    texts = {"config.json": '{"auto_map": {"AutoConfig": "c.C", "AutoTokenizer": "t.T"}}'}
    assert [code.key for code in remote_code(texts, "text")] == ["auto_map.AutoTokenizer"]
    assert len(remote_code(texts, "stt")) == 2


def test_python_files_that_nothing_names_are_no_remote_code() -> None:
    assert remote_code({"modeling.py": "import os", "config.json": "{}"}) == ()


def test_what_is_no_json_names_nothing_and_what_is_too_deep_is_suspected() -> None:
    assert remote_code({"config.json": '{"model_file": "x.py"'}) == ()
    (found,) = remote_code({"config.json": '{"a":' + "[" * 100_000})
    assert found.value == "(nested too deeply to be read)"


@given(st.text(max_size=20), st.text(min_size=1, max_size=20))
def test_names_of_code_cannot_steer_a_terminal(key: str, value: str) -> None:
    texts = {"tokenizer_config.json": json.dumps({"auto_map": {key: value}, "model_file": value})}
    assert all(printable(str(code)) for code in remote_code(texts))


KEYS = st.sampled_from(["model_type", "architectures", "auto_map", "model_file", "vision_config", "x"])
JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=4),
    lambda below: st.lists(below, max_size=2) | st.dictionaries(KEYS, below, max_size=2),
    max_leaves=5,
)


@given(st.dictionaries(KEYS, JSON, max_size=4))
def test_no_config_breaks_the_detection(config: dict[str, object]) -> None:
    detect_kind(config, RepoId("org/x"), WEIGHTS)
    remote_code({"config.json": json.dumps(config)})
