"""The help, as its readers need it: one sentence, grouped flags, examples that parse, exit codes."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from mlxlock import __version__
from mlxlock.cli.main import mlxk
from mlxlock.cli.verb import Verb
from mlxlock.cli.verbs import SECTIONS, VERBS
from tests.commands.site import ROOT

NAMES = sorted(VERBS)
INNER = {"MLXK_CANARY", "MLXK_MODEL", "MLXK_SERVICE", "MLXK_WITNESS"}
"""What mlxk tells its own children."""


def mlxk_says(*argv: str, **more: str) -> str:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/nowhere", **more}
    command = [sys.executable, "-m", "mlxlock", *argv]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def verb(name: str) -> Verb:
    command = mlxk.get_command(click.Context(mlxk), name)
    assert isinstance(command, Verb)
    return command


def help_of(name: str) -> str:
    root = click.Context(mlxk, info_name="mlxk", max_content_width=100, terminal_width=100)
    return verb(name).get_help(click.Context(verb(name), parent=root, info_name=name))


@pytest.mark.parametrize("name", NAMES)
def test_every_verb_is_called_as_it_is_listed(name: str) -> None:
    assert verb(name).name == name
    line = VERBS[name][1]
    assert line[0].isupper()
    assert line.endswith(".")
    assert len(line) <= 70


@pytest.mark.parametrize("name", NAMES)
def test_every_verbs_help_has_a_summary_examples_and_exit_codes(name: str) -> None:
    text = help_of(name)
    first = (verb(name).help or "").partition("\n\n")[0]
    assert first.endswith(".")
    assert "Common options:\n" in text
    assert "Examples:\n" in text
    assert "Exit codes:\n" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("name", NAMES)
def test_every_example_parses(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for file in ("hello.wav", "photo.png"):
        Path(file).touch()
    for example in verb(name).examples:
        inner = re.search(r"\$\((mlxk [^)]*)\)", example)
        words = shlex.split((inner[1] if inner else example).partition(" | ")[0], comments=True)
        assert words[:2] == ["mlxk", name]
        with verb(name).make_context(name, words[2:], parent=click.Context(mlxk)):
            pass


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_explained_and_its_variable_named(name: str) -> None:
    text = help_of(name)
    for param in verb(name).params:
        if isinstance(param, click.Option):
            assert param.help, param.name
            assert param.help.endswith((".", "...")) or param.help[-1] in ")'\"", param.help
            for variable in [param.envvar] if isinstance(param.envvar, str) else []:
                assert variable.startswith("MLXK_")
                assert f"[{variable}]" in text.replace("\n", " ")


def test_what_scripts_set_once_has_a_variable() -> None:
    found = {str(param.envvar) for name in NAMES for param in verb(name).params if param.envvar}
    assert found >= {
        *("MLXK_PROJECT", "MLXK_OFFLINE", "MLXK_NO_PROGRESS", "MLXK_CONCURRENT_DOWNLOADS"),
        *("MLXK_LOCKED", "MLXK_FROZEN", "MLXK_LINK_MODE", "MLXK_ADOPT", "MLXK_NO_SYNC", "MLXK_NO_CAPTURE"),
        *("MLXK_GROUP", "MLXK_ONLY_GROUP", "MLXK_NO_GROUP", "MLXK_REQUIRE_SANDBOX"),
    }
    assert "MLXK_NO_SANDBOX" not in found, "a variable must not take the sandbox away: only the flag may"


def test_the_first_help_lists_every_verb_under_its_heading() -> None:
    text = mlxk_says("--help")
    assert text == mlxk_says() == mlxk_says("help") == mlxk_says("-h")
    for heading, verbs in SECTIONS.items():
        part = text.partition(f"{heading}:\n")[2].partition("\n\n")[0]
        assert [line.split()[0] for line in part.splitlines()] == list(verbs)


def test_every_variable_that_is_read_is_in_some_help() -> None:
    read = {
        name
        for source in (ROOT / "mlxlock").rglob("*.py")
        for name in re.findall(r"MLXK_[A-Z_]+", source.read_text(encoding="utf-8"))
    }
    told = "".join([mlxk_says("--help"), *map(help_of, NAMES)])
    assert {"MLXK_STORE_DIR", "MLXK_WORKSPACE_HOME", "MLXK_LOCKED"} <= read
    assert {name for name in read - INNER if not re.search(rf"\b{name}\b", told)} == set()


def test_help_verb_is_verb_help() -> None:
    assert mlxk_says("help", "sync") == mlxk_says("sync", "--help") == mlxk_says("sync", "-h")
    assert mlxk_says("sync", "-h").startswith("Usage: mlxk sync ")


def test_a_variable_does_what_its_flag_does() -> None:
    assert "Usage" in mlxk_says("sync", "--help", MLXK_LOCKED="1")
    env = {"MLXK_LOCKED": "1", "MLXK_FROZEN": "1"}
    command = [sys.executable, "-m", "mlxlock", "sync"]
    base = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/nowhere"}
    done = subprocess.run(
        command, env={**base, **env}, capture_output=True, text=True, timeout=240, check=False
    )
    assert "`--locked` and `--frozen` exclude each other" in done.stderr


@pytest.mark.parametrize("argv", [("--version",), ("-V",), ("--version", "--color", "never")])
def test_the_version_names_the_program(argv: tuple[str, ...]) -> None:
    assert mlxk_says(*argv) == f"mlxlock {__version__}\n"
