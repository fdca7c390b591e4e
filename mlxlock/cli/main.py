"""The command line: finds the verb, runs it, and is the one place that catches.

A verb's module is imported when the verb is asked for, so that `--help` and the quick verbs stay quick.
"""

import errno
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Final

import click
from click.core import ParameterSource

from mlxlock import __version__
from mlxlock.cli.early import look_of, verb_of
from mlxlock.cli.options import common, common_options
from mlxlock.cli.verb import EXITS_IN_PART, format_exits, format_options, option
from mlxlock.cli.verbs import ENVIRONMENT, SECTIONS, VERBS
from mlxlock.errors import DiskError, InternalError, InterruptError, MlxlockError, UsageError
from mlxlock.render import OutputLostError, listened_to, show_error, show_report
from mlxlock.steps.report import Line, Report

_TAKEN: Final = frozenset({"exec", "list"})
"""Verbs whose name Python has already."""


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
        function = f"{cmd_name}_" if cmd_name in _TAKEN else cmd_name
        command = getattr(import_module(VERBS[cmd_name][0]), function)
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or say which one is near."""
        if args and args[0] not in VERBS:
            import difflib

            near = difflib.get_close_matches(args[0], VERBS, n=1)
            meant = f", did you mean `{near[0]}`?" if near else ""
            raise UsageError(f"no command `{args[0]}`{meant}", hint=f"see `{ctx.info_name} --help`")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        del ctx
        for heading, verbs in SECTIONS.items():
            with formatter.section(heading):
                formatter.write_dl([(name, text) for name, (_, text) in verbs.items()])

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs first: they are what people look for."""
        self.format_commands(ctx, formatter)
        format_options(self, ctx, formatter)
        with formatter.section("Environment"):
            formatter.write_dl(list(ENVIRONMENT.items()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Say where to read on."""
        formatter.write_paragraph()
        formatter.write_text(
            "models.toml names the models, `lock` writes models.lock, `sync` builds the workspace from it. "
            f"`{ctx.info_name} help VERB` shows a verb's flags and examples."
        )
        format_exits(EXITS_IN_PART, formatter)


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
    subcommand_metavar="VERB [ARGUMENT]...",
)
@option("-V", "--version", is_flag=True, help="Show the version and exit.")
@common_options
@click.pass_context
def mlxk(ctx: click.Context, version: bool) -> None:
    """The lockfile for the models a project runs."""
    if version:
        ctx.exit(show_report(_version(), common().look))
    if ctx.invoked_subcommand is None:
        raise UsageError("no command given", hint=f"see `{ctx.info_name} --help`")


def _version() -> Report:
    told = Line(f"mlxlock {__version__}")
    return Report(command="version", data={"name": "mlxlock", "version": __version__}, lines=(told,))


def run(argv: Sequence[str]) -> int:
    """Run one command line.

    Returns:
        The exit code.
    """
    # A text that the terminal's encoding lacks is better shown escaped than not at all.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    code = 0
    with suppress(OutputLostError), listened_to(sys.stdout):  # told by then
        code = _answered(argv)
        sys.stdout.flush()
    return code


def _answered(argv: Sequence[str]) -> int:
    try:
        _refuse_other_encodings()
        return _invoke(argv)
    except click.exceptions.Exit as done:
        return done.exit_code
    except BrokenPipeError:
        raise
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the one place that catches
        return _show(error, argv)


def _refuse_other_encodings() -> None:
    """Stop before a name is spelled in other bytes than the lock's.

    Raises:
        UsageError: This process would not write file names in UTF-8.
    """
    encoding = sys.getfilesystemencoding()
    if encoding != "utf-8":
        raise UsageError(
            f"this locale spells file names in `{encoding}`, not in UTF-8",
            hint="set `LC_ALL=C.UTF-8` (or `PYTHONUTF8=1`)",
        )


def _show(error: BaseException, argv: Sequence[str]) -> int:
    """Say what went wrong: in JSON where that was asked for, and a bug with its traceback under `-v`."""
    verb, look = verb_of(argv), look_of(argv)
    if isinstance(error, OutputLostError):
        look = replace(look, json=False)
    explained = _explained(error, verb)
    if isinstance(explained, InterruptError) and sys.stderr.isatty():
        sys.stderr.write("\n")  # below the terminal's echo of Ctrl-C
    if isinstance(explained, InternalError) and look.verbose:
        import traceback

        traceback.print_exception(error)
    return show_error(verb, explained, look)


def _explained(error: BaseException, verb: str | None) -> MlxlockError:
    """The error as ours: a wrong command line, Ctrl-C, or a bug."""
    match error:
        case MlxlockError():
            return error
        case KeyboardInterrupt() | click.Abort():
            return InterruptError("interrupted", hint="run the same command again to continue")
        case OutputLostError(args=(why, *_)) | OSError(errno=errno.ENOSPC, strerror=why):
            return DiskError(f"the answer cannot be written: {str(why).lower()}")
        case click.ClickException():
            return UsageError(
                _reworded(error), hint=f"see `{' '.join(filter(None, [_program(), verb]))} --help`"
            )
        case _:
            return InternalError(f"{type(error).__name__}: {error}", hint=_REPORT)


def _reworded(error: click.ClickException) -> str:
    """Click's words as ours: lower case, backticks, no full stop."""
    if isinstance(error, click.NoSuchOption):
        near = (error.possibilities or [])[:1]
        return f"no option `{error.option_name}`" + "".join(f", did you mean `{name}`?" for name in near)
    reason = re.sub(r"'([^']*)'", r"`\1`", " ".join(error.format_message().split()))
    reason = reason.replace(". Choose from:", ": one of")
    reason = re.sub(r"(?<=: )[A-Z](?=[a-z])", lambda found: found[0].lower(), reason)
    return (reason[:1].lower() + reason[1:]).rstrip(".") + _whence(error)


def _whence(error: click.ClickException) -> str:
    """Which environment variable said it, when none of what was typed did."""
    if not isinstance(error, click.BadParameter) or error.param is None or error.ctx is None:
        return ""
    source = error.ctx.get_parameter_source(str(error.param.name))
    return f" (from `{error.param.envvar}`)" if source is ParameterSource.ENVIRONMENT else ""


_REPORT: Final = "this is a bug in mlxlock: please report it, with what `-v` prints"


def _program() -> str:
    name = Path(sys.argv[0]).name
    return name if name in {"mlxk", "mlxlock"} else "mlxk"


def _invoke(argv: Sequence[str]) -> int:
    program = _program()
    completing = f"_{program.upper()}_COMPLETE"
    if os.environ.get(completing):
        from click.shell_completion import shell_complete

        return shell_complete(mlxk, {}, program, completing, os.environ[completing])
    with mlxk.make_context(program, _asked(argv)) as ctx:
        code = mlxk.invoke(ctx)
    return code if isinstance(code, int) else 0


def _asked(argv: Sequence[str]) -> list[str]:
    """The command line without what only people write: nothing at all, and `help VERB`."""
    words = [argument for argument in argv if not argument.startswith("-")]
    return [*words[1:2], "--help"] if words[:1] == ["help"] else list(argv) or ["--help"]


__all__ = ["mlxk", "run"]
