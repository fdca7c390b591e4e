"""The command line: finds the verb, runs it, and is the one place that catches.

A verb's module is imported when the verb is asked for, so that `--help` and the quick verbs stay quick.
"""

import difflib
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

import click

from mlxlock import __version__
from mlxlock.cli.options import common, common_options
from mlxlock.errors import MlxlockError, UsageError
from mlxlock.render import Look, show_error

VERBS: Final = {
    "init": ("mlxlock.cli.project", "Start a project: models.toml, .gitignore, .gitattributes."),
    "add": ("mlxlock.cli.models", "Add models to models.toml, then lock and sync."),
    "remove": ("mlxlock.cli.models", "Remove models from models.toml, then lock and sync."),
    "lock": ("mlxlock.cli.lock", "Bring models.lock up to date with models.toml."),
    "sync": ("mlxlock.cli.sync", "Make the workspace what models.lock says."),
    "status": ("mlxlock.cli.inspect", "Compare manifest, lock and workspace, quickly."),
    "verify": ("mlxlock.cli.inspect", "Read every byte of the workspace and compare it with the lock."),
    "tree": ("mlxlock.cli.inspect", "Show what the lock holds."),
    "why": ("mlxlock.cli.inspect", "Show why the lock holds a repo."),
    "run": ("mlxlock.cli.run", "Run a locked model, offline."),
    "exec": ("mlxlock.cli.run", "Run your own program on the workspace, pinned and offline."),
    "env": ("mlxlock.cli.run", "Print shell lines that use the workspace."),
    "completion": ("mlxlock.cli.project", "Print the completion script of a shell."),
}
"""Each verb, its module, and its line in `--help`."""

INTERRUPTED: Final = 130


class _Verbs(click.Group):
    """A group whose verbs are imported when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every verb, in the order of the work."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb's module."""
        del ctx
        if cmd_name not in VERBS:
            return None
        command = getattr(import_module(VERBS[cmd_name][0]), cmd_name.replace("exec", "exec_"))
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or say which one is near."""
        if args and args[0] not in VERBS:
            near = difflib.get_close_matches(args[0], VERBS, n=1)
            meant = f", did you mean `{near[0]}`?" if near else ""
            raise UsageError(f"no command `{args[0]}`{meant}", hint=f"see `{ctx.info_name} --help`")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="models.toml names the models, `lock` writes models.lock, `sync` builds the workspace from it.",
)
@click.version_option(__version__, "-V", "--version", message="mlxlock %(version)s")
@common_options
def mlxk() -> None:
    """The lockfile for the models a project runs."""


def run(argv: Sequence[str]) -> int:
    """Run one command line.

    Returns:
        The exit code.
    """
    try:
        return _invoke(argv)
    except (KeyboardInterrupt, click.Abort):
        sys.stderr.write("\ninterrupted; run the same command again to continue\n")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough; Python would complain again at its own exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except Exception as error:  # noqa: BLE001 - the one place that catches, and it says so for what it does not know
        verb = next((argument for argument in argv if argument in VERBS), None)
        if not isinstance(error, MlxlockError | click.ClickException) and {"-v", "--verbose"} & set(argv):
            traceback.print_exc()
        return show_error(verb, _explained(error, verb), Look(json="--json" in argv))


def _explained(error: Exception, verb: str | None) -> MlxlockError:
    """The error as ours: a wrong command line, or a bug."""
    if isinstance(error, MlxlockError):
        return error
    if isinstance(error, click.ClickException):
        reason = error.format_message()
        reason = (reason[:1].lower() + reason[1:]).rstrip(".")
        return UsageError(reason, hint=f"see `{' '.join(filter(None, [_program(), verb]))} --help`")
    return _InternalError(f"{type(error).__name__}: {error}", hint=_REPORT)


class _InternalError(MlxlockError):
    code = "internal"


_REPORT: Final = "this is a bug in mlxlock: please report it, with what `-v` prints"


def _program() -> str:
    name = Path(sys.argv[0]).name
    return name if name in {"mlxk", "mlxlock"} else "mlxk"


def _invoke(argv: Sequence[str]) -> int:
    code = mlxk.main(args=list(argv) or ["--help"], prog_name=_program(), standalone_mode=False)
    return code if isinstance(code, int) else 0


__all__ = ["common", "mlxk", "run"]
