"""What `mlxk run` is about: one model on this machine, where its `.hf_cache` is, and what it may do.

A step of `run`. Owns that every spelling of one model leads to one cache beside it, and that nothing runs a
repo's code unless that was allowed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mlxlock.errors import PolicyError, UnhealthyError, UsageError
from mlxlock.planning.health import problems_of
from mlxlock.planning.layout import CACHE_DIR
from mlxlock.planning.proving import locked_pins, needs_a_mirror
from mlxlock.planning.relock import all_seen
from mlxlock.planning.run_job import RUNNABLE
from mlxlock.ports import LocalModel, Ports
from mlxlock.spec.inspection import remote_code
from mlxlock.spec.lockfile import LockedModel
from mlxlock.spec.manifest import Manifest, remote_code_of
from mlxlock.spec.names import RepoId, Revision
from mlxlock.spec.record import Pin
from mlxlock.spec.toml_text import shown
from mlxlock.steps.freshness import check_fresh
from mlxlock.steps.inspected import texts_and_kind, texts_and_kind_at
from mlxlock.steps.locate import locate
from mlxlock.steps.pinning import Key, pins_of
from mlxlock.steps.project import Project, read_lockfile, read_lockfile_if_any, read_manifest
from mlxlock.steps.selection import seen_models
from mlxlock.steps.synced import refuse_unsynced

_HUB_ABOVE_SNAPSHOT: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One model that can be run.

    Attributes:
        name: As it is shown.
        directory: Its files, with every symlink followed: mlx-audio goes by the directory's own name.
        kind: One of `RUNNABLE`.
        trusts: Whether code of its repo may run.
        cache: What stands for `.hf_cache`; None for a model of the Hugging Face cache without a place of its
            own, of which nothing is kept.
        hub: The Hugging Face cache that holds it, to be read beside.
        blobs: The same, where its files are links into it, whether or not anything else is read there.
        pins: What revisions mean already.
        artifacts: What the manifest says that they mean.
        served: What a mirror has to answer with for it to run offline; empty when it needs none.
    """

    name: str
    directory: Path
    kind: str
    trusts: bool
    cache: Path | None
    hub: Path | None = None
    blobs: Path | None = None
    pins: Mapping[Key, Revision] = field(default_factory=dict)
    artifacts: Mapping[RepoId, Revision] = field(default_factory=dict)
    served: tuple[Pin, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What `run` was told about the model.

    Attributes:
        model: A path or a name.
        kind: What it is for, where nothing else tells.
        trust: Whether code of its repo may run.
        cache: Its `.hf_cache`, where that is not beside it.
    """

    model: str
    kind: str | None = None
    trust: bool = False
    cache: Path | None = None


def find_subject(wish: Wish, ports: Ports, project: Project | None) -> Subject:
    """Find the model and look into it.

    Raises:
        UsageError: No such model, or nobody knows how to run it.
        UnhealthyError: Nobody knows, since its files are not whole.
        LockStaleError: The manifest asks for something else than the lock.
        DriftError: The workspace is not what the lock says.
        PolicyError: It would execute code that its repo ships.
    """
    found = locate(wish.model, ports, project)
    if found.where == "lock" and project is not None:
        return _of_lock(found, wish, ports, project)
    directory = found.directory.resolve()
    _refuse_drift_at(directory, ports, project)
    real = ports.library().model(directory) or found
    texts, told = texts_and_kind_at(directory, real.repo)
    kind = _runnable(real, wish.kind or _declared_kind(directory, project) or told, ports)
    _refuse_code(found.name, texts, kind, allowed=wish.trust, cure="`--trust-remote-code` allows it")
    of_cache = real.where == "cache"
    holder = directory.parents[_HUB_ABOVE_SNAPSHOT] if of_cache else None
    beside = None if of_cache else directory.parent / CACHE_DIR
    return Subject(
        name=found.name,
        directory=directory,
        kind=kind,
        trusts=wish.trust,
        cache=wish.cache or beside,
        hub=holder if wish.cache is None else None,
        blobs=holder,
    )


def _of_lock(found: LocalModel, wish: Wish, ports: Ports, project: Project) -> Subject:
    manifest, lockfile = read_manifest(project), read_lockfile(project)
    check_fresh(manifest, lockfile, ports, frozen=False)
    model = next(model for model in lockfile.models if model.name == found.name)
    root = project.workspace_root(manifest)
    refuse_unsynced(f"the workspace of `{model.name}`", [model], manifest, root, ports)
    texts, told = texts_and_kind(manifest, model, ports.store())
    kind = _runnable(found, wish.kind or told, ports)
    trusts = wish.trust or _allowed(manifest, model)
    allow = f'`remote-code = "allow"` in `[models.{model.name}]`, or `--trust-remote-code`, allows it'
    _refuse_code(model.name, texts, kind, allowed=trusts, cure=allow)
    return Subject(
        name=model.name,
        directory=found.directory.resolve(),
        kind=kind,
        trusts=trusts,
        cache=wish.cache or root.resolve() / CACHE_DIR,
        pins=dict(pins_of(lockfile.models)),
        artifacts=manifest.artifacts,
        served=locked_pins(model) if needs_a_mirror(model) else (),
    )


def _allowed(manifest: Manifest, model: LockedModel) -> bool:
    spec = manifest.model(model.name)
    return spec is not None and remote_code_of(manifest, spec) == "allow"


def _refuse_drift_at(directory: Path, ports: Ports, project: Project | None) -> None:
    """A locked model is held to the lock also where a path names it."""
    for model, root in _locked_at(directory, project):
        seen = seen_models([model], ports.store())
        if project is not None and all(map(all_seen, seen)):
            what, manifest = f"the workspace of `{model.name}`", read_manifest(project)
            refuse_unsynced(what, seen, manifest, root, ports)


def _declared_kind(directory: Path, project: Project | None) -> str | None:
    """The kind that the manifest gives the model in this directory, however that was named."""
    return None if project is None else next(_declared_kinds(directory, project), None)


def _declared_kinds(directory: Path, project: Project) -> Iterator[str]:
    manifest = read_manifest(project)
    for model, _ in _locked_at(directory, project):
        spec = manifest.model(model.name)
        if spec is not None and spec.kind:
            yield spec.kind


def _locked_at(directory: Path, project: Project | None) -> Iterator[tuple[LockedModel, Path]]:
    """The project's model in this directory, with the workspace's root, however the directory was named."""
    if project is None:
        return
    root = project.workspace_root(read_manifest(project))
    lockfile = read_lockfile_if_any(project)
    for model in lockfile.models if lockfile else ():
        if (root / model.directory).resolve() == directory:
            yield model, root


def _runnable(model: LocalModel, kind: str | None, ports: Ports) -> str:
    if kind in RUNNABLE:
        return kind
    problems = problems_of(ports.library().facts(model)) if kind is None else ()
    if problems:
        raise UnhealthyError(
            f"`{shown(model.name)}` is not whole: nothing tells what it is for",
            details=problems,
            hint="`mlxk clone` gets a model anew, `mlxk sync` what the lock names",
        )
    what = f"models of kind `{kind}` cannot be run" if kind else "nothing tells what it is for"
    raise UsageError(
        f"`{shown(model.name)}`: {what}", hint=f"if you know better, say `--kind` ({', '.join(RUNNABLE)})"
    )


def _refuse_code(name: str, texts: Mapping[str, str], kind: str, *, allowed: bool, cure: str) -> None:
    found = () if allowed else remote_code(texts, kind)
    if found:
        raise PolicyError(
            f"`{shown(name)}` would execute code that its repo ships",
            details=tuple(str(code) for code in found),
            hint=f"read that code; then {cure}",
        )
