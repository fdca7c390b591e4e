"""`mlxk lock`."""

from typing import Any

import click

from mlxlock.cli.finish import finish
from mlxlock.cli.options import common_options
from mlxlock.cli.wiring import Choices
from mlxlock.commands.lock import LockOptions
from mlxlock.ports import Ports


def lock_options(function: Any) -> Any:
    """The flags that decide how to lock, for `lock`, `add` and `remove`."""
    options = [
        click.option("--no-capture", is_flag=True, help="Make no first runs; the lock says so."),
        click.option(
            "--no-sandbox", is_flag=True, help="Make first runs without a sandbox; the lock says so."
        ),
        click.option(
            "--adopt",
            type=click.Choice(["copy", "link", "none"]),
            default="copy",
            help="How to take files that the Hugging Face cache has already.",
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


@click.command(epilog="Example: mlxk lock --upgrade-model chat")
@click.option("--check", is_flag=True, help="Only say whether models.lock is up to date; exit 1 when not.")
@click.option("-U", "--upgrade", is_flag=True, help="Resolve every model and artifact anew.")
@click.option("-P", "--upgrade-model", multiple=True, metavar="NAME", help="Resolve this model anew.")
@click.option("--dry-run", is_flag=True, help="Resolve and say what would change; write nothing.")
@lock_options
@common_options
def lock(**given: Any) -> int:
    """Bring models.lock up to date: resolve, hash, run each model once in a sandbox, prove it offline."""
    options = LockOptions(
        check=given["check"],
        upgrade=given["upgrade"],
        upgrade_models=given["upgrade_model"],
        capture=not given["no_capture"],
        dry_run=given["dry_run"],
    )
    choices = Choices(adopt=given["adopt"], sandboxed=not given["no_sandbox"])

    def run(ports: Ports, project: Any) -> Any:
        from mlxlock.commands.lock import lock as command

        return command(project, ports, options)

    return finish(run, choices)
