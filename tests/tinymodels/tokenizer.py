"""Tiny byte-level BPE tokenizers in all the forms that real repos ship, computed instead of trained."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.tinymodels.common import write_json

WORDS = (
    " the", " quick", " brown", " fox", " jumps", " hello", " world", " this", " is", " a", " tiny", " model",
    " describe", " image", " transcribe", " audio", " please", "user", "assistant", "system",
)  # fmt: skip

QWEN_SPECIALS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>",
    "<|box_start|>", "<|box_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif 'text' in c %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokenizer:
    """A tokenizer's content, from which every one of its files follows.

    Attributes:
        cls: The class that tokenizer_config.json names.
        specials: Special tokens, numbered after the ordinary ones.
        eos: The special token that ends a text.
        bos: The special token that begins one, or `None`.
        words: Words that become single tokens.
        chat_template: A Jinja template, or `None`.
    """

    cls: str = "Qwen2Tokenizer"
    specials: Sequence[str] = QWEN_SPECIALS
    eos: str = "<|im_end|>"
    bos: str | None = None
    words: Sequence[str] = WORDS
    chat_template: str | None = CHATML

    @property
    def merges(self) -> tuple[tuple[str, str], ...]:
        """The pairs to merge, in order of rank."""
        return tuple(dict.fromkeys(pair for word in self.words for pair in _chain(word)))

    @property
    def vocabulary(self) -> Mapping[str, int]:
        """The ordinary tokens' numbers."""
        tokens = (*sorted(_BYTES.values()), *dict.fromkeys(left + right for left, right in self.merges))
        return {token: number for number, token in enumerate(tokens)}

    @property
    def special_ids(self) -> Mapping[str, int]:
        """The special tokens' numbers."""
        return {token: len(self.vocabulary) + number for number, token in enumerate(self.specials)}

    @property
    def size(self) -> int:
        """How many tokens there are, the special ones included."""
        return len(self.vocabulary) + len(self.specials)

    def write(self, repo_dir: Path, *, template_file: bool = False) -> None:
        """Write tokenizer.json, vocab.json, merges.txt and tokenizer_config.json.

        Args:
            repo_dir: The repo's folder; made when absent.
            template_file: Put the chat template into `chat_template.jinja`, as newer repos do.
        """
        write_json(repo_dir / "tokenizer.json", self._fast_form())
        write_json(repo_dir / "vocab.json", self.vocabulary)
        lines = "".join(f"{left} {right}\n" for left, right in self.merges)
        (repo_dir / "merges.txt").write_text(f"#version: 0.2\n{lines}", encoding="utf-8", newline="\n")
        write_json(repo_dir / "tokenizer_config.json", self._config(with_template=not template_file))
        if template_file and self.chat_template is not None:
            (repo_dir / "chat_template.jinja").write_text(self.chat_template, newline="\n")

    def _fast_form(self) -> dict[str, object]:
        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
        added = [{"id": number, **_added(token)} for token, number in self.special_ids.items()]
        bpe: dict[str, object] = {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": self.vocabulary, "merges": self.merges,
        }  # fmt: skip
        return {
            "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
            "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level, "model": bpe,
        }  # fmt: skip

    def _config(self, *, with_template: bool) -> dict[str, object]:
        added = {str(number): _added(token) for token, number in self.special_ids.items()}
        config: dict[str, object] = {
            "added_tokens_decoder": added,
            "bos_token": self.bos, "eos_token": self.eos, "pad_token": self.specials[0],
            "unk_token": self.specials[0], "model_max_length": 2048, "clean_up_tokenization_spaces": False,
            "tokenizer_class": self.cls,
        }  # fmt: skip
        if with_template and self.chat_template is not None:
            config["chat_template"] = self.chat_template
        return config


def _added(token: str) -> dict[str, object]:
    return {
        "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
        "special": True,
    }  # fmt: skip


def _chain(word: str) -> Iterator[tuple[str, str]]:
    """Yield the merges that build a word from its left end, letter by letter."""
    letters = [_BYTES[byte] for byte in word.encode()]
    for end in range(1, len(letters)):
        yield "".join(letters[:end]), letters[end]


def _byte_letters() -> dict[int, str]:
    """Return GPT-2's printable stand-in for each byte, which every byte-level tokenizer shares."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable}
    return letters | {byte: chr(256 + place) for place, byte in enumerate(others)}


_BYTES = MappingProxyType(_byte_letters())
