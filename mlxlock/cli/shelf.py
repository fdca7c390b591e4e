"""`mlxk list`, `show` and `health`: the models on this machine. They change nothing, and need no project."""

from typing import Any

import click

from mlxlock.cli.finish import finish_anywhere
from mlxlock.cli.options import common, common_options


@click.command(name="list", epilog="Example: mlxk list --origin whisper")
@click.argument("pattern", required=False, metavar="[PATTERN|DIR]")
@click.option("--all", "all", is_flag=True, help="Old snapshots and repos without weights, too.")
@click.option("--origin", is_flag=True, help="With the repo that each came from.")
@click.option("--full-paths", is_flag=True, help="Directories in place of names.")
@common_options
def list_(**given: Any) -> int:
    """List the models on this machine: this project's, the workspace home's, and the Hugging Face cache's."""
    from mlxlock.commands.list_models import ListOptions, list_models

    return finish_anywhere(lambda ports, project: list_models(ports, project, ListOptions(**given)))


@click.command(epilog="Example: mlxk show ./models/whisper --files")
@click.argument("model", metavar="NAME|PATH")
@click.option("--files", is_flag=True, help="Name every file, with its size and SHA-256.")
@common_options
def show(**given: Any) -> int:
    """Show what a model is, where it came from, and whether it was modified."""
    from mlxlock.commands.show import ShowOptions
    from mlxlock.commands.show import show as command

    return finish_anywhere(lambda ports, project: command(ports, project, ShowOptions(**given)))


@click.command(epilog="Example: mlxk health --content whisper")
@click.argument("models", nargs=-1, metavar="[NAME|PATH]...")
@click.option("--content", is_flag=True, help="Read and compare every byte.")
@common_options
def health(**given: Any) -> int:
    """Say whether models are whole; exit 1 when one is not. With -v, also what stands in each .hf_cache."""
    from mlxlock.commands.health import HealthOptions
    from mlxlock.commands.health import health as command

    options = HealthOptions(verbose=common().look.verbose > 0, **given)
    return finish_anywhere(lambda ports, project: command(ports, project, options))
