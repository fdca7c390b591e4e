"""`mlxk health [NAME|PATH…]`: whether models are whole. Reads, never writes, never mends."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mlxlock.errors import DiskError, UnhealthyError
from mlxlock.ports import Artifact, LocalModel, Ports
from mlxlock.steps.locate import all_shelves, locate
from mlxlock.steps.looked import (
    Looked,
    fresh_hash,
    lock_states_of,
    look_at,
    model_object,
    states_our_hash,
)
from mlxlock.steps.project import Project
from mlxlock.steps.report import Columns, Json, Line, Report, human_bytes, plural


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthOptions:
    """What `mlxk health` was asked for.

    Attributes:
        models: Names or paths; none means every model on this machine.
        content: Read every byte and compare it with what the sentinel, the lock or the cache says of it.
        verbose: Also say what stands in the `.hf_cache` of each directory of models.
    """

    models: tuple[str, ...] = ()
    content: bool = False
    verbose: bool = False


def health(ports: Ports, project: Project | None, options: HealthOptions) -> Report:
    """Judge each; exit code 1 when one is unhealthy.

    Raises:
        UsageError: A name or path means no model, or several.
    """
    states = lock_states_of(project, ports)
    if options.models:
        models = [locate(name, ports, project) for name in options.models]
    else:
        models = [model for shelf in all_shelves(ports.library(), project) for model in shelf.models]
    looked = [look_at(model, ports, states) for model in models]
    left_out = [each for each in looked if each.left_out and (each.elsewhere or not options.models)]
    looked = [each for each in looked if each not in left_out]
    if options.content:
        looked = [_read(each, ports) for each in looked]
    roots = dict.fromkeys(model.directory.parent for model in models if model.where != "cache")
    artifacts = {root: ports.library().artifacts(root) for root in roots} if options.verbose else {}
    report = _report(looked, artifacts)
    return replace(report, lines=(*report.lines, *map(_left_out, left_out))) if left_out else report


def _left_out(looked: Looked) -> Line:
    return Line(f"{_called(looked.model)}: left out here: {looked.left_out}", "dim")


def _read(looked: Looked, ports: Ports) -> Looked:
    """The same after every byte was read."""
    try:
        wrong = tuple(_of_content(looked, ports))
    except DiskError as problem:
        wrong = (problem.reason,)
    modified = looked.modified if looked.model.where == "cache" else bool(wrong)
    return replace(looked, problems=(*looked.problems, *wrong), modified=modified)


def _of_content(looked: Looked, ports: Ports) -> Iterator[str]:
    if looked.model.where == "cache":
        yield from _of_blobs(looked, ports)
    elif states_our_hash(looked.model):
        actual, problem = fresh_hash(looked, ports)
        if problem is not None:
            yield f"it has no content hash: {problem}"
        elif actual != looked.content_hash:
            yield f"its content is {actual}, and its sentinel says {looked.content_hash}"


def _of_blobs(looked: Looked, ports: Ports) -> Iterator[str]:
    """In a cache a large file's blob is named by its SHA-256."""
    hashes = ports.library().hashes(looked.model, ports.on_event)
    for file in looked.facts.files:
        if file.blob is not None and len(file.blob) == 64 and hashes.get(file.path) not in {None, file.blob}:
            yield f"`{file.path}` is not what its blob's name says"


def _report(looked: Sequence[Looked], artifacts: dict[Path, tuple[Artifact, ...]]) -> Report:
    bad = [each for each in looked if each.problems]
    broken = [each for found in artifacts.values() for each in found if each.state == "incomplete"]
    data: dict[str, Json] = {
        "models": [{**model_object(each), "problems": list(each.problems)} for each in looked],
        "healthy": len(looked) - len(bad),
        "unhealthy": len(bad),
        "artifacts": [_artifact(root, each) for root, found in artifacts.items() for each in found],
    }
    lines = tuple(_lines(looked, artifacts))
    if not bad and not broken:
        return Report(command="health", data=data, lines=lines)
    several = f"{len(bad)} of {plural(len(looked), 'model')}"
    what = [several if len(looked) > 1 else "1 model"] if bad else []
    what += [plural(len(broken), "runtime artifact")] if broken else []
    return Report(
        command="health",
        data=data,
        lines=lines,
        exit_code=1,
        error_code=UnhealthyError.code,
        message=f"{' and '.join(what)} unhealthy",
        hint="`mlxk clone` gets a model anew, `mlxk sync` what the lock names",
    )


def _artifact(root: Path, artifact: Artifact) -> dict[str, Json]:
    return {
        "cache": str(root / ".hf_cache"),
        "name": artifact.name,
        "repo_type": artifact.repo_type,
        "state": artifact.state,
        "commits": list(artifact.commits),
        "refs": list(artifact.refs),
        "files": artifact.files,
        "size_bytes": artifact.size_bytes,
        "problems": list(artifact.problems),
    }


def _lines(looked: Sequence[Looked], artifacts: dict[Path, tuple[Artifact, ...]]) -> Iterator[Line | Columns]:
    if not looked:
        yield Line("no models here yet: get one with `mlxk clone REPO`")
    for each in looked:
        good = not each.problems
        yield Line(f"{_called(each.model)}: {'healthy' if good else 'unhealthy'}", "good" if good else "bad")
        for problem in each.problems:
            yield Line(f"  {problem}")
    for root, found in artifacts.items():
        yield Line("")
        yield Line(f"{root / '.hf_cache'}: {plural(len(found), 'runtime artifact')}", "title")
        if found:
            rows = tuple((one.name, one.state, human_bytes(one.size_bytes)) for one in found)
            yield Columns(header=("Artifact", "State", "Size"), rows=rows)
        for artifact in found:
            yield from (Line(f"  {artifact.name}: {problem}", "bad") for problem in artifact.problems)


def _called(model: LocalModel) -> str:
    commit = f"@{model.revision[:12]}" if model.where == "cache" and model.revision else ""
    return f"{model.name}{commit} ({'cache' if model.where == 'cache' else 'ws'})"
