"""`mlxk list [PATTERN]`: every model on this machine, where it is and what it is. Reads, and never writes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from mlxlock.errors import MlxlockError
from mlxlock.ports import Library, LocalModel, Note, Ports, Shelf
from mlxlock.steps.locate import all_shelves
from mlxlock.steps.looked import LockState, Looked, lock_states_of, look_at, model_object
from mlxlock.steps.project import Project
from mlxlock.steps.report import Columns, Json, Line, Report, human_bytes, plural


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """What `mlxk list` was asked for.

    Attributes:
        pattern: Part of a name or repo, a glob over them, or the path of a directory of models.
        all: Also snapshots that no revision means any more, and repos without weights.
        origin: With the repo that each came from.
        full_paths: Directories in place of names.
    """

    pattern: str | None = None
    all: bool = False
    origin: bool = False
    full_paths: bool = False


def list_models(ports: Ports, project: Project | None, options: ListOptions) -> Report:
    """List; what is broken is told in its place and hides nothing else."""
    library = ports.library()
    path = None if options.pattern is None else _directory(options.pattern, library)
    if path is None:
        shelves, states = _everything(library, project, ports)
        pattern = options.pattern
    else:
        shelves, states, pattern = (library.shelf(path),), {}, None
    for shelf in shelves:
        if shelf.problem is not None:
            ports.on_event(Note(text=shelf.problem, level="warning"))
    models = [model for shelf in shelves for model in shelf.models if _matches(model, pattern)]
    looked = [look_at(model, ports, states) for model in models]
    shown = [each for each in looked if options.all or _is_current(each)]
    return _report(shown, len(looked) - len(shown), shelves, options)


def _directory(pattern: str, library: Library) -> Path | None:
    spelled = (
        pattern.startswith(("/", "./", "../", "~/")) or pattern in {".", "..", "~"} or pattern.endswith("/")
    )
    return library.path(pattern) if spelled else None


def _everything(
    library: Library, project: Project | None, ports: Ports
) -> tuple[Sequence[Shelf], Mapping[Path, LockState]]:
    """All shelves; a project that cannot be read is told, and hides no other model."""
    states = lock_states_of(project, ports)
    try:
        return all_shelves(library, project), states
    except MlxlockError:  # told by `lock_states_of`
        return all_shelves(library, None), states


def _matches(model: LocalModel, pattern: str | None) -> bool:
    if pattern is None:
        return True
    names = [name.casefold() for name in (model.name, model.repo or "")]
    asked = pattern.casefold()
    if any(mark in asked for mark in "*?["):
        return any(fnmatchcase(name, asked) for name in names)
    return any(asked in name for name in names)


def _is_current(looked: Looked) -> bool:
    """Whether a person would look for it: not an old snapshot, not a tokenizer that stands alone."""
    if looked.model.where != "cache":
        return True
    return bool(looked.facts.weights) and bool(looked.model.refs)


def _report(shown: Sequence[Looked], left_out: int, shelves: Iterable[Shelf], options: ListOptions) -> Report:
    data: dict[str, Json] = {
        "models": [model_object(each) for each in shown],
        "count": len(shown),
        "left_out": left_out,
        "shelves": [
            {"source": shelf.where, "path": str(shelf.root), "problem": shelf.problem} for shelf in shelves
        ],
    }
    return Report(command="list", data=data, lines=tuple(_lines(shown, left_out, options)))


def _lines(shown: Sequence[Looked], left_out: int, options: ListOptions) -> Iterator[Line | Columns]:
    if shown:
        origin = ("Origin",) if options.origin else ()
        header = ("Name", "Source", *origin, "Size", "Type")
        yield Columns(
            header=header,
            rows=tuple(_row(each, options) for each in shown),
            gives_way=2 if options.origin else None if options.full_paths else 0,
        )
    elif options.pattern is None:
        yield Line("no models here yet: `mlxk clone REPO` gets one, `mlxk list DIR` looks into a directory")
    else:
        yield Line(f"no model matches `{options.pattern}`")
    if left_out:
        yield Line(f"{plural(left_out, 'snapshot')} more in the cache with `--all`", "dim")


def _row(looked: Looked, options: ListOptions) -> tuple[str, ...]:
    model = looked.model
    source = "cache" if model.where == "cache" else "ws"
    origin = (model.repo or (model.sentinel and model.sentinel.source) or "-",) if options.origin else ()
    name = str(model.directory) if options.full_paths else model.name
    kind = looked.description.kind or "-"
    state = "" if not looked.problems else " (unhealthy)"
    return name, source, *origin, human_bytes(looked.facts.size_bytes), kind + state
