"""The ownership list: the same bytes everywhere, and no text in it names a path outside the workspace."""

import shutil
import subprocess
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from mlxlock.spec.digest import Blake3
from mlxlock.spec.names import RepoPath
from mlxlock.workspace.ownership import during, finished, format_ownership, parse_ownership

A, B = Blake3("a" * 64), Blake3("b" * 64)

components = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=8)


def _is_path(text: str) -> bool:
    try:
        RepoPath(text)
    except ValueError:
        return False
    return True


paths = st.lists(components, min_size=1, max_size=3).map("/".join).filter(_is_path).map(RepoPath)
targets = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).map(lambda target: f"-> {target}")
contents = st.one_of(targets, st.binary(min_size=32, max_size=32).map(lambda raw: str(Blake3(raw.hex()))))
owned = st.dictionaries(paths, contents, max_size=6)


@given(owned)
def test_what_was_formatted_is_parsed(after: dict[RepoPath, str]) -> None:
    packed = format_ownership(finished(after))
    assert parse_ownership(packed) == finished(after)
    assert packed == format_ownership(finished(dict(reversed(after.items()))))


@given(owned, owned)
def test_while_an_apply_runs_both_contents_are_ours(
    before: dict[RepoPath, str], after: dict[RepoPath, str]
) -> None:
    claims = parse_ownership(format_ownership(during(finished(before), after)))
    assert set(claims) == {*before, *after}
    for path in claims:
        wanted = {content[path] for content in (before, after) if path in content}
        assert set(claims[path]) == wanted
        assert len(claims[path]) == len(wanted)


@pytest.mark.parametrize(
    "line",
    [
        f"{A}  ../outside",
        f"{A}  /etc/passwd",
        f"{A}  m/../../outside",
        f"{A}  m//a",
        f"{A}  m/.git/config",
        f"{A}  m\\a",
        f"{A}  ",
        f"{A} m/a",
        f"{A[1:]}  m/a",
        f"{A.upper()}  m/a",
        "-> %ff  m/a",
        "->  m/a",
        "",
    ],
)
def test_a_line_that_we_would_not_write_spoils_the_list(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each says something else
        parse_ownership(f"{A}  m/good\n{line}\n".encode())


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise_anything_else(packed: bytes) -> None:
    try:
        claims = parse_ownership(packed)
    except ValueError:
        return
    assert all(_is_path(path) for path in claims)


def test_a_list_that_was_cut_off_is_refused() -> None:
    packed = format_ownership(finished({RepoPath("m/a"): A, RepoPath("m/b"): B}))
    for cut in range(1, len(packed)):
        if not packed[:cut].endswith(b"\n"):
            with pytest.raises(ValueError):  # noqa: PT011 - each says something else
                parse_ownership(packed[:cut])


def test_lines_are_sorted_bytewise_and_readable_by_b3sum(tmp_path: Path) -> None:
    after = {
        RepoPath(name): Blake3(blake3(name.encode()).hexdigest()) for name in ("m/Z", "m/a", "m/é  x", "M/a")
    }
    for path in after:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(path)
    packed = format_ownership(finished({**after, RepoPath("m/link"): "-> ../a  b\n"}))
    ordered = [line.split(b"  ", 1)[1] for line in packed.splitlines()]
    assert ordered == sorted(ordered)
    assert b"-> ../a%20%20b%0A  m/link\n" in packed
    if (b3sum := shutil.which("b3sum")) is not None:
        sums = b"".join(line for line in packed.splitlines(keepends=True) if not line.startswith(b"->"))
        subprocess.run([b3sum, "--check"], input=sums, cwd=tmp_path, check=True, timeout=60)
