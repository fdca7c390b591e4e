"""`mlxk run`, `exec` and `env`."""

import os
import sys
from pathlib import Path
from typing import Any, Literal

import click

from mlxlock.cli.completing import local_names
from mlxlock.cli.finish import finish, finish_anywhere
from mlxlock.cli.options import common, common_options, selection_of, selection_options
from mlxlock.cli.verb import CHILDS, option, verb
from mlxlock.commands.env import EnvOptions
from mlxlock.commands.env import env as env_command
from mlxlock.commands.exec import ExecOptions
from mlxlock.commands.exec import exec_ as exec_command
from mlxlock.commands.run import RunOptions
from mlxlock.commands.run import run as run_command
from mlxlock.errors import UsageError
from mlxlock.planning.run_job import RUNNABLE

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@verb(
    examples=(
        "mlxk run chat",
        "mlxk run ./models/whisper-large-v3-mlx --audio hello.wav",
        'mlxk run vision "What is this?" --image photo.png',
        'mlxk run dia "Hello" --output hello.wav',
    ),
    exits=CHILDS,
)
@click.argument("model", metavar="PATH|NAME", shell_complete=local_names)
@click.argument("prompt", required=False)
@option("--image", type=_FILE, help="A picture, for vision models.")
@option("--audio", type=_FILE, help="A recording, for speech-to-text models.")
@option("--language", metavar="L", help="The language spoken, for speech models.")
@option("--system", metavar="TEXT", help="A system prompt.")
@option("--voice", metavar="V", help="A voice, for text-to-speech models.")
@option("--ref-audio", type=_FILE, help="A recording whose voice to speak with.")
@option(
    "--output", type=click.Path(path_type=Path), metavar="FILE", help="Where text-to-speech writes its WAV."
)
@option("--max-tokens", type=click.IntRange(1), metavar="N", help="The most tokens to generate.")
@option("--temperature", type=click.FloatRange(0), metavar="T", help="0, the default, is greedy.")
@option("--seed", type=click.IntRange(0, 2**32 - 1), metavar="N", help="For random numbers (0).")
@option("--kind", type=click.Choice(RUNNABLE), help="What it is for, where its files do not tell.")
@option("--trust-remote-code", is_flag=True, help="Let code that its repo ships run.")
@option(
    "--workspace-cache",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Its .hf_cache, for a model of the Hugging Face cache.",
)
@option("--online", is_flag=True, help="Let a first run fetch what it needs, and say what that was.")
@option("--no-network", is_flag=True, help="Let a sandbox see to it that it has no network.")
@common_options
def run(**given: Any) -> int:
    """Run a model, offline, in a process that sees no other cache than its workspace's.

    PATH|NAME is a model's directory, its name in models.lock, in MLXK_WORKSPACE_HOME, in MLXK_MODEL_PATH, or
    in the Hugging Face cache. Without a PROMPT on a terminal it is a chat; `-` or a pipe is a prompt too.
    """
    look, offline = common().look, common().offline
    if given["online"] and offline is not None:
        raise click.UsageError(f"`--online` and `{offline}` contradict each other")
    options = RunOptions(
        **given,
        read_stdin=_all_of_stdin,
        interactive=sys.stdin is not None and sys.stdin.isatty(),
        terminal=sys.stdout is not None and sys.stdout.isatty(),
        json=look.json,
        verbose=bool(look.verbose),
    )
    return finish_anywhere(lambda ports, project: run_command(project, ports, options))


def _all_of_stdin() -> str:
    try:
        return "" if sys.stdin is None else sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise UsageError("the prompt on stdin is not UTF-8") from error


@verb(
    "exec",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    examples=("mlxk exec -- python app.py",),
    exits=CHILDS,
)
@click.argument("argv", nargs=-1, required=True, metavar="-- COMMAND [ARGUMENT]...", type=click.UNPROCESSED)
@selection_options
@common_options
def exec_(argv: tuple[str, ...], **given: Any) -> int:
    """Run your own program, unchanged: models load by path or by repo id, pinned and offline."""
    options = ExecOptions(argv=argv, inherited=dict(os.environ), selection=selection_of(given))
    return finish(lambda ports, project: exec_command(project, ports, options), silent=True)


@verb(examples=('eval "$(mlxk env)"', "mlxk env --shell fish | source"))
@option("--shell", type=click.Choice(["sh", "fish"]), default="sh", help="Whose syntax.")
@selection_options
@common_options
def env(shell: Literal["sh", "fish"], **given: Any) -> int:
    """Print shell lines that make your programs use the workspace, pinned and offline.

    They hold until the shell ends: to be rid of them, keep them in a subshell, as in
    `(eval "$(mlxk env)"; python app.py)`. MLXK_ENV names the workspace while they hold. Where models are
    added or locked, the Hub is needed: do that in another shell.
    """
    options = EnvOptions(inherited=dict(os.environ), shell=shell, selection=selection_of(given))
    return finish(lambda ports, project: env_command(project, ports, options))
