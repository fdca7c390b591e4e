"""`mlxk init` and `completion`: what needs no project yet."""

import click
from click.shell_completion import get_completion_class

from mlxlock.cli.options import common, common_options
from mlxlock.cli.verb import option, verb
from mlxlock.commands.init import InitOptions
from mlxlock.commands.init import init as init_command
from mlxlock.render import show_report
from mlxlock.steps.report import Raw


@verb(examples=("mlxk init", "mlxk init --force"))
@option("--force", is_flag=True, help="Replace an existing models.toml.")
@common_options
def init(force: bool) -> int:
    """Start a project here: models.toml, and lines for .gitignore and .gitattributes."""
    options = common()
    return show_report(init_command(options.project, InitOptions(force=force)), options.look)


@verb(
    examples=(
        'eval "$(mlxk completion bash)"        # in ~/.bashrc; the same with zsh in ~/.zshrc',
        "mlxk completion fish | source         # in ~/.config/fish/config.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@common_options
def completion(shell: str) -> int:
    """Print the completion script of a shell, for `mlxk` and `mlxlock`."""
    from mlxlock.cli.main import mlxk

    kind = get_completion_class(shell)
    names = ("mlxk", "mlxlock") if kind is not None else ()
    scripts = [
        kind(mlxk, {}, name, f"_{name.upper()}_COMPLETE").source() for name in names if kind is not None
    ]
    script = "\n".join(scripts) + "\n"
    return show_report(Raw(command="completion", data={"script": script}, text=script), common().look)
