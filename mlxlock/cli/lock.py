"""`mlxk lock`."""

from typing import Any

from mlxlock.cli.completing import model_names
from mlxlock.cli.finish import finish
from mlxlock.cli.options import common_options
from mlxlock.cli.sync import adopt_option
from mlxlock.cli.verb import option, verb
from mlxlock.cli.wiring import Choices
from mlxlock.commands.lock import LockOptions
from mlxlock.ports import Ports


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
        adopt_option,
    ]
    for add in reversed(options):
        function = add(function)
    return function


@verb(examples=("mlxk lock", "mlxk lock --check", "mlxk lock --upgrade-model chat"))
@option("--check", is_flag=True, help="Only say whether models.lock is up to date; exit 1 when not.")
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
@option(
    "--adopt-writes",
    is_flag=True,
    help="Lock files that first runs made themselves; only a store that has them can bring them back.",
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
    )
    choices = Choices(adopt=given["adopt"], sandboxed=not given["no_sandbox"])

    def run(ports: Ports, project: Any) -> Any:
        from mlxlock.commands.lock import lock as command

        return command(project, ports, options)

    return finish(run, choices)
