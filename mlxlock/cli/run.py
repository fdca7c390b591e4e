"""`mlxk run`, `exec` and `env`."""

import os
from pathlib import Path
from typing import Any, Literal

import click

from mlxlock.cli.completing import model_names
from mlxlock.cli.finish import finish
from mlxlock.cli.options import common_options
from mlxlock.cli.verb import CHILDS, option, verb
from mlxlock.commands.env import EnvOptions
from mlxlock.commands.env import env as env_command
from mlxlock.commands.exec import ExecOptions
from mlxlock.commands.exec import exec_ as exec_command
from mlxlock.commands.run import RunOptions
from mlxlock.commands.run import run as run_command

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@verb(
    examples=(
        'mlxk run chat "Write a haiku" --max-tokens 64',
        "mlxk run asr --audio hello.wav",
        'mlxk run vision "What is this?" --image photo.png',
    ),
    exits=CHILDS,
)
@click.argument("model", shell_complete=model_names)
@click.argument("prompt", required=False)
@option("--image", type=_FILE, help="A picture, for vision models.")
@option("--audio", type=_FILE, help="A recording, for speech-to-text models.")
@option("--language", help="The language spoken, for speech models.")
@option("--system", help="A system prompt.")
@option("--voice", help="A voice, for text-to-speech models.")
@option("--output", type=click.Path(path_type=Path), help="Where to write the sound.")
@option("--max-tokens", type=click.IntRange(1), help="The most tokens to generate.")
@option("--temperature", type=click.FloatRange(0), help="0 is greedy.")
@option("--seed", type=click.IntRange(0), help="For every random number generator.")
@common_options
def run(**given: Any) -> int:
    """Run a locked model from the workspace, offline."""
    options = RunOptions(inherited=dict(os.environ), **given)
    return finish(lambda ports, project: run_command(project, ports, options), silent=True)


@verb(
    "exec",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    examples=("mlxk exec -- python app.py",),
    exits=CHILDS,
)
@click.argument("argv", nargs=-1, required=True, metavar="-- COMMAND [ARGUMENT]...", type=click.UNPROCESSED)
@common_options
def exec_(argv: tuple[str, ...]) -> int:
    """Run your own program, unchanged: models load by path or by repo id, pinned and offline."""
    options = ExecOptions(argv=argv, inherited=dict(os.environ))
    return finish(lambda ports, project: exec_command(project, ports, options), silent=True)


@verb(examples=('eval "$(mlxk env)"', "mlxk env --shell fish | source"))
@option("--shell", type=click.Choice(["sh", "fish"]), default="sh", help="Whose syntax.")
@common_options
def env(shell: Literal["sh", "fish"]) -> int:
    """Print shell lines that make your programs use the workspace, pinned and offline."""
    options = EnvOptions(inherited=dict(os.environ), shell=shell)
    return finish(lambda ports, project: env_command(project, ports, options))
