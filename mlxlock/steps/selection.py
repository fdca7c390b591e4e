"""Which models of the lock a command is about, and what they need laid out.

A step of `sync`, `status` and `verify`. Owns that a manifest's groups and markers select, and nothing else.
"""

from collections.abc import Iterable, Mapping

from mlxlock.planning.assemble import complete_model
from mlxlock.planning.relock import all_seen
from mlxlock.ports import BlobStore
from mlxlock.spec.lockfile import LockedModel, Lockfile
from mlxlock.spec.manifest import Manifest
from mlxlock.spec.selection import Selection, is_for, not_for_here, selected, why_left_out
from mlxlock.steps.obtain import completer

__all__ = [
    "Selection",
    "chosen_models",
    "environment_of",
    "left_out",
    "seen_models",
    "sync_command",
    "unseen_models",
]


def chosen_models(manifest: Manifest, lockfile: Lockfile, selection: Selection) -> tuple[LockedModel, ...]:
    """The locked models that are selected here; a locked model that left the manifest is not."""
    names = {model.name for model in selected(manifest, selection, environment_of(manifest))}
    return tuple(model for model in lockfile.models if model.name in names)


def left_out(manifest: Manifest, lockfile: Lockfile, selection: Selection) -> dict[str, str]:
    """Why each locked model of the manifest that is not selected here is left out, by name."""
    environment = environment_of(manifest)
    chosen = {model.name for model in selected(manifest, selection, environment)}
    locked = {model.name for model in lockfile.models}
    return {
        model.name: why_left_out(model, environment)
        for model in manifest.models
        if model.name in locked - chosen
    }


def environment_of(manifest: Manifest) -> Mapping[str, str]:
    """What the manifest's markers are judged in; nothing when it has none."""
    if all(model.when is None for model in manifest.models):
        return {}
    from packaging.markers import default_environment  # noqa: PLC0415 - most manifests have no marker

    return {key: str(value) for key, value in default_environment().items()}


def seen_models(models: Iterable[LockedModel], store: BlobStore) -> tuple[LockedModel, ...]:
    """The models with the hashes of bytes that the store saw since they were locked (`lock --no-capture`)."""
    complete = completer(store)
    return tuple(model if all_seen(model) else complete_model(model, complete) for model in models)


def unseen_models(models: Iterable[LockedModel]) -> tuple[LockedModel, ...]:
    """Those with a file whose bytes nobody has seen."""
    return tuple(model for model in models if not all_seen(model))


def sync_command(manifest: Manifest, names: Iterable[str]) -> str:
    """The call that brings these models: with a group of each that does not come without one."""
    specs = [spec for spec in map(manifest.model, names) if spec is not None and spec.groups]
    groups = dict.fromkeys(spec.groups[0] for spec in specs)
    return " ".join(["mlxk sync", *(f"--group {group}" for group in groups)])


def refuse_elsewhere(manifest: Manifest, models: Iterable[LockedModel]) -> None:
    """Raise for a model that `sync` will not bring, since its `when` says that it is not for here.

    Raises:
        UsageError: There is one.
    """
    environment = environment_of(manifest)
    for spec in filter(None, (manifest.model(model.name) for model in models)):
        if not is_for(spec, environment):
            raise not_for_here(spec)
