"""The header of a safetensors file: which tensors it holds, and whether it can hold them.

Owns the format's rules. Reads no file: the first bytes and the length come in. Source: the safetensors
format (eight bytes of little-endian length, JSON, then the tensors without gaps or overlaps).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

PREFIX_BYTES: Final = 8
MAX_HEADER_BYTES: Final = 100_000_000
"""What the reference reader takes at most."""
_LFS_POINTER: Final = b"version "


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a header says.

    Attributes:
        tensors: Their names, in no order.
        metadata: What `__metadata__` says, such as `{"format": "mlx"}`.
        data_bytes: How long the tensors are together.
    """

    tensors: frozenset[str]
    metadata: Mapping[str, str]
    data_bytes: int = 0


def header_bytes(prefix: bytes, size_bytes: int) -> int:
    """How long the JSON is.

    Args:
        prefix: The file's first eight bytes.
        size_bytes: The file's length.

    Raises:
        ValueError: This cannot be a safetensors file; the text says why.
    """
    if size_bytes == 0:
        raise ValueError("it is empty")
    if prefix.startswith(_LFS_POINTER):
        raise ValueError("it is a Git LFS pointer, not the file itself")
    length = int.from_bytes(prefix, "little")
    if len(prefix) < PREFIX_BYTES or length > MAX_HEADER_BYTES:
        raise ValueError("it is no safetensors file")
    if PREFIX_BYTES + length > size_bytes:
        raise ValueError("it is cut off within its header")
    return length


def parse_header(text: bytes, size_bytes: int) -> Header:
    """What the JSON says, when a file of this length can hold what it names.

    Args:
        text: The JSON.
        size_bytes: The file's length.

    Raises:
        ValueError: It cannot; the text says why.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("its header is no JSON") from error
    if not isinstance(document, dict):
        raise ValueError("its header is no JSON object")  # noqa: TRY004 - of a file, not of a caller
    metadata = document.pop("__metadata__", None)
    data_bytes = size_bytes - PREFIX_BYTES - len(text)
    _check_spans(sorted(_spans(document.values())), data_bytes)
    told = metadata if isinstance(metadata, dict) else {}
    return Header(
        tensors=frozenset(document),
        metadata={key: value for key, value in told.items() if isinstance(value, str)},
        data_bytes=data_bytes,
    )


def _spans(entries: Iterable[object]) -> Iterator[tuple[int, int]]:
    """Where each tensor is. A listing comes here for every tensor of every model: plain on purpose."""
    for entry in entries:
        try:
            begin, end = entry["data_offsets"]  # type: ignore[index]  # what it is shows here
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError("its header names a tensor without a place") from error
        if not (isinstance(begin, int) and isinstance(end, int) and 0 <= begin <= end):
            raise ValueError("its header names a tensor without a place")
        yield begin, end


def _check_spans(spans: list[tuple[int, int]], available: int) -> None:
    at = 0
    for begin, end in spans:
        if begin != at:
            raise ValueError("its tensors overlap, or leave gaps")
        at = end
    if at > available:
        raise ValueError(f"it is cut off: {at - available} bytes of its tensors are missing")
    if at < available:
        raise ValueError(f"it has {available - at} bytes more than its tensors need")
