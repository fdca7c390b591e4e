"""Which models a command is about: names, groups and `when`, chosen as uv chooses dependency groups.

Owns the choice alone: selection is layout, it never enters the lock.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mlxlock.errors import UsageError
from mlxlock.spec.manifest import Manifest, ModelSpec
from mlxlock.spec.readers import did_you_mean
from mlxlock.spec.toml_text import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the command line asks for.

    Attributes:
        models: Names; none means all that the groups leave.
        groups: `--group`: models of these come too.
        only_groups: `--only-group`: models of these come, and those without any group stay out.
        no_groups: `--no-group`: as if nobody had asked for these.
        all_groups: `--all-groups`: models of every group come.
    """

    models: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    only_groups: tuple[str, ...] = ()
    no_groups: tuple[str, ...] = ()
    all_groups: bool = False


def selected(
    manifest: Manifest, selection: Selection, environment: Mapping[str, str]
) -> tuple[ModelSpec, ...]:
    """The models that a selection means, in the manifest's order.

    A model without `groups` is always in (unless `--only-group` is given); one with `groups` is in when at
    least one of them is asked for and not taken back by `--no-group`. A model whose `when` is false here is
    out. Models that are named are in whatever their groups, and one whose `when` is false is an error then.

    Args:
        manifest: The whole manifest.
        selection: What was asked for.
        environment: The PEP 508 environment, as `packaging.markers.default_environment` tells it.

    Raises:
        UsageError: A name or a group that the manifest does not have, or a named model that is not for here.
    """
    _refuse_unknown(selection, manifest)
    if selection.models:
        return _named(manifest, selection.models, environment)
    active = _active_groups(manifest, selection)
    ungrouped = not selection.only_groups
    chosen = (
        model
        for model in manifest.models
        if (active.intersection(model.groups) if model.groups else ungrouped)
    )
    return tuple(model for model in chosen if is_for(model, environment))


def is_for(model: ModelSpec, environment: Mapping[str, str]) -> bool:
    """Whether the model's `when` holds."""
    return model.when is None or model.when.evaluate(dict(environment))


def all_groups(manifest: Manifest) -> tuple[str, ...]:
    """Every group that some model belongs to, sorted."""
    return tuple(sorted({group for model in manifest.models for group in model.groups}))


def _active_groups(manifest: Manifest, selection: Selection) -> set[str]:
    every = all_groups(manifest) if selection.all_groups else ()
    return {*every, *selection.groups, *selection.only_groups} - set(selection.no_groups)


def _named(
    manifest: Manifest, names: Collection[str], environment: Mapping[str, str]
) -> tuple[ModelSpec, ...]:
    models = tuple(model for model in manifest.models if model.name in names)
    for model in models:
        if not is_for(model, environment):
            raise not_for_here(model)
    return models


def not_for_here(model: ModelSpec) -> UsageError:
    """The error for a model that was asked for by name, and is left out by its `when`."""
    return UsageError(
        f"`{model.name}` is not for this environment: `when = '{model.when}'`",
        hint="name other models, or change its `when` in `models.toml`",
    )


def why_left_out(model: ModelSpec, environment: Mapping[str, str]) -> str:
    """What keeps a model out that a selection did not choose: its marker, else its groups."""
    if not is_for(model, environment):
        return f"`when = '{model.when}'`"
    if not model.groups:
        return "it is in no group"
    return f"{'group' if len(model.groups) == 1 else 'groups'} {', '.join(f'`{g}`' for g in model.groups)}"


def _refuse_unknown(selection: Selection, manifest: Manifest) -> None:
    names = [model.name for model in manifest.models]
    for name in selection.models:
        if name not in names:
            raise _unknown("model", name, names)
    groups = all_groups(manifest)
    for group in (*selection.groups, *selection.only_groups, *selection.no_groups):
        if group not in groups:
            raise _unknown("group", group, groups)


def _unknown(what: str, name: str, known: Collection[str]) -> UsageError:
    listed = ", ".join(f"`{each}`" for each in known) or "none"
    return UsageError(
        f"`models.toml` has no {what} `{shown(name)}`{did_you_mean(name, known)}",
        hint=f"it has these {what}s: {listed}",
    )
