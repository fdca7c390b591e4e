"""`mlxk why REPO`: why the lock holds a repo: which model, which phase of its first run, which revision."""

from collections.abc import Iterator
from dataclasses import dataclass

from mlxlock.commands.project import Project, read_lockfile
from mlxlock.commands.report import Json, Line, Report, plural
from mlxlock.errors import UsageError
from mlxlock.spec.lockfile import Artifact, LockedModel, Lockfile
from mlxlock.spec.readers import did_you_mean
from mlxlock.spec.toml_text import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyOptions:
    """The repo that `mlxk why` is about."""

    repo: str


def why(project: Project, options: WhyOptions) -> Report:
    """Find everyone who needs the repo.

    Raises:
        UsageError: Nobody does.
    """
    lockfile = read_lockfile(project)
    wanted = options.repo.casefold()
    declared = [
        model for model in lockfile.models if wanted in {model.repo.casefold(), model.name.casefold()}
    ]
    brought = [(model, artifact) for model, artifact in _artifacts(lockfile) if _is(artifact, wanted)]
    if not declared and not brought:
        known = {model.repo for model in lockfile.models} | {art.repo for _, art in _artifacts(lockfile)}
        near = did_you_mean(options.repo, known)
        raise UsageError(f"`models.lock` has no `{shown(options.repo)}`{near}", hint="see `mlxk tree`")
    lines = [line for model in declared for line in _declared(model)]
    lines += [line for model, artifact in brought for line in _brought(model, artifact)]
    data: dict[str, Json] = {
        "repo": options.repo,
        "declared_by": [model.name for model in declared],
        "brought_by": [_data(model, artifact) for model, artifact in brought],
    }
    return Report(command="why", data=data, lines=tuple(lines))


def _artifacts(lockfile: Lockfile) -> Iterator[tuple[LockedModel, Artifact]]:
    for model in lockfile.models:
        for artifact in model.artifacts:
            yield model, artifact


def _is(artifact: Artifact, wanted: str) -> bool:
    return wanted in {artifact.repo.casefold(), (artifact.canonical or artifact.repo).casefold()}


def _declared(model: LockedModel) -> Iterator[Line]:
    asked = model.request.revision or model.request.version
    yield Line(f"{model.repo} is declared as `{model.name}` in models.toml", "title")
    yield Line(f"  asked {asked}, locked {model.commit}")


def _brought(model: LockedModel, artifact: Artifact) -> Iterator[Line]:
    yield Line(f"{artifact.repo} was asked for by the first run of `{model.name}` ({model.repo})", "title")
    if artifact.asked_by:
        yield Line(f"  by {artifact.asked_by}")
    if artifact.when:
        yield Line(f"  at {artifact.when}")
    yield Line(
        f"  asked {artifact.revision}, locked {artifact.commit}, {plural(len(artifact.files), 'file')}"
    )
    for file in artifact.files:
        yield Line(f"    {file.path}", "dim")
    for path in artifact.absent:
        yield Line(f"    {path} (asked for, and not there)", "dim")


def _data(model: LockedModel, artifact: Artifact) -> dict[str, Json]:
    return {
        "model": model.name,
        "repo": artifact.repo,
        "canonical": artifact.canonical,
        "revision": artifact.revision,
        "commit": artifact.commit,
        "asked_by": artifact.asked_by,
        "when": artifact.when,
        "files": [file.path for file in artifact.files],
        "absent": list(artifact.absent),
    }
