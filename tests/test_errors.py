"""The closed list of errors: a code of its own, an agreed exit code and a line in the drawing for each."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlxlock import errors
from mlxlock.errors import CheckError, InterruptError, MlxlockError, PartialError, WorkError

DRAWN = re.compile(r"^[\s│├└─]*(\w+) +([a-z-]+)(?: |$)", re.MULTILINE)


def tree(root: type[MlxlockError]) -> Iterator[type[MlxlockError]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


ALL = [error for error in tree(MlxlockError) if error.__module__ == errors.__name__]


def test_each_has_a_code_of_its_own() -> None:
    codes = [error.code for error in ALL]
    assert len(set(codes)) == len(codes)
    assert all("code" in vars(error) for error in ALL), "none inherits its parent's"


def test_the_drawing_shows_each_with_its_code() -> None:
    assert errors.__doc__
    drawn = dict(DRAWN.findall(errors.__doc__.partition("Adapters translate")[0].partition("::")[2]))
    assert drawn == {error.__name__: error.code for error in ALL}


@pytest.mark.parametrize("error", ALL)
def test_exit_codes_are_the_agreed_ones(error: type[MlxlockError]) -> None:
    expected = next(
        (
            code
            for kind, code in ((CheckError, 1), (WorkError, 2), (PartialError, 3), (InterruptError, 130))
            if issubclass(error, kind)
        ),
        2,
    )
    assert error.exit_code == expected


def test_negative_answers_take_their_codes_from_the_tree() -> None:
    rooms = Path(errors.__file__).parent
    sources = [*rooms.glob("commands/*.py"), *rooms.glob("steps/*.py")]
    said = "".join(source.read_text(encoding="utf-8") for source in sources)
    taken = set(re.findall(r"error_code=[^\n]*?\b(\w+)\.code\b", said))
    assert taken >= {"ChildError", "DriftError", "PolicyError", "ProofError", "UnhealthyError"}
    assert taken <= {error.__name__ for error in ALL}
    assert not re.findall(r"error_code=[^\n]*\"[^\n]*", said)


def test_no_module_but_this_one_adds_to_the_tree() -> None:
    import mlxlock.cli.main  # noqa: F401, PLC0415 - whoever would add one is imported by now

    assert [error for error in tree(MlxlockError) if error.__module__.startswith("mlxlock.cli")] == []
