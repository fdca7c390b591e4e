"""The options that every verb has, before or after it. Owns how the two places add up."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mlxlock.errors import ManifestMissingError, UsageError
from mlxlock.render import Color, Look

if TYPE_CHECKING:
    from mlxlock.commands.project import Project
    from mlxlock.spec.selection import Selection

F = TypeVar("F", bound=Callable[..., Any])
_KEY = "mlxlock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What the common options say."""

    look: Look
    project: Path
    named_project: bool
    offline: bool
    jobs: int

    def find_project(self) -> "Project":
        """The project of `--project`, or the nearest one from here upwards.

        Raises:
            ManifestMissingError: There is none.
        """
        from mlxlock.commands.project import find_project

        return find_project(self.project)

    def find_project_if_any(self) -> "Project | None":
        """The project of `--project`, or the nearest one from here upwards, or None.

        Raises:
            ManifestMissingError: `--project` names a place without one.
        """
        try:
            return self.find_project()
        except ManifestMissingError:
            if self.named_project:
                raise
            return None


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    given = ctx.find_root().meta.setdefault(_KEY, {})
    if value not in {None, False} or param.name not in given:
        given[param.name] = value


def common_options(function: F) -> F:
    """Add the common options to a verb (or the group): what is given after the verb wins."""
    for option in reversed(_COMMON):
        function = option(function)
    return function


_COMMON = [
    click.option(
        "--project",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        envvar="MLXK_PROJECT",
        expose_value=False,
        callback=_remember,
        metavar="DIR",
        help="Use the project in DIR instead of the one here.",
    ),
    click.option(
        "--json", "json_", is_flag=True, expose_value=False, callback=_remember, help="Answer in JSON."
    ),
    click.option(
        "-q",
        "--quiet",
        count=True,
        expose_value=False,
        callback=_remember,
        help="Say less (twice: only errors).",
    ),
    click.option("-v", "--verbose", count=True, expose_value=False, callback=_remember, help="Say more."),
    click.option(
        "--no-progress",
        is_flag=True,
        envvar="MLXK_NO_PROGRESS",
        expose_value=False,
        callback=_remember,
        help="Draw no bars.",
    ),
    click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        expose_value=False,
        callback=_remember,
        help="When to use colours.",
    ),
    click.option(
        "--offline",
        is_flag=True,
        envvar="MLXK_OFFLINE",
        expose_value=False,
        callback=_remember,
        help="Open no socket.",
    ),
    click.option(
        "-j",
        "--jobs",
        type=click.IntRange(1, 64),
        envvar="MLXK_CONCURRENT_DOWNLOADS",
        expose_value=False,
        callback=_remember,
        metavar="N",
        help="Download N files at the same time (8).",
    ),
]


def common() -> Common:
    """What the common options said, for the verb that runs."""
    given = click.get_current_context().find_root().meta.get(_KEY, {})
    color: Color = given.get("color") or "auto"
    look = Look(
        json=bool(given.get("json_")),
        quiet=given.get("quiet") or 0,
        verbose=given.get("verbose") or 0,
        progress=not given.get("no_progress"),
        color=color,
    )
    return Common(
        look=look,
        project=(given.get("project") or Path.cwd()).absolute(),
        named_project=given.get("project") is not None,
        offline=bool(given.get("offline")),
        jobs=given.get("jobs") or 8,
    )


def selection_options(function: F) -> F:
    """Add uv's group options; the verb gets one `selection`."""
    options = [
        click.option("--group", "groups", multiple=True, metavar="G", help="Take models of group G too."),
        click.option(
            "--only-group", "only_groups", multiple=True, metavar="G", help="Take only models of group G."
        ),
        click.option(
            "--no-group", "no_groups", multiple=True, metavar="G", help="Leave models of group G out."
        ),
        click.option("--all-groups", is_flag=True, help="Take the models of every group."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def selection_of(values: dict[str, Any]) -> "Selection":
    """Take the group options out of a verb's values."""
    from mlxlock.spec.selection import Selection

    return Selection(
        groups=values.pop("groups"),
        only_groups=values.pop("only_groups"),
        no_groups=values.pop("no_groups"),
        all_groups=values.pop("all_groups"),
    )


def flag_from(env: str) -> bool:
    """Whether an environment variable says yes.

    Raises:
        UsageError: It says neither yes nor no.
    """
    value = os.environ.get(env, "").strip().lower()
    if value in {"", "0", "false", "no", "off"}:
        return False
    if value in {"1", "true", "yes", "on"}:
        return True
    raise UsageError(f"`{env}` is `{value}`", hint="set it to 1 or 0")
