"""A verb of the command line, and how its `--help` looks: its own options, common ones, examples, codes."""

from collections.abc import Callable
from typing import Any, Final

import click

EXITS: Final = "0 done · 1 a check said no · 2 could not do it · 130 interrupted"
"""What exit codes mean (formats.md §5)."""
EXITS_IN_PART: Final = EXITS.replace(" · 130", " · 3 done in part · 130")
CHILDS: Final = "the program's own; 1 and 2 also when mlxk could not start it · 130 interrupted"


class Verb(click.Command):
    """A command whose help is in sections.

    Args:
        examples: Command lines that do something useful.
        exits: What its exit codes mean.
    """

    def __init__(self, *args: Any, examples: tuple[str, ...] = (), exits: str = EXITS, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples
        self.exits = exits

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the options below the heading of their section."""
        format_options(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show examples and exit codes."""
        del ctx
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}{example}\n")
        format_exits(self.exits, formatter)


class SectionOption(click.Option):
    """An option that stands under a heading of its own in the help.

    Args:
        section: The heading.
    """

    def __init__(self, *args: Any, section: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The option and its help, with the environment variable that means the same."""
        record = super().get_help_record(ctx)
        return (record[0], f"{record[1]}  [{self.envvar}]") if record and self.envvar else record


def verb(
    name: str | None = None, *, examples: tuple[str, ...] = (), exits: str = EXITS, **more: Any
) -> Callable[[Callable[..., int]], Verb]:
    """Make a function a verb; it returns the exit code."""
    return click.command(name=name, cls=Verb, examples=examples, exits=exits, **more)


def option(*declared: str, section: str = "Options", **more: Any) -> Callable[[Any], Any]:
    """An option whose environment variable, if it has one, is told by the help."""
    return click.option(*declared, cls=SectionOption, section=section, **more)


def format_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """List a command's options below the heading of their section."""
    sections: dict[str, list[tuple[str, str]]] = {"Options": []}
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
        if record is not None:
            heading = param.section if isinstance(param, SectionOption) else "Options"
            sections.setdefault(heading, []).append(record)
    for heading, records in sections.items():
        if records:
            with formatter.section(heading):
                formatter.write_dl(records)


def format_exits(exits: str, formatter: click.HelpFormatter) -> None:
    """Say what exit codes mean."""
    with formatter.section("Exit codes"):
        formatter.write_text(exits)
