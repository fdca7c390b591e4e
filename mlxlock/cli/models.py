"""`mlxk add` and `mlxk remove`."""

from typing import Any

import click

from mlxlock.cli.finish import finish
from mlxlock.cli.lock import lock_options
from mlxlock.cli.options import common_options
from mlxlock.cli.sync import place_options
from mlxlock.cli.wiring import Choices
from mlxlock.commands.add import AddOptions
from mlxlock.commands.add import add as add_command
from mlxlock.commands.lock import LockOptions
from mlxlock.commands.remove import RemoveOptions
from mlxlock.commands.remove import remove as remove_command


def _change_options(function: Any) -> Any:
    for option in (
        click.option("--no-sync", is_flag=True, help="Leave the workspace alone."),
        click.option("--frozen", is_flag=True, help="Only edit models.toml."),
        lock_options,
        place_options,
        common_options,
    ):
        function = option(function)
    return function


def _choices(given: dict[str, Any]) -> tuple[Choices, LockOptions]:
    choices = Choices(
        link_mode=given.pop("link_mode"), adopt=given.pop("adopt"), sandboxed=not given.pop("no_sandbox")
    )
    return choices, LockOptions(capture=not given.pop("no_capture"))


@click.command(epilog="Example: mlxk add asr=mlx-community/VibeVoice-ASR-4bit@main --kind stt")
@click.argument("repos", nargs=-1, required=True, metavar="[NAME=]REPO[@REVISION]|DIR...")
@click.option("--name", help="What to call it; the repo's basename by default.")
@click.option("--revision", help="Branch, tag, refs/pr/N or commit.")
@click.option("--version", "version", metavar="RANGE", help="The newest tag in a range, e.g. '>=1.0,<2'.")
@click.option("--include", multiple=True, metavar="GLOB", help="Take only files that match.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Leave files out that match.")
@click.option("--group", "groups", multiple=True, metavar="G", help="Make it part of group G.")
@click.option("--when", metavar="MARKER", help="Where it is for, e.g. \"sys_platform == 'darwin'\".")
@click.option("--kind", help="text, vision, stt, tts, ...; detected by default.")
@click.option("--dir", "dir", metavar="NAME", help="Its directory in the workspace.")
@click.option(
    "--allow-remote-code", "remote_code", is_flag=True, help="Let it execute code that its repo ships."
)
@_change_options
def add(**given: Any) -> int:
    """Add models to models.toml (comments stay), then lock and sync.

    DIR is what `mlxk clone` made: its repo, commit and patterns are taken over, without a download.
    """
    choices, lock = _choices(given)
    options = AddOptions(lock=lock, **given)
    return finish(lambda ports, project: add_command(project, ports, options), choices)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@_change_options
def remove(**given: Any) -> int:
    """Remove models from models.toml (comments stay), then lock and sync."""
    choices, lock = _choices(given)
    options = RemoveOptions(lock=lock, **given)
    return finish(lambda ports, project: remove_command(project, ports, options), choices)
