"""One model on this machine, looked at: a step of `list`, `show` and `health`, and its JSON object.

Owns the fields of the model object (formats.md §4). Never writes; reads weights only where it is told to.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

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
class LockState:
    """What the project says of one of its locked models.

    Attributes:
        drift: What is not as the lock says; None when nobody has seen all its files yet.
        left_out: Why `mlxk sync` without options does not bring it; None when it does.
        elsewhere: Whether that is its `when`: no `sync` brings it here.
        cure: The call that brings it.
    """

    drift: tuple[str, ...] | None
    left_out: str | None
    elsewhere: bool
    cure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What was found of one model.

    Attributes:
        problems: Everything that makes it unhealthy.
        runtime: Why it would not run here; None when it should.
        modified: Whether its files are other than when its sentinel was written; None when nobody can tell
            without reading them, or at all.
        left_out: Why it is not here and need not be; None for what is here, or should be.
        elsewhere: Whether that is its `when`.
    """

    model: LocalModel
    facts: ModelFacts
    description: Description
    problems: tuple[str, ...]
    runtime: str | None
    modified: bool | None
    left_out: str | None = None
    elsewhere: bool = False

    @property
    def content_hash(self) -> str | None:
        """The hash that its sentinel states."""
        return None if self.model.sentinel is None else self.model.sentinel.content_hash


def look_at(model: LocalModel, ports: Ports, lock_states: Mapping[Path, LockState]) -> Looked:
    """Look at its files, without reading its weights.

    Args:
        model: The model.
        ports: Of them the library and what is installed.
        lock_states: As `lock_states` told of the project's models: also of one that was named by its path.
    """
    state = lock_states.get(model.directory)
    drift = None if state is None else state.drift
    absent = model.where == "lock" and not model.directory.exists()
    try:
        facts = ports.library().facts(model)
        problems = (*problems_of(facts), *_of_sentinel(model), *(drift or ()))
        modified = _modified(model, ports, drift)
    except DiskError as problem:
        reason = _absence(state) if absent else problem.reason
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
        left_out=state.left_out if state is not None and absent else None,
        elsewhere=state is not None and state.elsewhere,
    )


def _absence(state: LockState | None) -> str:
    if state is not None and state.elsewhere:
        return f"it is left out here: {state.left_out}"
    return f"it is not there yet: run `{'mlxk sync' if state is None else state.cure}`"


def _of_sentinel(model: LocalModel) -> tuple[str, ...]:
    return () if model.sentinel_problem is None else (f"its sentinel: {model.sentinel_problem}",)


def _modified(model: LocalModel, ports: Ports, drift: tuple[str, ...] | None) -> bool | None:
    """What can be told by reading no more than the files whose stats are other ones."""
    if drift is not None:
        return bool(drift)
    made = ports.library().as_made(model) if model.where == "workspace" else None
    return None if made is None else not made


def lock_states_of(project: Project | None, ports: Ports) -> Mapping[Path, LockState]:
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
