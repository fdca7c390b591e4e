"""The tables stay true: each break still fits its file, and each test is still there."""

import ast

import pytest

from tests.breaks.table import Promise, broken, promises

ROWS = promises()


def _id(promise: Promise) -> str:
    return f"{promise.source}:{promise.test_name}"


@pytest.mark.parametrize("promise", ROWS, ids=_id)
def test_a_break_fits_its_file_exactly_once_and_changes_it(promise: Promise) -> None:
    text = promise.path.read_text(encoding="utf-8")
    assert text.count(promise.old) == 1
    assert promise.old != promise.new


@pytest.mark.parametrize("promise", ROWS, ids=_id)
def test_the_test_of_a_promise_exists(promise: Promise) -> None:
    tree = ast.parse(promise.test_file.read_text(encoding="utf-8"))
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert promise.test_name in functions


def test_a_broken_file_is_put_back() -> None:
    promise = ROWS[0]
    before = promise.path.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        _interrupted_while_broken(promise, before)
    assert promise.path.read_bytes() == before


def _interrupted_while_broken(promise: Promise, before: bytes) -> None:
    with broken(promise):
        assert promise.path.read_bytes() != before
        raise KeyboardInterrupt
