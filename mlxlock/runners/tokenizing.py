"""Listens to what tokenizers make of text, where a library shows nobody its input ids: mlx-audio.

Changes no result, and imports nothing that the library did not.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MODULE = "transformers.tokenization_utils_base"
_METHODS = ("__call__", "encode")
_BETWEEN = -1
"""Stands after each text's ids, so that no two lists of texts say the same."""


class Encodings:
    """Every text's ids, each once; in which order, and how often, is the library's own affair.

    Whisper walks through a Python set of symbols, which has another order in every process.
    """

    def __init__(self) -> None:
        self._heard: set[tuple[int, ...]] = set()

    def add(self, encoded: Any) -> None:
        """Take what a tokenizer returned: ids, or a mapping with `input_ids`; of one text or of several."""
        ids = encoded["input_ids"] if hasattr(encoded, "keys") else encoded
        ids = ids.tolist() if hasattr(ids, "tolist") else ids
        rows = ids if ids and isinstance(ids[0], list) else [ids]
        self._heard.update(tuple(map(int, row)) for row in rows)

    def ids(self) -> list[int] | None:
        """All of them in one list; None when no text was encoded."""
        if not self._heard:
            return None
        return [number for row in sorted(self._heard) for number in (*row, _BETWEEN)]


@contextlib.contextmanager
def listening() -> Iterator[Encodings]:
    """Hear what transformers' tokenizers return, for the length of a `with`."""
    heard = Encodings()
    module = sys.modules.get(_MODULE)
    if module is None:
        yield heard
        return
    tokenizer = module.PreTrainedTokenizerBase
    methods = {name: getattr(tokenizer, name) for name in _METHODS}
    for name, method in methods.items():
        setattr(tokenizer, name, _heard_by(heard, method))
    try:
        yield heard
    finally:
        for name, method in methods.items():
            setattr(tokenizer, name, method)


def _heard_by(heard: Encodings, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def encode(*arguments: Any, **named: Any) -> Any:
        encoded = method(*arguments, **named)
        heard.add(encoded)
        return encoded

    return encode
