"""Typed values out of TOML tables, each with its place: `models.toml` and `models.lock` are read by this.

Owns how problems are found, placed and worded; all of a file's problems are gathered and raised together.
Knows no key of either file, and reads no file itself.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from mlxlock.spec.names import printable
from mlxlock.spec.toml_text import FileError, key_text, load, shown

T = TypeVar("T")
K = TypeVar("K")

MAX_INTEGER: Final = 2**63 - 1
"""The largest integer every TOML reader has to understand."""
MAX_LISTED: Final = 50
"""So many problems are told; the rest is counted."""
_TYPES: Final = (
    (bool, "a boolean"),
    (str, "a string"),
    (int, "an integer"),
    (float, "a float"),
    (list, "an array"),
    (dict, "a table"),
)
"""What TOML calls each type. A `bool` is an `int` too: the order matters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with a file.

    Attributes:
        place: Where, as in `models.asr.first-run[0].audio`; empty for the file as a whole.
        text: What is wrong there.
        hint: What would cure it.
    """

    place: str
    text: str
    hint: str | None = None

    def __str__(self) -> str:
        return f"`{self.place}`: {self.text}" if self.place else self.text


class Problems:
    """All that is wrong with one file, in the order it was found.

    Attributes:
        unknown_pass: Whether keys that nobody asked for are none: the file is of a later revision than ours.
    """

    __slots__ = ("_found", "unknown_pass")

    def __init__(self, *, unknown_pass: bool = False) -> None:
        self.unknown_pass = unknown_pass
        self._found: list[Problem] = []

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._found)

    def add(self, place: str, text: str, hint: str | None = None) -> None:
        """Remember one more."""
        self._found.append(Problem(place=place, text=text, hint=hint))

    def lines(self) -> tuple[str, ...]:
        """One line a problem, the first `MAX_LISTED` of them."""
        lines = tuple(str(problem) for problem in self._found[:MAX_LISTED])
        rest = len(self._found) - len(lines)
        return (*lines, f"and {rest} more") if rest else lines

    def raise_as(self, error: FileError, name: str) -> None:
        """Raise everything that was found as one error; do nothing when nothing was.

        Args:
            error: Which file's error.
            name: The file's name, as the user knows it.

        Raises:
            ManifestError: There are problems, and this is what was asked for.
            LockfileError: Likewise.
        """
        if self._found:
            count = "a problem" if len(self._found) == 1 else f"{len(self._found)} problems"
            hint = next((problem.hint for problem in self._found if problem.hint), None)
            raise error(f"`{name}` has {count}", hint=hint, details=self.lines())


class Table:
    """One TOML table, read key by key.

    A reader returns None (or nothing, for the plural ones) when the key is absent or wrong; what is wrong is
    in `problems` afterwards. `finish()` reports the keys that nobody asked for.

    Attributes:
        raw: The table as `tomllib` gave it.
        place: Where it is in the file; empty for the root.
        problems: Where problems go.
    """

    __slots__ = ("_asked", "place", "problems", "raw")

    def __init__(self, raw: Mapping[str, object], place: str, problems: Problems) -> None:
        self.raw = raw
        self.place = place
        self.problems = problems
        self._asked: set[str] = set()

    def at(self, key: str) -> str:
        """The place of one of its keys."""
        return f"{self.place}.{key_text(key)}" if self.place else key_text(key)

    def problem(self, key: str | None, text: str, hint: str | None = None) -> None:
        """Report a problem with one key, or (None) with the table as a whole."""
        self.problems.add(self.place if key is None else self.at(key), text, hint)

    def has(self, key: str) -> bool:
        """Whether the key is there, with whatever value."""
        self._asked.add(key)
        return key in self.raw

    def value(self, key: str) -> object:
        """The value as `tomllib` gave it, or None; whoever asks has to judge it."""
        self._asked.add(key)
        return self.raw.get(key)

    def text(self, key: str, parse: Callable[[str], T], *, required: bool = False) -> T | None:
        """A string, made a `T` by `parse`, whose `ValueError` becomes the problem."""
        value = self._value(key, required=required)
        return None if value is None else self._parsed(value, key, None, parse)

    def choice(self, key: str, options: Sequence[T], *, required: bool = False) -> T | None:
        """A string that is one of `options`."""
        return self.text(key, one_of(options), required=required)

    def integer(
        self, key: str, *, minimum: int = 0, maximum: int = MAX_INTEGER, required: bool = False
    ) -> int | None:
        """An integer from `minimum` to `maximum`."""
        value = self._value(key, required=required)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            self.problem(key, f"expected an integer, got {toml_type(value)}")
            return None
        if not minimum <= value <= maximum:
            than = "smaller" if value < minimum else "larger"
            self.problem(key, f"expected an integer from {minimum} to {maximum}, got a {than} one")
            return None
        return value

    def flag(self, key: str, *, required: bool = False) -> bool | None:
        """A boolean."""
        value = self._value(key, required=required)
        if value is None or isinstance(value, bool):
            return value
        self.problem(key, f"expected true or false, got {toml_type(value)}")
        return None

    def texts(self, key: str, parse: Callable[[str], T], *, required: bool = False) -> tuple[T, ...]:
        """An array of strings, each made a `T`; those that are wrong are left out."""
        items = self._items(key, "strings", required=required)
        parsed = (self._parsed(item, key, index, parse) for index, item in enumerate(items))
        return tuple(item for item in parsed if item is not None)

    def table(self, key: str, *, required: bool = False) -> "Table | None":
        """A table below this one."""
        value = self._value(key, required=required)
        return None if value is None else self._table(value, key, None)

    def tables(self, key: str, *, required: bool = False) -> tuple["Table", ...]:
        """An array of tables, inline or not."""
        items = self._items(key, "tables", required=required)
        found = (self._table(item, key, index) for index, item in enumerate(items))
        return tuple(table for table in found if table is not None)

    def named(self, key: str, parse: Callable[[str], T]) -> Iterator[tuple[T | None, "Table"]]:
        """The tables below `[key]`, by name, made a `T`: `[models.chat]`, `[models.asr]`, ..."""
        parent = self.table(key)
        if parent is None:
            return
        for name in parent.raw:
            child = parent.table(name)
            if child is not None:
                yield parent.key(name, parse), child

    def mapping(self, key: str, parse_key: Callable[[str], K], parse: Callable[[str], T]) -> dict[K, T]:
        """A table of strings, its keys made `K`s and its values `T`s; those that are wrong are left out."""
        table = self.table(key)
        if table is None:
            return {}
        pairs = ((table.key(name, parse_key), table.text(name, parse)) for name in table.raw)
        return {name: value for name, value in pairs if name is not None and value is not None}

    def key(self, key: str, parse: Callable[[str], T]) -> T | None:
        """One of the table's own keys, made a `T`: for tables whose keys are names that a person gave."""
        return self._parsed(key, key, None, parse)

    def unknown(self) -> tuple[str, ...]:
        """The keys that nobody asked for, in the file's order."""
        return tuple(key for key in self.raw if key not in self._asked)

    def finish(self) -> None:
        """Report each key that nobody asked for, with the nearest that somebody did ask for.

        No more of them than are ever told: a hostile file may hold many, and each search costs.
        """
        unknown = () if self.problems.unknown_pass else self.unknown()
        for key in unknown[:MAX_LISTED]:
            self.problem(None, _unknown_key(key, self._asked))

    def _value(self, key: str, *, required: bool) -> object:
        value = self.value(key)
        if value is None and required:
            self.problem(None, f"`{key}` is missing")
        return value

    def _items(self, key: str, what: str, *, required: bool) -> Sequence[object]:
        value = self._value(key, required=required)
        if value is None:
            return ()
        if isinstance(value, list):
            return value
        self.problem(key, f"expected an array of {what}, got {toml_type(value)}")
        return ()

    def _place(self, key: str, index: int | None) -> str:
        return self.at(key) if index is None else f"{self.at(key)}[{index}]"

    def _table(self, value: object, key: str, index: int | None) -> "Table | None":
        place = self._place(key, index)
        if isinstance(value, dict):
            return Table(value, place, self.problems)
        self.problems.add(place, f"expected a table, got {toml_type(value)}")
        return None

    def _parsed(self, value: object, key: str, index: int | None, parse: Callable[[str], T]) -> T | None:
        if not isinstance(value, str):
            self.problems.add(self._place(key, index), f"expected a string, got {toml_type(value)}")
            return None
        try:
            return parse(value)
        except ValueError as error:
            self.problems.add(self._place(key, index), shown(str(error)))
            return None


def plain(text: str) -> str:
    """A text that is safe to show and has something to show.

    Raises:
        ValueError: It is empty, or has control, format or line-separating characters.
    """
    if not text or not printable(text):
        raise ValueError(f"{text!r} is empty or has control characters")
    return text


def one_of(options: Sequence[T]) -> Callable[[str], T]:
    """What takes a text for that one of `options` which it equals, and refuses any other."""

    def parse(text: str) -> T:
        for option in options:
            if option == text:
                return option
        raise ValueError(_not_among(text, [str(option) for option in options]))

    return parse


def toml_type(value: object) -> str:
    """What TOML calls the type of a value, with its article."""
    return next((words for kind, words in _TYPES if isinstance(value, kind)), "a date or time")


def did_you_mean(text: str, known: Iterable[str]) -> str:
    """`, did you mean …?` when something known is near, else nothing."""
    near = difflib.get_close_matches(text[:100], sorted(known), n=1)
    return f", did you mean `{near[0]}`?" if near else ""


def _unknown_key(key: str, known: Iterable[str]) -> str:
    return f"unknown key `{shown(key)}`{did_you_mean(key, known)}"


def _not_among(text: str, options: Sequence[str]) -> str:
    listed = ", ".join(f"`{option}`" for option in options)
    return f"expected one of {listed}, got `{shown(text)}`{did_you_mean(text, options)}"


def load_toml(text: str, name: str, error: FileError) -> Table:
    """The root table of a document.

    Args:
        text: The file's text.
        name: The file's name, as the user knows it.
        error: What to raise when it is no TOML.

    Raises:
        ManifestError: The text is no TOML, and this is what was asked for.
        LockfileError: Likewise.
    """
    return Table(load(text, name, error), "", Problems())
