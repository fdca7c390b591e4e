"""`mlxk status`, `verify`, `tree` and `why`: they change nothing."""

from typing import Any

import click

from mlxlock.cli.completing import repo_names
from mlxlock.cli.finish import finish
from mlxlock.cli.options import common_options, selection_of, selection_options
from mlxlock.cli.verb import option, verb
from mlxlock.commands.status import StatusOptions
from mlxlock.commands.status import status as status_command
from mlxlock.commands.tree import TreeOptions
from mlxlock.commands.tree import tree as tree_command
from mlxlock.commands.verify import VerifyOptions
from mlxlock.commands.verify import verify as verify_command
from mlxlock.commands.why import WhyOptions
from mlxlock.commands.why import why as why_command


@verb(examples=("mlxk status", "mlxk status --json"))
@selection_options
@common_options
def status(**given: Any) -> int:
    """Compare manifest, lock and workspace, without reading what did not change; exit 1 when they differ."""
    options = StatusOptions(selection=selection_of(given))
    return finish(lambda ports, project: status_command(project, ports, options))


@verb(examples=("mlxk verify", "mlxk verify --require-sandbox full"))
@option(
    "--require-sandbox",
    type=click.Choice(["full", "partial"]),
    envvar="MLXK_REQUIRE_SANDBOX",
    help="Demand that every first run is proven, and nowhere under a weaker sandbox.",
)
@selection_options
@common_options
def verify(**given: Any) -> int:
    """Read every byte of the workspace and compare it with models.lock; offline, changes nothing."""
    selection = selection_of(given)
    options = VerifyOptions(selection=selection, require_sandbox=given["require_sandbox"])
    return finish(lambda ports, project: verify_command(project, ports, options))


@verb(examples=("mlxk tree --files",))
@option("--files", is_flag=True, help="Name every file.")
@common_options
def tree(files: bool) -> int:
    """Show what models.lock holds: each model, and what its first runs brought."""
    return finish(lambda _, project: tree_command(project, TreeOptions(files=files)))


@verb(examples=("mlxk why Qwen/Qwen2.5-7B", "mlxk why models/.hf_cache/python/en_core_web_sm/meta.json"))
@click.argument("what", shell_complete=repo_names)
@common_options
def why(what: str) -> int:
    """Show why models.lock holds WHAT: which model and which code asked, when, for which revision.

    WHAT is a repo, a model's name, a URL, or a path below .hf_cache.
    """
    return finish(lambda _, project: why_command(project, WhyOptions(what=what)))
