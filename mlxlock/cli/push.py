"""`mlxk push`."""

from typing import Any

import click

from mlxlock.cli.completing import local_names
from mlxlock.cli.finish import finish_anywhere
from mlxlock.cli.options import common_options
from mlxlock.cli.verb import option, verb
from mlxlock.commands.push import PushOptions
from mlxlock.commands.push import push as command


@verb(examples=("mlxk push ./models/mine me/mine --private --dry-run",))
@click.argument("model", metavar="DIR", shell_complete=local_names)
@click.argument("repo")
@option("--private", is_flag=True, help="Go on only if the repo is private.")
@option("--create", is_flag=True, help="Make the repo when there is none.")
@option("--branch", default="main", help="The branch to commit to (main).")
@option("--message", help="The commit's first line.")
@option("--dry-run", is_flag=True, help="Say what would change there; upload nothing.")
@common_options
def push(**given: Any) -> int:
    """Make a workspace a commit on the Hub; what is not here is removed there.

    Never uploads the sentinel, a .hf_cache, git's own files, or anything that holds a token.
    """
    return finish_anywhere(lambda ports, project: command(ports, project, PushOptions(**given)))
