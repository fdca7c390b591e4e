"""The sandbox to use here: the best of the table that is strong enough, as measured.

Owns the choice, which fails closed: without a working backend there is an error, never a weaker sandbox than
was asked for, and never none. Falling from `full` to `partial` is told.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mlxlock.capture.backends import BACKENDS, Backend
from mlxlock.capture.candidate import Candidate, Level
from mlxlock.capture.diagnosis import WITHOUT, NoLandlockError, NoProgramError
from mlxlock.capture.measure import measure
from mlxlock.capture.measured import known_level, remember
from mlxlock.capture.search import Search
from mlxlock.errors import SandboxError
from mlxlock.ports import Job, Note, OnEvent, Outcome, Sandbox, ignore
from mlxlock.spec.record import SandboxLevel

_LESS: Final = 'accept `require = "partial"` in `[sandbox]` of `models.toml`'


def _which(name: str, search_path: str) -> str | None:
    return shutil.which(name, path=search_path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """A sandbox and the level that was measured for it.

    Attributes:
        sandbox: What runs the jobs.
        level: What it enforces here.
    """

    sandbox: Sandbox
    level: SandboxLevel

    @property
    def name(self) -> str:
        """The backend's name."""
        return self.sandbox.name

    def run(self, job: Job) -> Outcome:
        """Run the child to its end; nothing it started survives.

        Raises:
            SandboxError: The sandbox itself could not be set up.
        """
        return self.sandbox.run(job)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Among what to choose, and where to remember what was measured.

    Attributes:
        which: Finds a program's name in a search path.
        backends: What there is to choose from.
        memory: A directory for measured levels; None to measure each time.
        on_event: Where a fall to `partial` is told.
    """

    which: Callable[[str, str], str | None] = _which
    backends: Sequence[Backend] = BACKENDS
    memory: Path | None = None
    on_event: OnEvent = ignore


@dataclass(slots=True, kw_only=True)
class _Tried:
    partial: Graded | None = None
    refusals: list[SandboxError] = field(default_factory=list)


def choose(
    require: Level, *, project: Path | None, python: Path = Path(sys.executable), choice: Choice | None = None
) -> Graded:
    """Find a sandbox of at least this level; it has already held an escape probe, here or on an earlier day.

    Args:
        require: `full` also isolates the network by address, `partial` may not.
        project: Programs below it are ignored.
        python: The interpreter that the jobs will use; every job may read what it consists of.
        choice: Among what to choose.

    Raises:
        SandboxError: Nothing works here; it names the cause and one cure.
    """
    among = choice or Choice()
    search = Search(
        which=among.which, search_path=os.environ.get("PATH", os.defpath), project=project, python=python
    )
    tried = _Tried()
    for graded in _measured(require, search, among, tried):
        if graded.level == "full":
            return graded
        tried.partial = tried.partial or graded
    if tried.partial is None or require == "full":
        raise _refusal(require, tried)
    among.on_event(Note(level="warning", text=_fallen(tried.partial, tried)))
    return tried.partial


def _measured(require: Level, search: Search, among: Choice, tried: _Tried) -> Iterator[Graded]:
    for backend in among.backends:
        if backend.platform != sys.platform or (require == "full" and backend.claims != "full"):
            continue
        try:
            yield from _first_that_works(backend.find(search), among, tried)
        except SandboxError as error:
            tried.refusals.append(error)


def _first_that_works(candidates: Iterator[Candidate], among: Choice, tried: _Tried) -> Iterator[Graded]:
    for candidate in candidates:
        try:
            yield Graded(sandbox=candidate.sandbox, level=_level(candidate, among.memory))
        except SandboxError as error:
            tried.refusals.append(error)
        else:
            return


def _level(candidate: Candidate, memory: Path | None) -> Level:
    if memory is None:
        return measure(candidate)
    level = known_level(candidate, memory)
    if level is None:
        level = measure(candidate)
        remember(candidate, level, memory)
    return level


def _refusal(require: Level, tried: _Tried) -> SandboxError:
    if tried.refusals:
        return _most_telling(tried.refusals)
    if tried.partial is not None:
        return SandboxError(f"`{tried.partial.name}` reaches only level `partial` here", hint=_LESS)
    return SandboxError(f"there is no sandbox of level `{require}` for `{sys.platform}`", hint=WITHOUT)


def _most_telling(refusals: Sequence[SandboxError]) -> SandboxError:
    """What the kernel refused says most; then comes a program to install, then another kernel."""
    return min(refusals, key=_rank)


def _rank(error: SandboxError) -> int:
    return 2 if isinstance(error, NoLandlockError) else int(isinstance(error, NoProgramError))


def _fallen(partial: Graded, tried: _Tried) -> str:
    if not tried.refusals:
        return f"`{partial.name}` reaches only sandbox level `partial` here, which the lock records"
    error = _most_telling(tried.refusals)
    return (
        f"using `{partial.name}` (sandbox level `partial`, which the lock records): {error.reason}; "
        f"for `full`: {error.hint}"
    )
