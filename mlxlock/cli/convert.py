"""`mlxk convert`."""

import os
from pathlib import Path
from typing import Any

import click

from mlxlock.cli.completing import local_names
from mlxlock.cli.finish import finish_anywhere
from mlxlock.cli.options import common, common_options
from mlxlock.cli.verb import option, verb
from mlxlock.commands.convert import ConvertOptions
from mlxlock.commands.convert import convert as command


@verb(examples=("mlxk convert ./models/chat ./models/chat-4bit --quantize 4",))
@click.argument("source", metavar="SRC", shell_complete=local_names)
@click.argument("target", metavar="DST", type=click.Path(path_type=Path))
@option("--quantize", type=click.Choice(["2", "3", "4", "5", "6", "8"]), help="Bits a weight.")
@option("--group-size", type=click.Choice(["32", "64", "128"]), help="Weights that share a scale.")
@option("--repair-index", is_flag=True, help="Write the index of the weights anew.")
@option("--origin", metavar="REPO@COMMIT", help="Of what SRC is, where nothing says it.")
@option("--trust-remote-code", is_flag=True, help="Let SRC execute code that its repo ships.")
@common_options
def convert(**given: Any) -> int:
    """Make a workspace of another model: quantized (by mlx-lm or mlx-vlm), or with a new index.

    SRC is a path or a name of a model on this machine; it stays as it is.
    """
    options = ConvertOptions(
        target=Path(os.path.normpath(given.pop("target").absolute())),
        quantize=_number(given.pop("quantize")),
        group_size=_number(given.pop("group_size")),
        verbose=common().look.verbose > 0,
        **given,
    )
    return finish_anywhere(lambda ports, project: command(ports, project, options))


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
