"""`mlxk lock` and `capture`."""

from typing import Any

import click

from mlxlock.cli.completing import model_names
from mlxlock.cli.finish import finish
from mlxlock.cli.options import common_options
from mlxlock.cli.sync import adopt_option
from mlxlock.cli.verb import EXITS_IN_PART, option, verb
from mlxlock.cli.wiring import Choices
from mlxlock.commands.lock import LockOptions
from mlxlock.ports import Ports

adopt_writes_option = option(
    "--adopt-writes",
    is_flag=True,
    help="Lock files that first runs made themselves; only a store that has them can bring them back.",
)


def lock_options(function: Any) -> Any:
    """The flags that decide how to lock, for `lock`, `add` and `remove`."""
    options = [
        option(
            "--no-capture",
            is_flag=True,
            envvar="MLXK_NO_CAPTURE",
            help="Make no first runs; the lock says so.",
        ),
        option("--no-sandbox", is_flag=True, help="Make first runs without a sandbox; the lock says so."),
        option(
            "--allow-lower",
            is_flag=True,
            help="Run models also in a lesser sandbox than the one that the lock has of them.",
        ),
        adopt_option,
    ]
    for add in reversed(options):
        function = add(function)
    return function


@verb(
    examples=("mlxk lock", "mlxk lock --check", "mlxk lock --upgrade-model chat"),
    exits=EXITS_IN_PART,
)
@option(
    "--check",
    is_flag=True,
    help="Only say whether models.lock is up to date, allowed and proven; exit 1 when not.",
)
@option("-U", "--upgrade", is_flag=True, help="Resolve every model and artifact anew.")
@option(
    "-P",
    "--upgrade-model",
    multiple=True,
    metavar="NAME",
    shell_complete=model_names,
    help="Resolve this model anew.",
)
@option("--dry-run", is_flag=True, help="Resolve and say what would change; write nothing.")
@option("--keep-going", is_flag=True, help="Lock what can be locked, and exit with 3 when not all could.")
@adopt_writes_option
@option(
    "--frozen-artifacts",
    is_flag=True,
    help="Refuse anything that first runs bring and models.lock does not have yet.",
)
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
        adopt_writes=given["adopt_writes"],
        frozen_artifacts=given["frozen_artifacts"],
        keep_going=given["keep_going"],
        allow_lower=given["allow_lower"],
        sandboxed=not given["no_sandbox"],
    )
    choices = Choices(adopt=given["adopt"], sandboxed=options.sandboxed)

    def run(ports: Ports, project: Any) -> Any:
        from mlxlock.commands.lock import lock as command

        return command(project, ports, options)

    return finish(run, choices)


@verb(examples=("mlxk capture", "mlxk capture chat"))
@click.argument("models", nargs=-1, metavar="[MODEL]...", shell_complete=model_names)
@option("--allow-lower", is_flag=True, help="Record proofs that say less than the recorded ones, too.")
@option("--no-sandbox", is_flag=True, help="Make first runs without a sandbox; the lock says so.")
@adopt_writes_option
@common_options
def capture(**given: Any) -> int:
    """Make first runs again, of locked models at locked commits, and add this environment's proofs."""

    def run(ports: Ports, project: Any) -> Any:
        from mlxlock.commands.capture import CaptureOptions
        from mlxlock.commands.capture import capture as command

        options = CaptureOptions(
            models=given["models"],
            allow_lower=given["allow_lower"],
            adopt_writes=given["adopt_writes"],
            sandboxed=not given["no_sandbox"],
        )
        return command(project, ports, options)

    return finish(run, Choices(sandboxed=not given["no_sandbox"]))
