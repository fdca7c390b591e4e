"""Which model on this machine a path or a name means: a step of `run`, `show`, `health`, `convert` and `rm`.

Owns the order: a path; then the project's lock and its workspace, the workspace home, each path of
`MLXK_MODEL_PATH`, the Hugging Face cache. An ambiguous name is an error that lists what it could mean.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mlxlock.errors import UsageError
from mlxlock.planning.naming import Asked, matches
from mlxlock.ports import Library, LocalModel, Ports, Shelf
from mlxlock.spec.readers import did_you_mean
from mlxlock.spec.toml_text import shown
from mlxlock.steps.project import Project, read_lockfile_if_any, read_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlxlock.spec.lockfile import LockedModel


def locate(text: str, ports: Ports, project: Project | None) -> LocalModel:
    """The one model that a path or a name means.

    Args:
        text: A path in any spelling, a name, or `name@revision`.
        ports: Of them only the library.
        project: The project here, if there is one: its lock comes first.

    Returns:
        Where it is. With `where="lock"` the directory may not be built, or may be changed.

    Raises:
        UsageError: There is no such model, or the name could mean several.
        ManifestError: The project's manifest cannot be read; `LockfileError` and `LockNewerError` likewise.
    """
    library = ports.library()
    path = library.path(text)
    if path is not None:
        return _at(path, library)
    asked = _asked(text)
    shelves = all_shelves(library, project)
    found = matches(asked, [shelf.models for shelf in shelves])
    if not found:
        _refuse_unlocked(asked, project)
        raise _unknown(text, asked, shelves)
    if len(found) > 1:
        raise _ambiguous(text, found)
    return found[0]


def all_shelves(library: Library, project: Project | None) -> tuple[Shelf, ...]:
    """Every model on this machine, in the order in which names are looked up.

    No directory comes twice, by whatever links two places lead to it.
    """
    shelves = (*_of_project(library, project), *library.shelves())
    seen: set[Path] = set()
    distinct = []
    for shelf in shelves:
        root = Path(os.path.realpath(shelf.root))
        places = {root / model.directory.relative_to(shelf.root): model for model in shelf.models}
        fresh = tuple(model for place, model in places.items() if place not in seen)
        seen |= places.keys()
        distinct.append(Shelf(where=shelf.where, root=shelf.root, models=fresh, problem=shelf.problem))
    return tuple(distinct)


def _of_project(library: Library, project: Project | None) -> tuple[Shelf, ...]:
    """What the lock names, then what else its workspace holds."""
    if project is None:
        return ()
    root = project.workspace_root(read_manifest(project))
    lockfile = read_lockfile_if_any(project)
    locked = () if lockfile is None else tuple(_locked(model, root, library) for model in lockfile.models)
    return Shelf(where="lock", root=root, models=locked), library.shelf(root)


def _locked(model: LockedModel, root: Path, library: Library) -> LocalModel:
    built = library.model(root / model.directory)
    return LocalModel(
        where="lock",
        directory=root / model.directory,
        name=model.name,
        repo=model.repo,
        revision=model.commit,
        refs=(model.resolved_revision,),
        sentinel=None if built is None else built.sentinel,
        sentinel_problem=None if built is None else built.sentinel_problem,
    )


def _at(path: Path, library: Library) -> LocalModel:
    model = library.model(path)
    if model is not None:
        return model
    below = [f"`{each.directory}`" for each in library.shelf(path).models]
    if below:
        raise UsageError(
            f"`{shown(str(path))}` holds models, and is none itself", hint=f"name one: {below[0]}"
        )
    raise UsageError(
        f"no model at `{shown(str(path))}`", hint="see `mlxk list`, or get one with `mlxk clone REPO`"
    )


def _asked(text: str) -> Asked:
    try:
        return Asked.parse(text)
    except ValueError as error:
        raise UsageError(f"`{shown(text)}` is no name of a model", hint="see `mlxk list`") from error


def _unknown(text: str, asked: Asked, shelves: Sequence[Shelf]) -> UsageError:
    names = sorted({model.name for shelf in shelves for model in shelf.models})
    hint = "see `mlxk list`, or get one with `mlxk clone REPO`"
    if asked.revision is not None and matches(Asked(name=asked.name), [shelf.models for shelf in shelves]):
        return UsageError(f"`{shown(asked.name)}` is not here at `{shown(asked.revision)}`", hint=hint)
    return UsageError(f"no model `{shown(text)}`{did_you_mean(asked.name, names)}", hint=hint)


def _refuse_unlocked(asked: Asked, project: Project | None) -> None:
    if project is None or asked.revision is not None:
        return
    if read_manifest(project).model(asked.name) is not None:
        raise UsageError(
            f"`{shown(asked.name)}` is in `models.toml`, and not locked yet",
            hint="run `mlxk lock`, then `mlxk sync`",
        )


def _ambiguous(text: str, found: Sequence[LocalModel]) -> UsageError:
    return UsageError(
        f"`{shown(text)}` could mean {len(found)} models",
        details=tuple(_candidate(model) for model in found),
        hint="name one of them in full, or its path",
    )


def _candidate(model: LocalModel) -> str:
    commit = f"@{model.revision}" if model.where == "cache" and model.revision else ""
    return f"`{model.name}{commit}` ({model.where}: `{model.directory}`)"
