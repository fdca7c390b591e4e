"""`mlxk list`, `show`, `health` and `rm`: the models on this machine. They need no project."""

import sys
from collections.abc import Sequence
from typing import Any

import click

from mlxlock.cli.completing import local_names
from mlxlock.cli.finish import finish_anywhere
from mlxlock.cli.options import common, common_options
from mlxlock.cli.verb import option, verb
from mlxlock.errors import UsageError


@verb("list", examples=("mlxk list", "mlxk list --origin whisper", "mlxk list ./models"))
@click.argument("pattern", required=False, metavar="[PATTERN|DIR]")
@option("--all", "all", is_flag=True, help="Old snapshots and repos without weights, too.")
@option("--origin", is_flag=True, help="With the repo that each came from.")
@option("--full-paths", is_flag=True, help="Directories in place of names.")
@common_options
def list_(**given: Any) -> int:
    """List the models on this machine: this project's, the workspace home's, and the Hugging Face cache's.

    PATTERN is a part of their names; DIR, spelled as a path (./models), is a directory of workspaces to list.
    """
    from mlxlock.commands.list_models import ListOptions, list_models

    return finish_anywhere(lambda ports, project: list_models(ports, project, ListOptions(**given)))


@verb(examples=("mlxk show ./models/whisper --files",))
@click.argument("model", metavar="NAME|PATH", shell_complete=local_names)
@option("--files", is_flag=True, help="Name every file, with its size and SHA-256.")
@common_options
def show(**given: Any) -> int:
    """Show what a model is, where it came from, and whether it was modified."""
    from mlxlock.commands.show import ShowOptions
    from mlxlock.commands.show import show as command

    return finish_anywhere(lambda ports, project: command(ports, project, ShowOptions(**given)))


@verb(examples=("mlxk health --content whisper",))
@click.argument("models", nargs=-1, metavar="[NAME|PATH]...", shell_complete=local_names)
@option("--content", is_flag=True, help="Read and compare every byte.")
@common_options
def health(**given: Any) -> int:
    """Say whether models are whole; exit 1 when one is not. With -v, also what stands in each .hf_cache."""
    from mlxlock.commands.health import HealthOptions
    from mlxlock.commands.health import health as command

    options = HealthOptions(verbose=common().look.verbose > 0, **given)
    return finish_anywhere(lambda ports, project: command(ports, project, options))


@verb(examples=("mlxk rm mlx-community/whisper-tiny@1a2b3c4d",))
@click.argument(
    "models", nargs=-1, required=True, metavar="REPO[@REVISION]|PATH...", shell_complete=local_names
)
@option("-y", "--yes", is_flag=True, help="Do not ask.")
@option("--dry-run", is_flag=True, help="Say what would go; remove nothing.")
@common_options
def rm(models: tuple[str, ...], yes: bool, dry_run: bool) -> int:
    """Take models off this machine: a repo or one snapshot of the cache, or a workspace by its path.

    Nothing goes by a part of its name, and nothing that the project's lock names.
    """
    from mlxlock.commands.rm import RmOptions
    from mlxlock.commands.rm import rm as command

    options = RmOptions(models=models, confirm=(lambda _: True) if yes else _confirm, dry_run=dry_run)
    return finish_anywhere(lambda ports, project: command(ports, project, options))


def _confirm(lines: Sequence[str]) -> bool:
    """Ask on a terminal.

    Raises:
        UsageError: There is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise UsageError(
            "nobody is here to be asked", details=tuple(lines), hint="add `--yes` to remove these"
        )
    for line in lines:
        click.echo(f"  {line}", err=True)
    return click.confirm("remove this?", default=False, err=True)
