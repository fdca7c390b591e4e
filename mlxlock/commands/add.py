"""`mlxk add REPO…`: put models into `models.toml`, then lock and sync, as uv does."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from mlxlock.commands.lock import LockOptions
from mlxlock.commands.manifest_change import change_manifest
from mlxlock.commands.sync import SyncOptions
from mlxlock.errors import UsageError
from mlxlock.ports import Library, LocalModel, Ports
from mlxlock.spec.manifest_edit import add_model
from mlxlock.spec.names import ModelName, RepoId
from mlxlock.spec.sentinel_reader import SeenSentinel
from mlxlock.spec.toml_text import shown
from mlxlock.steps.project import Project
from mlxlock.steps.report import Report

_PAGE: Final = re.compile(r"https?://[^/]+/([\w.-]+/[\w.-]+)")
"""A repo's page on a Hub."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOptions:
    """What `mlxk add` was asked for; each of `repos` is `[name=]org/name[@revision]`, or a clone's path."""

    repos: tuple[str, ...]
    name: str | None = None
    revision: str | None = None
    version: str | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    when: str | None = None
    kind: str | None = None
    dir: str | None = None
    remote_code: bool = False
    lock: LockOptions = field(default_factory=LockOptions)
    sync: SyncOptions = field(default_factory=SyncOptions)
    no_sync: bool = False
    frozen: bool = False


def add(project: Project, ports: Ports, options: AddOptions) -> Report:
    """Edit the manifest; a lock or sync that fails gives both files back.

    Raises:
        UsageError: A repo id that is none, a path to no clone, or a name for several repos.
        MlxlockError: As `lock` and `sync` raise.
    """
    if options.name and len(options.repos) > 1:
        raise UsageError("`--name` is for one repo", hint="write `name=org/name` for each instead")

    def edit(text: str) -> str:
        for repo in options.repos:
            name, fields = _parsed(repo, options, ports.library())
            text = add_model(text, name, fields)
        return text

    return change_manifest("add", project, ports, edit, _with_its_groups(options))


def _with_its_groups(options: AddOptions) -> AddOptions:
    """What is added is synced too, whatever group it is in."""
    selection = options.sync.selection
    groups = tuple(dict.fromkeys((*selection.groups, *options.groups)))
    return replace(options, sync=replace(options.sync, selection=replace(selection, groups=groups)))


def _parsed(
    text: str, options: AddOptions, library: Library
) -> tuple[ModelName, Mapping[str, str | list[str]]]:
    alias, _, spec = text.rpartition("=")
    repo_text, at, revision = spec.partition("@")
    if at and not revision:
        raise UsageError(
            f"`{shown(text)}` names no revision", hint=f"write one after the `@`, or `{shown(text[:-1])}`"
        )
    try:
        repo = RepoId(repo_text)
    except ValueError as error:
        found = _workspace(spec, library)
        if found is None:
            raise _no_repo(error, repo_text) from error
        return _named(options.name or alias, _repo_of(found)), _fields_of(found, options)
    return _named(options.name or alias, repo), _fields(repo, revision or options.revision, options)


def _no_repo(error: ValueError, text: str) -> UsageError:
    page = _PAGE.match(text)
    usual = "write `mlxk add [name=]org/name[@revision]`, or a clone's path"
    return UsageError(shown(str(error)), hint=f"write `mlxk add {shown(page[1])}`" if page else usual)


def _named(name: str, repo: RepoId) -> ModelName:
    try:
        return ModelName(name or default_name(repo))
    except ValueError as error:
        raise _no_repo(error, name) from error


def _workspace(text: str, library: Library) -> LocalModel | None:
    path = library.path(text)
    return None if path is None else library.model(path)


def _repo_of(found: LocalModel) -> RepoId:
    """The repo that a directory was cloned from.

    Raises:
        UsageError: Nothing says so, or it is not what that repo has.
    """
    converted = found.sentinel is not None and found.sentinel.operation == "convert"
    if found.repo is None or found.revision is None or converted:
        why = "was converted" if converted else "does not say which repo and commit it is"
        raise UsageError(
            f"`{found.directory}` {why}", hint="add what `mlxk clone` made, or `org/name@revision`"
        )
    return found.repo


def _fields_of(found: LocalModel, options: AddOptions) -> Mapping[str, str | list[str]]:
    """Fields that mean this very directory, at its commit: its bytes are in the store already."""
    repo = _repo_of(found)
    sentinel = found.sentinel or SeenSentinel()
    same = replace(
        options,
        include=options.include or sentinel.include,
        exclude=options.exclude or sentinel.exclude,
        dir=options.dir or (found.directory.name if found.where == "workspace" else None),
    )
    fields = dict(_fields(repo, found.revision, same))
    if fields.get("dir") == repo.basename:
        del fields["dir"]
    return fields


def default_name(repo: RepoId) -> str:
    """A model's name when nobody gave one: the repo's basename in lower case."""
    return re.sub(r"[^a-z0-9._-]", "-", repo.basename.lower()).strip("._-")[:64]


def _fields(repo: RepoId, revision: str | None, options: AddOptions) -> Mapping[str, str | list[str]]:
    fields: dict[str, str | list[str] | None] = {
        "repo": repo,
        "revision": revision,
        "version": options.version,
        "include": list(options.include) or None,
        "exclude": list(options.exclude) or None,
        "groups": list(options.groups) or None,
        "when": options.when,
        "kind": options.kind,
        "dir": options.dir,
        "remote-code": "allow" if options.remote_code else None,
    }
    return {key: value for key, value in fields.items() if value is not None}
