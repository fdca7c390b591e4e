"""`mlxk tree`: what the lock holds: each model, what its first runs brought, and how that is proven."""

from collections.abc import Iterator
from dataclasses import dataclass

from mlxlock.planning.levels import offline_of, sandbox_of, standing
from mlxlock.spec.effects import Download
from mlxlock.spec.lockfile import Artifact, LockedModel
from mlxlock.spec.resolution import FileEntry
from mlxlock.steps.project import Project, read_lockfile
from mlxlock.steps.report import Json, Line, Report, human_bytes, plural


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeOptions:
    """Whether `mlxk tree` names every file."""

    files: bool = False


def tree(project: Project, options: TreeOptions) -> Report:
    """Draw the lock.

    Raises:
        LockMissingError: And its siblings, when it cannot be read.
    """
    lockfile = read_lockfile(project)
    lines = [line for model in lockfile.models for line in _model(model, files=options.files)]
    data: dict[str, Json] = {"models": [_data(model) for model in lockfile.models]}
    return Report(command="tree", data=data, lines=tuple(lines) or (Line("the lock is empty"),))


def _model(model: LockedModel, *, files: bool) -> Iterator[Line]:
    size = human_bytes(model.snapshot.size_bytes)
    yield Line(f"{model.name}  {model.repo} @ {model.commit[:12]}  {size}  {standing(model)}", "title")
    branches = [_artifact(artifact, files=files) for artifact in model.artifacts]
    branches += [_download(download, files=files) for download in model.effects.downloads]
    if files:
        branches = [_files(model.files), *branches]
    for index, branch in enumerate(branches):
        last = index == len(branches) - 1
        for number, text in enumerate(branch):
            lead = ("└── " if last else "├── ") if number == 0 else ("    " if last else "│   ")
            yield Line(lead + text)


def _artifact(artifact: Artifact, *, files: bool) -> list[str]:
    when = f", asked for at {artifact.when}" if artifact.when else ""
    head = f"{artifact.repo} @ {artifact.commit[:12]}  {plural(len(artifact.files), 'file')}{when}"
    return [head, *(f"  {line}" for line in (_files(artifact.files) if files else []))]


def _download(download: Download, *, files: bool) -> list[str]:
    when = f", asked for at {download.when}" if download.when else ""
    head = f"{download.url}  {human_bytes(download.size_bytes)}{when}"
    paths = [member.path for member in download.members]
    if download.path is not None:
        paths.insert(0, download.path)
    return [head, *(f"  {path}" for path in (paths if files else []))]


def _files(files: tuple[FileEntry, ...]) -> list[str]:
    return [f"{file.path}  {human_bytes(file.size_bytes)}" for file in files]


def _data(model: LockedModel) -> dict[str, Json]:
    return {
        "name": model.name,
        "repo": model.repo,
        "commit": model.commit,
        "size_bytes": model.snapshot.size_bytes,
        "offline": offline_of(model),
        "sandbox": sandbox_of(model),
        "files": [file.path for file in model.files],
        "artifacts": [
            {
                "repo": artifact.repo,
                "revision": artifact.revision,
                "commit": artifact.commit,
                "when": artifact.when,
                "files": [file.path for file in artifact.files],
            }
            for artifact in model.artifacts
        ],
        "downloads": [
            {"url": download.url, "size_bytes": download.size_bytes, "when": download.when}
            for download in model.effects.downloads
        ],
    }
