"""Reads `models.toml` into values: every problem placed, all of them told at once, nothing guessed.

Owns the keys that a person may write and the rules between models. What they mean to a lock is `manifest`'s.
"""

from collections import defaultdict

from mlxlock.errors import ManifestError
from mlxlock.spec.first_run import read_first_runs
from mlxlock.spec.manifest import (
    DEFAULT_REVISION,
    DEFAULT_WORKSPACE,
    KINDS,
    REMOTE_CODE,
    Manifest,
    ModelSpec,
    Policy,
    SandboxSpec,
    Workspace,
)
from mlxlock.spec.manifest_grammar import (
    denied_name,
    directory_name,
    group_name,
    host_name,
    marker,
    repo_id,
    version_range,
    workspace_path,
)
from mlxlock.spec.names import ModelName, RepoId, Revision, collision_key
from mlxlock.spec.readers import Table, load_toml, one_of, plain
from mlxlock.spec.record import REQUIRED_LEVELS
from mlxlock.spec.weights import FORMATS


def parse_manifest(text: str, name: str = "models.toml") -> Manifest:
    """The manifest that a text holds.

    Args:
        text: The whole file.
        name: Its name, for messages.

    Raises:
        ManifestError: Not TOML, or anything wrong in it; `details` has one line a problem.
    """
    root = load_toml(text, name, ManifestError)
    found = [(table, _model(model, table)) for model, table in root.named("models", ModelName)]
    manifest = Manifest(
        models=tuple(model for _, model in found if model is not None),
        artifacts=_artifacts(root),
        workspace=_workspace(root.table("workspace")),
        sandbox=_sandbox(root.table("sandbox")),
        policy=_policy(root.table("policy")),
    )
    root.finish()
    _refuse_clashes([(table, model) for table, model in found if model is not None])
    root.problems.raise_as(ManifestError, name)
    return manifest


def _model(name: ModelName | None, table: Table) -> ModelSpec | None:
    repo = table.text("repo", repo_id, required=True)
    revision, version = _revision(table)
    groups = table.texts("groups", group_name)
    when = table.text("when", marker)
    kind = table.choice("kind", KINDS)
    directory = table.text("dir", directory_name)
    include, exclude = table.texts("include", plain), table.texts("exclude", plain)
    remote_code = table.choice("remote-code", REMOTE_CODE)
    first_runs = read_first_runs(table)
    accept_denied = table.texts("accept-denied", denied_name)
    table.finish()
    if repo is not None and directory is None:
        _check_basename(table, repo)
    if name is None or repo is None:
        return None
    return ModelSpec(
        name=name,
        repo=repo,
        revision=revision,
        version=version,
        include=include,
        exclude=exclude,
        groups=groups,
        when=when,
        kind=kind,
        dir=directory,
        remote_code=remote_code,
        first_runs=first_runs,
        accept_denied=accept_denied,
    )


def _check_basename(table: Table, repo: RepoId) -> None:
    try:
        directory_name(repo.basename)
    except ValueError as error:
        table.problem("repo", f"its name cannot be a directory's: {error}", hint="give it another with `dir`")


def _revision(table: Table) -> tuple[Revision | None, str | None]:
    revision = table.text("revision", Revision)
    version = table.text("version", version_range)
    if table.has("revision") and table.has("version"):
        table.problem("version", "`revision` is given too, and only one of them can be meant")
    return (None, version) if table.has("version") else (revision or DEFAULT_REVISION, None)


def _artifacts(root: Table) -> dict[RepoId, Revision]:
    pins: dict[RepoId, Revision] = {}
    for repo, table in root.named("artifacts", repo_id):
        revision = table.text("revision", Revision, required=True)
        table.finish()
        if repo is not None and revision is not None:
            pins[repo] = revision
    return pins


def _workspace(table: Table | None) -> Workspace:
    if table is None:
        return Workspace()
    path = table.text("path", workspace_path)
    table.finish()
    return Workspace(path=path or DEFAULT_WORKSPACE)


def _sandbox(table: Table | None) -> SandboxSpec:
    if table is None:
        return SandboxSpec()
    require = table.choice("require", REQUIRED_LEVELS)
    allow_hosts = table.texts("allow-hosts", host_name)
    python = table.text("python", plain)
    table.finish()
    return SandboxSpec(require=require, allow_hosts=allow_hosts, python=python)


def _policy(table: Table | None) -> Policy:
    if table is None:
        return Policy()
    licenses = table.texts("licenses", plain) if table.has("licenses") else None
    formats = table.texts("formats", one_of(FORMATS)) if table.has("formats") else None
    remote_code = table.choice("remote-code", REMOTE_CODE)
    table.finish()
    return Policy(licenses=licenses, formats=formats, remote_code=remote_code or "deny")


def _refuse_clashes(found: list[tuple[Table, ModelSpec]]) -> None:
    """Each directory of the workspace belongs to one model, on every filesystem."""
    by_directory: dict[str, list[tuple[Table, ModelSpec]]] = defaultdict(list)
    for table, model in found:
        by_directory[collision_key(model.directory)].append((table, model))
    for first, *others in by_directory.values():
        for table, model in others:
            own = f"{model.directory}-{model.name}"
            table.problem(
                "repo" if model.dir is None else "dir",
                f"its directory `{model.directory}` is that of `{first[1].name}` too",
                hint=f'give one of them a directory of its own: `dir = "{own}"`, or `mlxk add --dir {own} …`',
            )
