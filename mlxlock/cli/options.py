"""The options that every verb has, before or after it. Owns how the two places add up."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from click.core import ParameterSource

from mlxlock.cli.verb import option
from mlxlock.errors import ManifestMissingError
from mlxlock.render import Color, Look

if TYPE_CHECKING:
    from mlxlock.spec.selection import Selection
    from mlxlock.steps.project import Project

F = TypeVar("F", bound=Callable[..., Any])
_KEY: Final = "mlxlock"
HUB_VARIABLES: Final = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
"""What asks huggingface_hub for offline."""
_TRUE: Final = frozenset({"1", "ON", "YES", "TRUE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What the common options say.

    Attributes:
        look: How to show the answer.
        project: Where to look for the project, and upwards.
        named_project: Whether it was said.
        offline: What asks for offline: a flag or a variable; None when nothing does.
        jobs: Files to download at the same time.
    """

    look: Look
    project: Path
    named_project: bool
    offline: str | None
    jobs: int

    def find_project(self) -> "Project":
        """The project of `--project`, or the nearest one from here upwards.

        Raises:
            ManifestMissingError: There is none.
        """
        from mlxlock.steps.project import find_project

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
    if param.name == "offline" and value:
        said = ctx.get_parameter_source("offline") is ParameterSource.COMMANDLINE
        given["why_offline"] = "--offline" if said else "MLXK_OFFLINE"


def common_options(function: F) -> F:
    """Add the common options to a verb (or the group): what is given after the verb wins."""
    for add in reversed(_COMMON):
        function = add(function)
    return function


_common = partial(option, section="Common options", expose_value=False, callback=_remember)
_COMMON = [
    _common(
        "--project",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        envvar="MLXK_PROJECT",
        metavar="DIR",
        help="Use the project in DIR instead of the one here.",
    ),
    _common("--json", "json_", is_flag=True, help="Answer in JSON."),
    _common("-q", "--quiet", count=True, help="Leave out steps and bars (twice: all but errors)."),
    _common("-v", "--verbose", count=True, help="Say more."),
    _common("--no-progress", is_flag=True, envvar="MLXK_NO_PROGRESS", help="Draw no bars."),
    _common(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        help="When to use colours; NO_COLOR and FORCE_COLOR are heard too.",
    ),
    _common(
        "--offline",
        is_flag=True,
        envvar="MLXK_OFFLINE",
        help="Open no socket; HF_HUB_OFFLINE=1 means the same.",
    ),
    _common(
        "-j",
        "--jobs",
        type=click.IntRange(1, 64),
        envvar="MLXK_CONCURRENT_DOWNLOADS",
        metavar="N",
        help="Download N files at the same time; 8 by default.",
    ),
]


def given_to(ctx: click.Context) -> dict[str, Any]:
    """What the common options said so far."""
    found: dict[str, Any] = ctx.find_root().meta.get(_KEY, {})
    return found


def common() -> Common:
    """What the common options said, for the verb that runs."""
    given = given_to(click.get_current_context())
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
        offline=given.get("why_offline") or _offline_by_environment(),
        jobs=given.get("jobs") or 8,
    )


def _offline_by_environment() -> str | None:
    """Which of huggingface_hub's own variables, read as it reads them, asks for offline."""
    for name in HUB_VARIABLES:
        if os.environ.get(name):
            return name if os.environ[name].upper() in _TRUE else None
    return None


_group = partial(option, section="Groups")


def selection_options(function: F) -> F:
    """Add uv's group options; the verb gets one `selection`."""
    options = [
        _group(
            "--group",
            "groups",
            multiple=True,
            metavar="G",
            envvar="MLXK_GROUP",
            help="Take models of group G too.",
        ),
        _group(
            "--only-group",
            "only_groups",
            multiple=True,
            metavar="G",
            envvar="MLXK_ONLY_GROUP",
            help="Take only models of group G.",
        ),
        _group(
            "--no-group",
            "no_groups",
            multiple=True,
            metavar="G",
            envvar="MLXK_NO_GROUP",
            help="Leave models of group G out.",
        ),
        _group("--all-groups", is_flag=True, help="Take the models of every group."),
    ]
    for add in reversed(options):
        function = add(function)
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
