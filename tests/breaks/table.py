"""The rows of the tables, and how a break is put into a file and taken out again."""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One row.

    Attributes:
        source: The table's name.
        says: What is promised, and where.
        test: The pytest node that holds it; may name a parametrised test as a whole.
        file: The file to break, relative to the root.
        old: Text that stands exactly once in it.
        new: What the break writes instead.
    """

    source: str
    says: str
    test: str
    file: str
    old: str
    new: str

    @property
    def path(self) -> Path:
        """The file to break."""
        return ROOT / self.file

    @property
    def test_file(self) -> Path:
        """The file that holds the test."""
        return ROOT / self.test.partition("::")[0]

    @property
    def test_name(self) -> str:
        """The test's function, without its class and parameters."""
        return self.test.rpartition("::")[2].partition("[")[0]


def promises() -> tuple[Promise, ...]:
    """Every row of every table, in the order of the files."""
    tables = sorted(HERE.glob("*.toml"))
    return tuple(
        Promise(source=table.stem, **row)
        for table in tables
        for row in tomllib.loads(table.read_text(encoding="utf-8"))["promise"]
    )


@contextmanager
def broken(promise: Promise) -> Iterator[None]:
    """Break the file for the length of a `with`.

    Raises:
        ValueError: The text to replace does not stand exactly once in it.
    """
    whole = promise.path.read_bytes()
    old, new = promise.old.encode(), promise.new.encode()
    if whole.count(old) != 1:
        raise ValueError(f"`{promise.old}` stands {whole.count(old)} times in `{promise.file}`, not once")
    try:
        promise.path.write_bytes(whole.replace(old, new))
        yield
    finally:
        promise.path.write_bytes(whole)
