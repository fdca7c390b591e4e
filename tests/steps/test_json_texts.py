"""No JSON file hides code by its size, its place, its encoding or its spelling, and memory stays bounded."""

import json
from pathlib import Path

import pytest

from mlxlock.errors import PolicyError
from mlxlock.fs import CHUNK_BYTES
from mlxlock.spec.inspection import remote_code
from mlxlock.steps import json_texts as module
from mlxlock.steps.json_texts import json_texts
from tests.memory import peak_memory

CODE = {"auto_map": {"AutoTokenizer": "t.Tok"}}


def texts_of(root: Path, name: str, data: bytes) -> dict[str, str]:
    path = root / "blob"
    path.write_bytes(data)
    return json_texts([(name, path)])


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("tokenizer_config.json", json.dumps({**CODE, "padding": "x" * (2 << 20)}).encode()),
        ("tokenizer_config.json", json.dumps({"padding": "x" * ((4 << 20) - 20), **CODE}).encode()),
        ("deep/er/preprocessor_config.json", json.dumps({"a": {"b": [{"c": CODE}]}}).encode()),
        ("Tokenizer_Config.JSON", json.dumps(CODE).encode()),
        ("tokenizer_config.json", json.dumps(CODE).replace("auto_map", r"\u0061uto_map").encode()),
        ("tokenizer_config.json", json.dumps(CODE).replace("auto_map", r"auto\u005Fmap").encode()),
        ("tokenizer_config.json", json.dumps(CODE).encode("utf-16")),
        ("tokenizer_config.json", json.dumps(CODE).encode("utf-8-sig")),
        ("config.json", b'{"model_file": "m.py"}'),
    ],
)
def test_code_is_found_wherever_it_stands(tmp_path: Path, name: str, data: bytes) -> None:
    (found,) = remote_code(texts_of(tmp_path, name, data))
    assert found.file == name


def test_a_large_file_that_names_no_code_is_searched_and_not_held(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    with path.open("wb") as file:
        for _ in range(module.MAX_BYTES // (1 << 20) + 16):
            file.write(b'"' + b"a" * ((1 << 20) - 3) + b'",')
    with peak_memory() as grown:
        assert json_texts([("tokenizer.json", path)]) == {}
    assert 0 <= grown.size_bytes < 32 << 20


def test_one_that_may_name_code_and_cannot_be_read_whole_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "big.json"
    with path.open("wb") as file:
        file.write(b'{"auto_map": {"AutoTokenizer": "t.Tok"}, "x": "')
        file.truncate(module.MAX_BYTES + 1)
    with pytest.raises(PolicyError, match=r"`a/big.json` may name code .* too large to tell"):
        json_texts([("a/big.json", path)])


def test_the_config_is_always_read_and_others_only_for_a_reason(tmp_path: Path) -> None:
    assert texts_of(tmp_path, "config.json", b'{"model_type": "qwen2"}') == {
        "config.json": '{"model_type": "qwen2"}'
    }
    assert texts_of(tmp_path, "generation_config.json", b'{"do_sample": true}') == {}
    assert texts_of(tmp_path, "modeling.py", b"auto_map") == {}


@pytest.mark.parametrize("shift", range(0, 24, 3))
def test_a_key_that_two_reads_tear_apart_is_found(tmp_path: Path, shift: int) -> None:
    padding = b"a" * (CHUNK_BYTES - 30 + shift)
    assert texts_of(tmp_path, "x.json", b'{"x": "' + padding + b'", "auto_map": {"AutoTokenizer": "t.T"}}')
