"""A first run as the manifest declares it: what the sandboxed run of a model exercises.

Owns the value, the names of its keys, and how it is read from and written to a table: `models.toml` declares
first runs, `models.lock` repeats them in each `request`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from mlxlock.spec.names import RepoPath
from mlxlock.spec.readers import MAX_INTEGER, Table, plain

Compare = Literal["output", "none"]
Option = str | int | bool

TEXT_KEYS: Final = (
    "prompt",
    "image",
    "audio",
    "text",
    "language",
    "voice",
    "ref-audio",
    "ref-text",
    "system",
)
"""Keys whose value is a text, in canonical order."""
PATH_KEYS: Final = frozenset({"image", "audio", "ref-audio"})
"""Those that name a file of the project, which is all that a stranger's model may be shown of it."""
INT_KEYS: Final = {"max-tokens": (1, MAX_INTEGER), "seed": (0, 2**32 - 1)}
"""Keys whose value is an integer, and from what to what the runner and its libraries take it."""
FLAG_KEYS: Final = ("vad",)
KEYS: Final = ("name", "command", *TEXT_KEYS, *INT_KEYS, *FLAG_KEYS, "timeout-s", "memory-mb", "compare")
DEFAULT_NAME: Final = "default"
DEFAULT_TIMEOUT_S: Final = 600
MAX_TIMEOUT_S: Final = (2**31 - 1) // 1000
"""What every system can wait for: milliseconds in 32 bits."""
MAX_MEMORY_MB: Final = (2**63 - 1) >> 20
"""What a kernel can limit: bytes in 63 bits."""
COMPARE: Final[tuple[Compare, ...]] = ("output", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRun:
    """One named run.

    Attributes:
        name: How the lock's proofs call it.
        command: A project's own program instead of the built-in runner.
        options: The other keys that were given, as given (`prompt`, `audio`, ...), in canonical order.
        timeout_s: Seconds after which it is killed, waiting for downloads not counted; None for the default.
        memory_mb: MiB of memory of its own that each of its processes may have; None for no limit.
        compare: Of a `command`: `output` to compare what it prints, `none` not to; None for the default
            (`none`). What a built-in runner generates is always compared.
    """

    name: str
    command: tuple[str, ...] | None = None
    options: Mapping[str, Option] = field(default_factory=dict)
    timeout_s: int | None = None
    memory_mb: int | None = None
    compare: Compare | None = None

    def as_table(self) -> dict[str, Option | list[str]]:
        """The keys and values that declare it, in canonical order."""
        table: dict[str, Option | list[str]] = {"name": self.name}
        if self.command is not None:
            table["command"] = list(self.command)
        table |= dict(self.options)
        if self.timeout_s is not None:
            table["timeout-s"] = self.timeout_s
        if self.memory_mb is not None:
            table["memory-mb"] = self.memory_mb
        if self.compare is not None:
            table["compare"] = self.compare
        return table


def read_first_runs(parent: Table, key: str = "first-run") -> tuple[FirstRun, ...] | None:
    """The first runs below `key`: None when absent (the kind's default), `()` for `false` (never run it).

    An empty array is neither, and a problem.
    """
    if not parent.has(key):
        return None
    if parent.value(key) is False:
        return ()
    if parent.value(key) == []:
        parent.problem(
            key, "expected at least one first run, got an empty array: `false` means never to run it"
        )
    runs = [_read(table) for table in parent.tables(key)]
    _refuse_duplicates(parent, key, runs)
    return tuple(run for run in runs if run is not None)


def _read(table: Table) -> FirstRun | None:
    name = table.text("name", plain, required=True)
    command = table.texts("command", _argument) if table.has("command") else None
    options: dict[str, Option | None] = {
        key: table.text(key, _file if key in PATH_KEYS else str) for key in TEXT_KEYS
    }
    options |= {key: table.integer(key, minimum=of[0], maximum=of[1]) for key, of in INT_KEYS.items()}
    options |= {key: table.flag(key) for key in FLAG_KEYS}
    timeout_s = table.integer("timeout-s", minimum=1, maximum=MAX_TIMEOUT_S)
    memory_mb = table.integer("memory-mb", minimum=1, maximum=MAX_MEMORY_MB)
    compare = table.choice("compare", COMPARE)
    table.finish()
    given = {key: option for key, option in options.items() if option is not None}
    if command is not None:
        _check_command(table, command, given)
    elif compare == "none":
        table.problem(
            "compare", "`none` is for a `command`: what a built-in runner generates is always compared"
        )
    if {"prompt", "text"} <= given.keys():
        table.problem("text", "says what `prompt` says: give one of them")
    if name is None:
        return None
    return FirstRun(
        name=name,
        command=command,
        options=given,
        timeout_s=timeout_s,
        memory_mb=memory_mb,
        compare=compare,
    )


def _file(text: str) -> str:
    return str(RepoPath(text))


def _argument(text: str) -> str:
    if "\0" in text:
        raise ValueError("has a NUL character, which no argument of a program can have")
    return text


def _check_command(table: Table, command: tuple[str, ...], options: Mapping[str, Option]) -> None:
    if table.value("command") == []:
        table.problem("command", "expected a program and its arguments, got an empty array")
    if command[:1] == ("",):
        table.problem("command", "expected the name of a program first, got an empty string")
    for key in options:
        table.problem(key, "has no meaning beside `command`: give the program its own arguments")


def _refuse_duplicates(parent: Table, key: str, runs: list[FirstRun | None]) -> None:
    names = [run.name for run in runs if run is not None]
    for name in sorted({name for name in names if names.count(name) > 1}):
        parent.problem(key, f"two first runs are called `{name}`")
