"""RESULT.json as a stranger may have left it: what is no plain answer is none, and nobody waits for it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mlxlock.steps.result import read_result


def linked(path: Path) -> None:
    target = path.with_name("elsewhere")
    target.write_text('{"ok": true}')
    path.symlink_to(target)


STRANGE: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: path,
    "a pipe": os.mkfifo,
    "a link": linked,
    "a directory": Path.mkdir,
    "too deep": lambda path: path.write_text("[" * 500_000),
    "too long": lambda path: path.write_text('{"a": "%s"}' % ("a" * (1 << 20))),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\xfd"),
    "no object": lambda path: path.write_text("[1]"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_no_plain_answer_is_none(tmp_path: Path, name: str) -> None:
    STRANGE[name](tmp_path / "result.json")
    assert read_result(tmp_path / "result.json") == {}


def test_a_plain_one_is_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text('{"ok": true}')
    assert read_result(tmp_path / "result.json") == {"ok": True}
