"""One model on this machine, looked at: a step of `list`, `show` and `health`, and its JSON object.

Owns the fields of the model object (formats.md §4). Never writes; reads weights only where it is told to.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from mlxlock.errors import DiskError
from mlxlock.planning.description import Description, describe
from mlxlock.planning.health import problems_of
from mlxlock.planning.runtime import runtime_problem
from mlxlock.ports import LocalModel, Ports
from mlxlock.spec.digest import content_hash
from mlxlock.spec.model_facts import ModelFacts
from mlxlock.spec.sentinel import HASH_ALGORITHM, is_hashed
from mlxlock.steps.project import Project
from mlxlock.steps.report import Json

NOTHING = ModelFacts(files=(), texts={}, weights={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What was found of one model.

    Attributes:
        problems: Everything that makes it unhealthy.
        runtime: Why it would not run here; None when it should.
        modified: Whether its files are other than when its sentinel was written; None when nobody can tell
            without reading them, or at all.
    """

    model: LocalModel
    facts: ModelFacts
    description: Description
    problems: tuple[str, ...]
    runtime: str | None
    modified: bool | None

    @property
    def content_hash(self) -> str | None:
        """The hash that its sentinel states."""
        return None if self.model.sentinel is None else self.model.sentinel.content_hash


def look_at(model: LocalModel, ports: Ports, lock_states: Mapping[str, tuple[str, ...]]) -> Looked:
    """Look at its files, without reading its weights.

    Args:
        model: The model.
        ports: Of them the library and what is installed.
        lock_states: As `lock_states` told of the project's models.
    """
    drift = lock_states.get(model.name, ()) if model.where == "lock" else ()
    try:
        facts = ports.library().facts(model)
        problems = (*problems_of(facts), *_of_sentinel(model), *drift)
        modified = _modified(model, ports, drift, known=model.name in lock_states)
    except DiskError as problem:
        absent = model.where == "lock" and not model.directory.exists()
        reason = "it is not there yet: run `mlxk sync`" if absent else problem.reason
        facts, problems, modified = NOTHING, (reason,), None
    description = describe(facts, model.repo)
    installed = ports.installed()
    runtime = installed.problem or runtime_problem(description, installed.packages, sys.platform)
    return Looked(
        model=model,
        facts=facts,
        description=description,
        problems=problems,
        runtime=problems[0] if problems else runtime,
        modified=modified,
    )


def _of_sentinel(model: LocalModel) -> tuple[str, ...]:
    return () if model.sentinel_problem is None else (f"its sentinel: {model.sentinel_problem}",)


def _modified(model: LocalModel, ports: Ports, drift: tuple[str, ...], *, known: bool) -> bool | None:
    """What can be told by reading no more than the files whose stats are other ones."""
    if model.where == "lock" and known:
        return bool(drift)
    made = ports.library().as_made(model) if model.where == "workspace" else None
    return None if made is None else not made


def lock_states_of(project: Project | None, ports: Ports) -> Mapping[str, tuple[str, ...]]:
    """As `lock_states.lock_states_if_any`; without a project nothing of locks is imported."""
    if project is None:
        return {}
    from mlxlock.steps.lock_states import lock_states_if_any  # noqa: PLC0415 - costs what a listing costs

    return lock_states_if_any(project, ports)


def fresh_hash(looked: Looked, ports: Ports) -> tuple[str | None, str | None]:
    """The content hash of what is there now, from every byte; or why there is none.

    Raises:
        DiskError: A file cannot be read, or changes while it is read.
    """
    for file in looked.facts.files:
        if file.problem is not None and is_hashed(file.path):
            return None, f"`{file.path}` is {file.problem}"
    return content_hash(dict(ports.library().hashes(looked.model, ports.on_event))), None


def states_our_hash(model: LocalModel) -> bool:
    """Whether its sentinel states a hash that we know how to make."""
    sentinel = model.sentinel
    return sentinel is not None and sentinel.hash_algorithm == HASH_ALGORITHM and bool(sentinel.content_hash)


def model_object(looked: Looked) -> dict[str, Json]:
    """The model as `--json` shows it: the fields of ADR-022, and ours beside them."""
    model, description = looked.model, looked.description
    return {
        "name": model.name,
        "source": "cache" if model.where == "cache" else "workspace",
        "origin": model.repo or (None if model.sentinel is None else model.sentinel.source),
        "hash": model.revision,
        "revision": next(iter(model.refs), model.revision),
        "locked": model.where == "lock",
        "path": str(model.directory),
        "size_bytes": looked.facts.size_bytes,
        "last_modified": utc(looked.facts.modified_ns),
        "framework": description.framework,
        "model_type": description.kind or "unknown",
        "architecture": description.architecture,
        "capabilities": list(description.capabilities),
        "quantization": None if description.quantization is None else dict(description.quantization),
        "context_length": description.context_length,
        "health": "unhealthy" if looked.problems else "healthy",
        "runtime_compatible": looked.runtime is None,
        "reason": looked.runtime,
        "content_hash": looked.content_hash,
        "hash_modified": bool(looked.modified),
        "cached": model.where == "cache",
    }


def utc(time_ns: int) -> str | None:
    """A time for scripts: UTC, seconds, with a `Z` that is true; None for no time."""
    if not time_ns:
        return None
    return datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
