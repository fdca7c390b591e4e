"""Digests are what `git`, `sha256sum` and `b3sum` print, so that anyone can check them without mlxlock."""

import hashlib

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from mlxlock.spec.digest import (
    EMPTY_BLAKE3,
    Blake3,
    GitOid,
    Sha256,
    content_hash,
    digest_lines,
    git_blob_header,
    short_id,
    tree_digest,
)

PATHS = st.text(alphabet="aBä/~\U0001f600\uffee", min_size=1, max_size=6)


def test_digests_are_lower_case_hex_of_one_length() -> None:
    assert Blake3(EMPTY_BLAKE3) == blake3(b"").hexdigest()
    assert Sha256("0" * 64) == "0" * 64
    assert GitOid("0" * 40) == "0" * 40


@pytest.mark.parametrize("text", ["", "0" * 63, "0" * 65, "A" * 64, "g" * 64, "0" * 64 + "\n", "\u0660" * 64])
def test_what_is_no_digest_is_refused(text: str) -> None:
    for kind in (Blake3, Sha256):
        with pytest.raises(ValueError, match="is not a digest of 64 hex digits"):
            kind(text)


@pytest.mark.parametrize("text", ["", "0" * 39, "0" * 64, "A" * 40, "0" * 40 + "\n"])
def test_what_is_no_blob_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a git blob id of 40 hex digits"):
        GitOid(text)


def test_a_blob_is_named_as_git_names_it() -> None:
    empty, hello = b"", b"hello\n"
    assert hashlib.sha1(git_blob_header(0) + empty).hexdigest() == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert hashlib.sha1(git_blob_header(6) + hello).hexdigest() == "ce013625030ba8dba906f756967f9e9ca394464a"


def test_lines_are_those_of_the_command_line_tools() -> None:
    digests = {"b": "1" * 64, "a/x": "2" * 64}
    assert digest_lines(digests) == f"{'2' * 64}  a/x\n{'1' * 64}  b\n".encode()


def test_lines_are_sorted_by_bytes_and_not_by_characters() -> None:
    # In UTF-16, which some languages sort by, the first of these comes last.
    lines = digest_lines({"\U0001f600": "1", "\uffee": "2", "B": "3", "a": "4"}).decode().splitlines()
    assert [line[-1] for line in lines] == ["B", "a", "\uffee", "\U0001f600"]


@given(st.dictionaries(PATHS, st.binary(max_size=3), max_size=5))
def test_the_order_of_files_does_not_count(files: dict[str, bytes]) -> None:
    digests = {path: Blake3(blake3(data).hexdigest()) for path, data in files.items()}
    assert tree_digest(dict(reversed(digests.items()))) == tree_digest(digests)


@given(
    st.dictionaries(PATHS, st.binary(max_size=2), max_size=3),
    st.dictionaries(PATHS, st.binary(max_size=2), max_size=3),
)
def test_two_trees_share_a_digest_only_when_they_are_equal(
    first: dict[str, bytes], second: dict[str, bytes]
) -> None:
    blake3s = [
        {path: Blake3(blake3(data).hexdigest()) for path, data in files.items()} for files in (first, second)
    ]
    shas = [
        {path: Sha256(hashlib.sha256(data).hexdigest()) for path, data in files.items()}
        for files in (first, second)
    ]
    assert (tree_digest(blake3s[0]) == tree_digest(blake3s[1])) == (first == second)
    assert (content_hash(shas[0]) == content_hash(shas[1])) == (first == second)


def test_each_hash_says_what_it_is() -> None:
    assert tree_digest({}) == f"blake3:{EMPTY_BLAKE3}"
    assert content_hash({}) == f"sha256:{hashlib.sha256(b'').hexdigest()}"


def test_short_ids_follow_from_the_lines() -> None:
    assert short_id(["a", "b"]) == blake3(b"a\nb\n").hexdigest()[:8]
    assert short_id(["a", "b"]) != short_id(["b", "a"])
    assert short_id(["ab"]) != short_id(["a", "b"])
