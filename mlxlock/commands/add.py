"""`mlxk add REPO…`: put models into `models.toml`, then lock and sync, as uv does."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from mlxlock.commands.lock import LockOptions
from mlxlock.commands.manifest_change import change_manifest
from mlxlock.commands.project import Project
from mlxlock.commands.report import Report
from mlxlock.commands.sync import SyncOptions
from mlxlock.errors import UsageError
from mlxlock.ports import Ports
from mlxlock.spec.manifest_edit import add_model
from mlxlock.spec.names import ModelName, RepoId
from mlxlock.spec.toml_text import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOptions:
    """What `mlxk add` was asked for; each of `repos` is `[name=]org/name[@revision]`."""

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
    """Edit the manifest; a lock that fails gives the old text back.

    Raises:
        UsageError: A repo id that is none, or a name for several repos.
        MlxlockError: As `lock` and `sync` raise.
    """
    if options.name and len(options.repos) > 1:
        raise UsageError("`--name` is for one repo", hint="write `name=org/name` for each instead")

    def edit(text: str) -> str:
        for repo in options.repos:
            name, fields = _parsed(repo, options)
            text = add_model(text, name, fields)
        return text

    return change_manifest("add", project, ports, edit, options)


def _parsed(text: str, options: AddOptions) -> tuple[ModelName, Mapping[str, str | list[str]]]:
    alias, _, spec = text.rpartition("=")
    repo_text, _, revision = spec.partition("@")
    try:
        repo = RepoId(repo_text)
        name = ModelName(options.name or alias or default_name(repo))
    except ValueError as error:
        raise UsageError(shown(str(error)), hint="write `mlxk add [name=]org/name[@revision]`") from error
    return name, _fields(repo, revision or options.revision, options)


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
