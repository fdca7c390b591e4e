"""`mlxk init` and `completion`."""

import click
from click.shell_completion import get_completion_class

from mlxlock.cli.options import common, common_options
from mlxlock.commands.init import InitOptions
from mlxlock.commands.init import init as init_command
from mlxlock.render import show_report


@click.command()
@click.option("--force", is_flag=True, help="Replace an existing models.toml.")
@common_options
def init(force: bool) -> int:
    """Start a project here: models.toml, and lines for .gitignore and .gitattributes."""
    options = common()
    return show_report(init_command(options.project, InitOptions(force=force)), options.look)


@click.command(epilog='Example: eval "$(mlxk completion bash)"')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@common_options
def completion(shell: str) -> int:
    """Print the completion script of a shell, for `mlxk` and `mlxlock`."""
    from mlxlock.cli.main import mlxk

    script = get_completion_class(shell)
    for name in ("mlxk", "mlxlock") if script is not None else ():
        if script is not None:
            click.echo(script(mlxk, {}, name, f"_{name.upper()}_COMPLETE").source())
    return 0
