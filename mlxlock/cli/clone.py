"""`mlxk clone` and `mlxk pull`."""

import os
from pathlib import Path
from typing import Any

import click

from mlxlock.cli.finish import finish_anywhere
from mlxlock.cli.options import common_options
from mlxlock.cli.sync import adopt_option, place_options
from mlxlock.cli.verb import option, verb
from mlxlock.cli.wiring import Choices, user_home
from mlxlock.commands.clone import CloneOptions
from mlxlock.commands.clone import clone as command
from mlxlock.workspace.homes import workspace_home


@verb(examples=("mlxk clone mlx-community/whisper-large-v3-mlx@main ./models/whisper",))
@click.argument("repo", metavar="REPO[@REVISION]")
@click.argument("directory", required=False, type=click.Path(path_type=Path), metavar="[DIR]")
@option("--revision", help="Branch, tag, refs/pr/N or commit.")
@option("--include", multiple=True, metavar="GLOB", help="Take only files that match.")
@option("--exclude", multiple=True, metavar="GLOB", help="Leave files out that match.")
@option("--dry-run", is_flag=True, help="Resolve and say what would come; write nothing.")
@adopt_option
@place_options
@common_options
def clone(**given: Any) -> int:
    """Make a workspace of one model: verified, at a commit, in a directory of its own.

    DIR defaults to the repo's name below MLXK_WORKSPACE_HOME, else here.
    """
    choices = Choices(link_mode=given.pop("link_mode"), adopt=given.pop("adopt"))
    directory = given.pop("directory")
    if directory is not None:
        directory = Path(os.path.normpath(directory.absolute()))
    home = workspace_home(os.environ, user_home()) or Path.cwd()
    options = CloneOptions(directory=directory, home=home, **given)
    return finish_anywhere(lambda ports, _: command(ports, options), choices)


@verb(examples=("mlxk pull mlx-community/Qwen3-4B-Instruct-2507-4bit@main",))
@click.argument("repo", metavar="REPO[@REVISION]")
@option("--revision", help="Branch, tag, refs/pr/N or commit.")
@option("--include", multiple=True, metavar="GLOB", help="Take only files that match.")
@option("--exclude", multiple=True, metavar="GLOB", help="Leave files out that match.")
@option("--dry-run", is_flag=True, help="Resolve and say what would come; write nothing.")
@place_options
@common_options
def pull(**given: Any) -> int:
    """For caching; use clone for managed workflows.

    Puts a snapshot into the Hugging Face cache, every byte of it compared with what the Hub asserts.
    """
    from mlxlock.commands.pull import PullOptions
    from mlxlock.commands.pull import pull as pull_command

    choices = Choices(link_mode=given.pop("link_mode"))
    return finish_anywhere(lambda ports, _: pull_command(ports, PullOptions(**given)), choices)
