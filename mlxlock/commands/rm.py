"""`mlxk rm REPO[@REVISION]|PATH…`: takes exactly what is named off this machine, after asking.

A name means the Hugging Face cache, and in full: nothing is removed by a part of its name. A workspace goes
only by its path, and only one that mlxk or mlx-knife made; what the project's lock names goes by `remove`.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlxlock.errors import ManifestMissingError, UsageError
from mlxlock.planning.naming import Asked, matches
from mlxlock.ports import LocalModel, Ports
from mlxlock.spec.toml_text import shown
from mlxlock.steps.locate import all_shelves
from mlxlock.steps.project import Project, find_project, read_lockfile_if_any, read_manifest
from mlxlock.steps.report import Json, Line, Report, human_bytes, plural


@dataclass(frozen=True, slots=True, kw_only=True)
class RmOptions:
    """What `mlxk rm` was asked for.

    Attributes:
        models: Each `org/name`, `org/name@revision`, or a path.
        confirm: Asks a person about these lines; False leaves everything.
    """

    models: tuple[str, ...]
    confirm: Callable[[Sequence[str]], bool]
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Going:
    """What one argument means: some snapshots of a repo, all of it, or a workspace."""

    models: tuple[LocalModel, ...]
    whole: bool

    def line(self, ports: Ports) -> str:
        """For the question."""
        first = self.models[0]
        size = human_bytes(sum(ports.library().facts(model).size_bytes for model in self.models))
        if first.where == "workspace":
            changed = "" if ports.library().as_made(first) else ", and may be changed"
            return f"`{first.directory}` ({size}, from `{first.repo or 'unknown'}`{changed})"
        if self.whole:
            return f"`{first.repo}`, {plural(len(self.models), 'snapshot')} ({size}) of `{_cache_of(first)}`"
        return f"`{first.repo}` at {first.revision} ({size}) of `{_cache_of(first)}`"


def rm(ports: Ports, project: Project | None, options: RmOptions) -> Report:
    """Find everything first, ask once, then remove.

    Raises:
        UsageError: Something is not there, or is not to be removed by this verb; nothing was.
        DiskError: The disk refuses.
    """
    going = [_found(text, ports, project) for text in options.models]
    lines = [each.line(ports) for each in going]
    sure = not options.dry_run and options.confirm(lines)
    for each in going if sure else ():
        _remove(each, ports)
    data: dict[str, Json] = {
        "removed": sure,
        "dry_run": options.dry_run,
        "models": [
            {
                "name": model.name,
                "source": "cache" if model.where == "cache" else "workspace",
                "hash": model.revision,
                "path": str(model.directory),
            }
            for each in going
            for model in each.models
        ],
    }
    verb = "removed" if sure else "would remove" if options.dry_run else "left"
    return Report(command="rm", data=data, lines=tuple(Line(f"{verb} {line}") for line in lines))


def _found(text: str, ports: Ports, project: Project | None) -> _Going:
    library = ports.library()
    path = library.path(text)
    if path is not None:
        return _workspace(path, ports, project)
    try:
        asked = Asked.parse(text)
    except ValueError as error:
        raise UsageError(f"`{shown(text)}` is no name of a model", hint="see `mlxk list`") from error
    cached = [model for shelf in library.shelves() for model in shelf.models if model.where == "cache"]
    named = tuple(model for model in cached if model.name == asked.name)
    if not named:
        raise _unknown(asked, ports, project)
    if asked.revision is None:
        return _Going(models=named, whole=True)
    found = matches(asked, [named])
    if len(found) != 1:
        told = tuple(f"{model.revision} ({', '.join(model.refs) or 'no revision'})" for model in named)
        reason = f"`{shown(asked.revision)}` means {len(found)} snapshots of `{asked.name}`"
        raise UsageError(reason, details=told, hint="name one commit")
    return _Going(models=found, whole=False)


def _unknown(asked: Asked, ports: Ports, project: Project | None) -> UsageError:
    shelves = all_shelves(ports.library(), project)
    for model in matches(Asked(name=asked.name), [shelf.models for shelf in shelves]):
        if asked.name not in {model.name, model.repo, model.repo and model.repo.basename}:
            continue  # nothing is offered for a part of its name
        if model.where == "lock":
            return UsageError(f"`{model.name}` is the project's", hint=f"use `mlxk remove {model.name}`")
        if model.where == "workspace":
            hint = f"name its path: `mlxk rm {model.directory}`"
            return UsageError(f"`{shown(asked.name)}` is a workspace", hint=hint)
        return UsageError(f"no `{shown(asked.name)}` in the cache", hint=f"name it in full: `{model.name}`")
    return UsageError(f"no `{shown(asked.name)}` in the cache", hint="see `mlxk list --all`")


def _workspace(path: Path, ports: Ports, project: Project | None) -> _Going:
    model = ports.library().model(path)
    if model is None or model.where != "workspace" or path.is_symlink():
        raise UsageError(f"`{path}` is no workspace of one model", hint="see `mlxk list --full-paths`")
    if model.sentinel is None or not model.sentinel.managed:
        raise UsageError(f"`{path}` has no sentinel: mlxk did not make it", hint="remove it yourself")
    for owner in dict.fromkeys((project, _owner_of(path))):
        if owner is not None:
            _refuse_locked(path, owner, here=owner == project)
    return _Going(models=(model,), whole=True)


def _owner_of(path: Path) -> Project | None:
    """The project that a workspace stands in, wherever the call is made from."""
    try:
        return find_project(Path(os.path.realpath(path)).parent)
    except ManifestMissingError:
        return None


def _refuse_locked(path: Path, owner: Project, *, here: bool) -> None:
    root = owner.workspace_root(read_manifest(owner))
    lockfile = read_lockfile_if_any(owner)
    for model in lockfile.models if lockfile else ():
        if os.path.realpath(root / model.directory) == os.path.realpath(path):
            whose = "the project's" if here else f"of the project in `{owner.root}`, its"
            cure = f"use `mlxk remove {model.name}`" + ("" if here else " there")
            raise UsageError(f"`{path}` is {whose} `{model.name}`", hint=cure)


def _cache_of(model: LocalModel) -> Path:
    return model.directory.parents[2]


def _remove(going: _Going, ports: Ports) -> None:
    first = going.models[0]
    if first.where == "workspace":
        ports.workspaces().remove(first.directory)
        return
    assert first.repo is not None  # noqa: S101 - a cache names each of its models' repos
    ports.hub_cache().remove(first.repo, None if going.whole else first.revision)
