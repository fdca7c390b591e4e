"""`mlxk show NAME|PATH`: one model, as far as its files tell, and where it came from. Only reads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from mlxlock.ports import Ports
from mlxlock.steps.locate import locate
from mlxlock.steps.looked import Looked, fresh_hash, lock_states_of, look_at, model_object, states_our_hash
from mlxlock.steps.project import Project
from mlxlock.steps.report import Columns, Json, Line, Report, human_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowOptions:
    """What `mlxk show` was asked for; `files` names each file with its hash."""

    model: str
    files: bool = False


def show(ports: Ports, project: Project | None, options: ShowOptions) -> Report:
    """Show it; where no record tells whether it was modified, its files are read.

    Raises:
        UsageError: There is no such model, or the name could mean several.
        DiskError: A file cannot be read.
    """
    model = locate(options.model, ports, project)
    states = lock_states_of(project, ports) if model.where != "cache" else {}
    looked = _compared(look_at(model, ports, states), ports)
    hashes = ports.library().hashes(model, ports.on_event) if options.files and looked.facts.files else {}
    data: dict[str, Json] = {"model": model_object(looked), "problems": list(looked.problems)}
    data["workspace"] = None if model.where == "cache" else _workspace(looked)
    if options.files:
        data["files"] = [
            {"path": file.path, "size_bytes": file.size_bytes, "sha256": hashes.get(file.path)}
            for file in looked.facts.files
        ]
    return Report(command="show", data=data, lines=tuple(_lines(looked, hashes, options)))


def _compared(looked: Looked, ports: Ports) -> Looked:
    if looked.modified is not None or not states_our_hash(looked.model):
        return looked
    actual, problem = fresh_hash(looked, ports)
    return replace(looked, modified=problem is not None or actual != looked.content_hash)


def _workspace(looked: Looked) -> Mapping[str, Json]:
    sentinel = looked.model.sentinel
    return {
        "source": looked.model.repo or (None if sentinel is None else sentinel.source),
        "revision": looked.model.revision,
        "operation": None if sentinel is None else sentinel.operation,
        "created_at": None if sentinel is None else sentinel.created_at,
        "content_hash": looked.content_hash,
        "hash_algorithm": None if sentinel is None else sentinel.hash_algorithm,
        "modified": looked.modified,
        "problem": looked.model.sentinel_problem,
    }


def _lines(looked: Looked, hashes: Mapping[str, str], options: ShowOptions) -> Iterator[Line | Columns]:
    yield Columns(rows=tuple(_rows(looked)))
    for problem in looked.problems:
        yield Line(f"  {problem}", "bad")
    if looked.model.where != "cache":
        yield Line("")
        yield Line("Workspace:", "title")
        yield Columns(rows=tuple((f"  {name}:", value) for name, value in _workspace_rows(looked)))
    if options.files:
        yield Line("")
        rows = tuple(
            (file.path, human_bytes(file.size_bytes), hashes.get(file.path, file.problem or "-"))
            for file in looked.facts.files
        )
        yield Columns(header=("File", "Size", "SHA-256"), rows=rows)


def _rows(looked: Looked) -> Iterator[tuple[str, str]]:
    model, description = looked.model, looked.description
    yield "Model:", model.name
    yield "Path:", str(model.directory)
    if model.where == "cache":
        yield "Source:", f"{model.repo} (Hugging Face cache)"
        yield "Revision:", f"{model.revision}" + (f" ({', '.join(model.refs)})" if model.refs else "")
    yield "Framework:", description.framework
    yield "Type:", description.kind or "unknown"
    if description.architecture:
        yield "Architecture:", description.architecture
    yield "Capabilities:", ", ".join(description.capabilities) or "none known"
    yield "Quantization:", _quantization(description.quantization)
    yield "Context length:", _tokens(description.context_length)
    yield "Size:", human_bytes(looked.facts.size_bytes)
    yield "Health:", "unhealthy" if looked.problems else "healthy"
    yield "Runs here:", "yes" if looked.runtime is None else f"no: {looked.runtime}"


def _quantization(told: Mapping[str, int | str] | None) -> str:
    if told is None:
        return "none"
    words = {"bits": "{} bits", "group_size": "groups of {}", "mode": "{}", "quant_method": "{}"}
    return ", ".join(words[name].format(value) for name, value in told.items())


def _tokens(count: int | None) -> str:
    return "not stated" if count is None else f"{count} tokens"


def _workspace_rows(looked: Looked) -> Iterator[tuple[str, str]]:
    told = _workspace(looked)
    yield "Source", str(told["source"] or "unknown")
    yield "Revision", str(told["revision"] or "unknown")
    if looked.model.where == "lock":
        yield "Locked as", looked.model.name
    yield "Operation", str(told["operation"] or "unknown")
    yield "Created", str(told["created_at"] or "unknown")
    yield "Content Hash", str(told["content_hash"] or "none")
    yield "Modified", _modified(looked)


def _modified(looked: Looked) -> str:
    if looked.modified is not None:
        return "yes" if looked.modified else "no"
    if looked.model.sentinel_problem is not None:
        return f"unknown: the sentinel cannot be used, {looked.model.sentinel_problem}"
    if looked.content_hash is None:
        return "unknown: no sentinel states a hash"
    return "unknown: the hash is of another kind (mlx-knife's)"
