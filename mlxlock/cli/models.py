"""`mlxk add` and `mlxk remove`."""

from typing import Any

import click

from mlxlock.cli.completing import model_names
from mlxlock.cli.finish import finish
from mlxlock.cli.lock import lock_options
from mlxlock.cli.options import common_options
from mlxlock.cli.sync import place_options
from mlxlock.cli.verb import option, verb
from mlxlock.cli.wiring import Choices
from mlxlock.commands.add import AddOptions
from mlxlock.commands.add import add as add_command
from mlxlock.commands.lock import LockOptions
from mlxlock.commands.remove import RemoveOptions
from mlxlock.commands.remove import remove as remove_command


def _change_options(function: Any) -> Any:
    for add in (
        option("--no-sync", is_flag=True, envvar="MLXK_NO_SYNC", help="Leave the workspace alone."),
        option("--frozen", is_flag=True, help="Only edit models.toml."),
        lock_options,
        place_options,
        common_options,
    ):
        function = add(function)
    return function


def _choices(given: dict[str, Any]) -> tuple[Choices, LockOptions]:
    choices = Choices(
        link_mode=given.pop("link_mode"), adopt=given.pop("adopt"), sandboxed=not given.pop("no_sandbox")
    )
    return choices, LockOptions(
        capture=not given.pop("no_capture"),
        allow_lower=given.pop("allow_lower"),
        sandboxed=choices.sandboxed,
    )


@verb(
    examples=(
        "mlxk add mlx-community/Qwen3-4B-Instruct-2507-4bit",
        "mlxk add asr=mlx-community/VibeVoice-ASR-4bit@main --kind stt",
        "mlxk add ./models/VibeVoice-ASR-4bit",
    )
)
@click.argument("repos", nargs=-1, required=True, metavar="[NAME=]REPO[@REVISION]|DIR...")
@option("--name", help="What to call it; the repo's basename by default.")
@option("--revision", help="Branch, tag, refs/pr/N or commit.")
@option("--version", "version", metavar="RANGE", help="The newest tag in a range, e.g. '>=1.0,<2'.")
@option("--include", multiple=True, metavar="GLOB", help="Take only files that match.")
@option("--exclude", multiple=True, metavar="GLOB", help="Leave files out that match.")
@option("--group", "groups", multiple=True, metavar="G", help="Make it part of group G.")
@option("--when", metavar="MARKER", help="Where it is for, e.g. \"sys_platform == 'darwin'\".")
@option("--kind", help="text, vision, stt, tts, ...; detected by default.")
@option("--dir", "dir", metavar="NAME", help="Its directory in the workspace.")
@option("--allow-remote-code", "remote_code", is_flag=True, help="Let it execute code that its repo ships.")
@_change_options
def add(**given: Any) -> int:
    """Add models to models.toml (comments stay), then lock and sync.

    DIR is what `mlxk clone` made: its repo, commit and patterns are taken over, without a download.
    """
    choices, lock = _choices(given)
    options = AddOptions(lock=lock, **given)
    return finish(lambda ports, project: add_command(project, ports, options), choices)


@verb(examples=("mlxk remove asr",))
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=model_names)
@_change_options
def remove(**given: Any) -> int:
    """Remove models from models.toml (comments stay), then lock and sync."""
    choices, lock = _choices(given)
    options = RemoveOptions(lock=lock, **given)
    return finish(lambda ports, project: remove_command(project, ports, options), choices)
