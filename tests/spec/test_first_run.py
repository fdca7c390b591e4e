"""First runs as both files declare them: each problem placed, and nothing said that has no meaning."""

import tomllib

import pytest

from mlxlock.spec.first_run import FirstRun, read_first_runs
from mlxlock.spec.readers import Problems, Table


def read(text: str) -> tuple[tuple[FirstRun, ...] | None, tuple[str, ...]]:
    table = Table(tomllib.loads(text), "", Problems())
    return read_first_runs(table), table.problems.lines()


def test_absent_is_the_default_and_false_is_never() -> None:
    assert read("") == (None, ())
    assert read("first-run = false") == ((), ())


def test_every_key_is_read_and_written_in_one_order() -> None:
    given = 'compare = "output", seed = 1, timeout-s = 2, memory-mb = 9, vad = true, prompt = "p", name = "n"'
    text = f"first-run = [{{ {given} }}]"
    (found,), problems = read(text)[0] or (), read(text)[1]
    assert problems == ()
    assert list(found.as_table()) == ["name", "prompt", "seed", "vad", "timeout-s", "memory-mb", "compare"]


@pytest.mark.parametrize(
    ("runs", "told"),
    [
        ("true", "`first-run`: expected an array of tables, got a boolean"),
        ("[{}]", "`first-run[0]`: `name` is missing"),
        (
            '[{ name = "a", command = [] }]',
            "`first-run[0].command`: expected a program and its arguments, got an empty array",
        ),
        (
            '[{ name = "a", prompt = "p", text = "t" }]',
            "`first-run[0].text`: says what `prompt` says: give one of them",
        ),
        (
            '[{ name = "a", command = ["x"], prompt = "p" }]',
            "`first-run[0].prompt`: has no meaning beside `command`: give the program its own arguments",
        ),
        (
            '[{ name = "a", command = ["python", "-c", "x\\u0000"] }]',
            "`first-run[0].command[2]`: has a NUL character, which no argument of a program can have",
        ),
        (
            '[{ name = "a", command = ["", "x"] }]',
            "`first-run[0].command`: expected the name of a program first, got an empty string",
        ),
        ("[]", "`first-run`: expected at least one first run, got an empty array: `false` means never"),
        (
            '[{ name = "a", compare = "none" }]',
            "`first-run[0].compare`: `none` is for a `command`: what a built-in runner generates is always",
        ),
        (
            '[{ name = "a", memory-mb = 9223372036854775807 }]',
            "`first-run[0].memory-mb`: expected an integer from 1 to 8796093022207, got a larger one",
        ),
        (
            '[{ name = "a", timeout-s = 2147484 }]',
            "`first-run[0].timeout-s`: expected an integer from 1 to 2147483, got a larger one",
        ),
        (
            '[{ name = "a", seed = 4294967296 }]',
            "`first-run[0].seed`: expected an integer from 0 to 4294967295, got a larger one",
        ),
        (
            '[{ name = "a", max-tokens = 0 }]',
            "`first-run[0].max-tokens`: expected an integer from 1 to 9223372036854775807, got a smaller one",
        ),
        ('[{ name = "a" }, { name = "a" }]', "`first-run`: two first runs are called `a`"),
        ('[{ name = "a", audio = "/etc/passwd" }]', "`first-run[0].audio`: '/etc/passwd' is not a relative"),
        ('[{ name = "a", image = "../x.png" }]', "`first-run[0].image`: '../x.png' has an empty"),
        ('[{ name = "a", ref-audio = ".git/x" }]', "`first-run[0].ref-audio`: '.git/x' has"),
        ('[{ name = "a", memory-mb = 0 }]', "`first-run[0].memory-mb`: expected an integer from 1 to"),
        ('[{ name = "a", timeout-s = 0 }]', "`first-run[0].timeout-s`: expected an integer from 1 to"),
    ],
)
def test_what_is_wrong_is_placed(runs: str, told: str) -> None:
    (line,) = read(f"first-run = {runs}")[1]
    assert line.startswith(told)
