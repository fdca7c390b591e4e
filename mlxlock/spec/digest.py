"""Digests, and how digests of trees are made. Owns the algorithms' names; hashes no file itself.

Sources: git's blob object for `GitOid`; BLAKE3 and SHA-256 as `b3sum` and `sha256sum` print them.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Final, Self

from blake3 import blake3

_HEX64: Final = re.compile(r"[0-9a-f]{64}")
_HEX40: Final = re.compile(r"[0-9a-f]{40}")
EMPTY_BLAKE3: Final = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"


class _Hex64(str):
    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check and wrap `text`.

        Raises:
            ValueError: Not 64 lower-case hex digits.
        """
        if not _HEX64.fullmatch(text):
            raise ValueError(f"{text!r} is not a digest of 64 hex digits")
        return super().__new__(cls, text)


class Sha256(_Hex64):
    """A SHA-256: what the Hub asserts of LFS files, and what we saw of all others."""

    __slots__ = ()


class Blake3(_Hex64):
    """A BLAKE3: the name of a blob in the store."""

    __slots__ = ()


class GitOid(str):
    """A git blob's SHA-1: what the Hub asserts of files that git itself holds.

    Raises:
        ValueError: Not 40 lower-case hex digits.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check and wrap `text`."""
        if not _HEX40.fullmatch(text):
            raise ValueError(f"{text!r} is not a git blob id of 40 hex digits")
        return super().__new__(cls, text)


def git_blob_header(size_bytes: int) -> bytes:
    """What git hashes before a blob's bytes."""
    return b"blob %d\0" % size_bytes


def digest_lines(digests: Mapping[str, str]) -> bytes:
    """`<hex>  <path>` lines sorted bytewise by path, as `b3sum` and `sha256sum` print them."""
    ordered = sorted(digests.items(), key=lambda item: item[0].encode())
    return b"".join(f"{digest}  {path}\n".encode() for path, digest in ordered)


def tree_digest(digests: Mapping[str, Blake3]) -> str:
    """The `digest` of a snapshot: `blake3:` + BLAKE3 of its digest lines (formats.md §2.5)."""
    return "blake3:" + blake3(digest_lines(digests)).hexdigest()


def content_hash(digests: Mapping[str, Sha256]) -> str:
    """The sentinel's `content_hash`: `sha256:` + SHA-256 of its digest lines (formats.md §3)."""
    return "sha256:" + hashlib.sha256(digest_lines(digests)).hexdigest()


def short_id(lines: Iterable[str]) -> str:
    """Eight hex digits that follow from the lines' content, for environments."""
    return blake3("".join(f"{line}\n" for line in lines).encode()).hexdigest()[:8]
