"""Which bytes can be a safetensors file, by their header and their length alone."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlxlock.spec.safetensors import MAX_HEADER_BYTES, Header, header_bytes, parse_header

TWO = {"a": [0, 4], "b": [4, 12]}


def text_of(offsets: Mapping[str, object], metadata: object = None) -> bytes:
    document: dict[str, object] = {name: {"data_offsets": place} for name, place in offsets.items()}
    if metadata is not None:
        document["__metadata__"] = metadata
    return json.dumps(document).encode()


def size_of(text: bytes, data_bytes: int) -> int:
    return 8 + len(text) + data_bytes


def test_a_header_says_its_tensors_and_metadata() -> None:
    text = text_of(TWO, {"format": "mlx", "wrong": 1})
    header = parse_header(text, size_of(text, 12))
    assert header == Header(tensors=frozenset({"a", "b"}), metadata={"format": "mlx"}, data_bytes=12)
    assert parse_header(b"{}", 10) == Header(tensors=frozenset(), metadata={})


@pytest.mark.parametrize(
    ("data_bytes", "reason"), [(11, "cut off: 1 bytes"), (13, "1 bytes more"), (0, "cut off")]
)
def test_the_length_must_be_what_the_tensors_need(data_bytes: int, reason: str) -> None:
    text = text_of(TWO)
    with pytest.raises(ValueError, match=reason):
        parse_header(text, size_of(text, data_bytes))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "no JSON object"),
        (text_of({"a": [0, 4], "b": [3, 12]}), "overlap"),
        (text_of({"a": [0, 4], "b": [5, 12]}), "gaps"),
        (text_of({"a": [4, 0]}), "without a place"),
        (text_of({"a": [0]}), "without a place"),
        (text_of({"a": "x"}), "without a place"),
        (b'{"a": 1}', "without a place"),
    ],
)
def test_what_no_header_may_say(text: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_header(text, size_of(text, 12))


@pytest.mark.parametrize(
    ("prefix", "size_bytes", "reason"),
    [
        (b"", 0, "empty"),
        (b"version ", 130, "Git LFS pointer"),
        (b"\x01", 1, "no safetensors"),
        (b"PK\x03\x04aaaa", 1000, "no safetensors"),
        ((MAX_HEADER_BYTES + 1).to_bytes(8, "little"), 1 << 40, "no safetensors"),
        ((100).to_bytes(8, "little"), 107, "within its header"),
    ],
)
def test_what_is_no_safetensors_file_at_all(prefix: bytes, size_bytes: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        header_bytes(prefix, size_bytes)


def test_the_length_of_the_header_comes_first() -> None:
    assert header_bytes((100).to_bytes(8, "little"), 108) == 100


@given(st.binary(max_size=200), st.integers(min_value=0, max_value=1000))
def test_no_text_raises_anything_else(text: bytes, size_bytes: int) -> None:
    try:
        parse_header(text, size_bytes)
    except ValueError:
        return
