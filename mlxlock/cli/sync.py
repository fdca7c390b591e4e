"""`mlxk sync`."""

from typing import Any

import click

from mlxlock.cli.finish import finish
from mlxlock.cli.options import common_options, selection_of, selection_options
from mlxlock.cli.wiring import Choices
from mlxlock.commands.sync import SyncOptions
from mlxlock.commands.sync import sync as command


def place_options(function: Any) -> Any:
    """The flags that decide how files get into the workspace, for `sync`, `add` and `remove`."""
    option = click.option(
        "--link-mode",
        type=click.Choice(["auto", "clone", "hardlink", "copy"]),
        default="auto",
        envvar="MLXK_LINK_MODE",
        help="How files get from the store into the workspace.",
    )
    return option(function)


@click.command(epilog="Example: mlxk sync --locked --offline")
@click.option(
    "--locked", is_flag=True, envvar="MLXK_LOCKED", help="Say explicitly that a stale lock is an error."
)
@click.option(
    "--frozen", is_flag=True, envvar="MLXK_FROZEN", help="Use a stale lock as it is, with a warning."
)
@click.option("--dry-run", is_flag=True, help="Say what would change; change nothing.")
@click.option("--repair", is_flag=True, help="Move edited files to quarantine and restore what was locked.")
@click.option("--exact", is_flag=True, help="Remove models that are not selected now.")
@click.option(
    "--adopt",
    type=click.Choice(["copy", "link", "none"]),
    default="copy",
    help="How to take files that the Hugging Face cache has already.",
)
@place_options
@selection_options
@common_options
def sync(**given: Any) -> int:
    """Make the workspace what models.lock says; no request is made when the store has everything."""
    choices = Choices(link_mode=given.pop("link_mode"), adopt=given.pop("adopt"))
    options = SyncOptions(selection=selection_of(given), **given)
    if options.locked and options.frozen:
        raise click.UsageError("`--locked` and `--frozen` exclude each other")
    return finish(lambda ports, project: command(project, ports, options), choices)
