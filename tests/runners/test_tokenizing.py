"""What tokenizers make of text is heard, changed in nothing, and told the same however it came."""

import sys
from collections.abc import Callable
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from mlxlock.runners.tokenizing import Encodings, listening

pytestmark = pytest.mark.mlx

UNKNOWN = "[UNK]"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    words = {word: number for number, word in enumerate([UNKNOWN, "the", "quick", "fox"])}
    bare = Tokenizer(models.WordLevel(words, unk_token=UNKNOWN))
    bare.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=bare, unk_token=UNKNOWN, pad_token=UNKNOWN)


@pytest.mark.parametrize(
    ("ask", "ids"),
    [
        (lambda it: it.encode("the fox"), [1, 3, -1]),
        (lambda it: it("the fox"), [1, 3, -1]),
        (lambda it: it("the fox", return_tensors="np"), [1, 3, -1]),
        (lambda it: it(["the fox", "quick"]), [1, 3, -1, 2, -1]),
        (lambda it: (it.encode("quick"), it.encode("the fox"), it.encode("quick")), [1, 3, -1, 2, -1]),
        (lambda it: it.decode([1, 3]), None),
    ],
)
def test_each_text_is_heard_once_in_no_order(
    tokenizer: Any, ask: Callable[[Any], object], ids: list[int] | None
) -> None:
    with listening() as heard:
        ask(tokenizer)
    assert heard.ids() == ids


def test_what_is_returned_is_what_was_returned_before(tokenizer: Any) -> None:
    methods = type(tokenizer).__call__, type(tokenizer).encode
    plain = tokenizer.encode("the quick fox"), dict(tokenizer("the quick fox"))
    with listening():
        assert (tokenizer.encode("the quick fox"), dict(tokenizer("the quick fox"))) == plain
    assert (type(tokenizer).__call__, type(tokenizer).encode) == methods


def test_texts_are_kept_apart() -> None:
    together, apart = Encodings(), Encodings()
    together.add([1, 2])
    apart.add([[1], [2]])
    assert together.ids() != apart.ids()


def test_nothing_is_imported_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "transformers.tokenization_utils_base", raising=False)
    with listening() as heard:
        assert "transformers.tokenization_utils_base" not in sys.modules
    assert heard.ids() is None
