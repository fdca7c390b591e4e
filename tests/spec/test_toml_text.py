"""A file that is no TOML is refused with its place, whatever its bytes are."""

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlxlock.errors import LockfileError, ManifestError
from mlxlock.spec.names import printable
from mlxlock.spec.toml_text import decode, key_text, load, shown


def refusal(text: str) -> ManifestError:
    with pytest.raises(ManifestError) as caught:
        load(text, "models.toml", ManifestError)
    return caught.value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a = 1\n\nb = ]", "`models.toml` line 3, column 5: invalid value"),
        ("a = ", "`models.toml` at its end: invalid value"),
        ("a = 1\na = 2", "`models.toml` at its end: a key is given twice"),
        ("[a.b]\n[a.b]\n", "`models.toml` line 2, column 5: `a.b` is declared twice"),
        ("[a]\n[a]\n", "`models.toml` line 2, column 3: `a` is declared twice"),
        ('a = "\0"', r"`models.toml` line 1, column 6: illegal character '\x00'"),
        ("\ufeffa = 1", "`models.toml` line 1: the file starts with a byte order mark"),
        ("a = " + "[" * 5000, "`models.toml` is nested too deeply"),
        ("a = 1\n<<<<<<< HEAD\na = 2", "`models.toml` line 2: git left a merge conflict here"),
    ],
)
def test_syntax_errors_have_a_place(text: str, reason: str) -> None:
    assert refusal(text).reason == reason


def test_an_integer_of_thousands_of_digits_is_an_error_of_the_file() -> None:
    assert refusal("a = " + "9" * 5000).reason.startswith("`models.toml` cannot be read: exceeds the limit")


def test_a_merge_conflict_says_how_to_end_it() -> None:
    assert (
        refusal("=======\n").hint == "take one side (`git checkout --ours models.toml`), then run `mlxk lock`"
    )


def test_marker_like_lines_inside_of_strings_are_no_conflict() -> None:
    assert load('a = """\n=======\n"""', "models.toml", ManifestError) == {"a": "=======\n"}


def test_the_error_is_of_the_kind_that_was_asked_for() -> None:
    with pytest.raises(LockfileError):
        load("a = ", "models.lock", LockfileError)


def test_bytes_that_are_no_text_are_refused_with_their_line() -> None:
    assert decode("ä\n".encode(), "models.lock", LockfileError) == "ä\n"
    with pytest.raises(LockfileError, match=r"`models.lock` is not UTF-8 \(line 2\)"):
        decode(b"a = 1\nb = '\xff'\n", "models.lock", LockfileError)


@given(st.text())
@example("[[" * 2000)
@example("a.b = 1\na = 2")
@example('"\x1b" = 1')
def test_any_text_is_read_or_refused_as_the_file_it_is(text: str) -> None:
    with suppress(ManifestError):
        load(text, "models.toml", ManifestError)


@given(st.text(min_size=1))
def test_no_syntax_error_can_steer_a_terminal(text: str) -> None:
    assert printable(refusal(f"[{text}]\n[{text}]\n= ").reason)


@given(st.text(max_size=400))
def test_whatever_is_shown_is_printable_and_short(text: str) -> None:
    assert printable(shown(text))
    assert len(shown(text)) <= 10 * 201


@given(st.text(alphabet="abc é-", max_size=50))
def test_harmless_text_is_shown_as_it_is(text: str) -> None:
    assert shown(text) == text


@given(st.text(max_size=100).filter(printable))
def test_key_text_is_the_key_that_toml_reads(key: str) -> None:
    if "\\" not in key:
        assert load(f"{key_text(key)} = 1", "models.toml", ManifestError) == {key: 1}
