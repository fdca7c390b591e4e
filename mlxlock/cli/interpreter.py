"""Finds the project's own Python, the one that has mlx-lm and friends, and asks it what it is."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlxlock.errors import RuntimeMissingError

if TYPE_CHECKING:  # a listing finds the Python and never asks it: it need not pay for what asking takes
    from collections.abc import Mapping

    from mlxlock.ports import Interpreter

TIMEOUT_S: Final = 60
HINT: Final = 'name one: `[sandbox] python = ".venv/bin/python"` in `models.toml`'


def find_python(declared: str | None, project: Path, env: Mapping[str, str]) -> Path:
    """The interpreter of the manifest, else the active environment's, else `.venv`'s, else `python3`.

    Raises:
        RuntimeMissingError: There is none.
    """
    if declared is not None:
        return _existing(project / declared)
    if env.get("VIRTUAL_ENV"):
        return _existing(Path(env["VIRTUAL_ENV"]) / "bin" / "python")
    local = project / ".venv" / "bin" / "python"
    if local.exists():
        return local
    found = shutil.which("python3", path=env.get("PATH"))
    if found is None:
        raise RuntimeMissingError("no Python to run models with", hint=HINT)
    return Path(found)


def _existing(python: Path) -> Path:
    if not python.exists():
        raise RuntimeMissingError(f"no interpreter `{python}`", hint=HINT)
    return python


def probe(python: Path, script: Path) -> Interpreter:
    """Ask an interpreter what it is and what it needs to read.

    Raises:
        RuntimeMissingError: It does not run.
    """
    import json
    import subprocess

    from mlxlock.ports import Interpreter
    from mlxlock.spec.record import RunnerEnvironment

    try:
        answer = subprocess.run(
            (str(python), "-I", str(script)), capture_output=True, timeout=TIMEOUT_S, check=True, text=True
        )
        found = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise RuntimeMissingError(f"the interpreter `{python}` does not run", hint=HINT) from error
    return Interpreter(
        python=python,
        environment=RunnerEnvironment(
            platform=found["platform"], python=found["python"], packages=found["packages"]
        ),
        readable=_readable(python, found),
    )


def _readable(python: Path, found: Mapping[str, Any]) -> tuple[Path, ...]:
    named = [found["prefix"], found["base_prefix"], *found["paths"], python.resolve().parent]
    return tuple(dict.fromkeys(Path(path) for path in named if Path(path).exists()))
