"""`mlxk sync`."""

from typing import Any

import click

from mlxlock.cli.finish import finish
from mlxlock.cli.options import common_options, selection_of, selection_options
from mlxlock.cli.verb import option, verb
from mlxlock.cli.wiring import Choices
from mlxlock.commands.sync import SyncOptions
from mlxlock.commands.sync import sync as command


def place_options(function: Any) -> Any:
    """The flags that decide how files get into the workspace, for `sync`, `add` and `remove`."""
    add = option(
        "--link-mode",
        type=click.Choice(["auto", "clone", "hardlink", "copy"]),
        default="auto",
        show_default=True,
        envvar="MLXK_LINK_MODE",
        help="How files get from the store into the workspace.",
    )
    return add(function)


def adopt_option(function: Any) -> Any:
    """The flag that decides what happens to files of the Hugging Face cache, for all that fetch."""
    add = option(
        "--adopt",
        type=click.Choice(["copy", "link", "none"]),
        default="copy",
        show_default=True,
        envvar="MLXK_ADOPT",
        help="How to take files that the Hugging Face cache has already.",
    )
    return add(function)


@verb(examples=("mlxk sync", "mlxk sync --locked --offline", "mlxk sync --dry-run"))
@option("--locked", is_flag=True, envvar="MLXK_LOCKED", help="Say explicitly that a stale lock is an error.")
@option("--frozen", is_flag=True, envvar="MLXK_FROZEN", help="Use a stale lock as it is, with a warning.")
@option("--dry-run", is_flag=True, help="Say what would change; change nothing.")
@option("--repair", is_flag=True, help="Move edited files to quarantine and restore what was locked.")
@option("--exact", is_flag=True, help="Remove models that are not selected now.")
@adopt_option
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
