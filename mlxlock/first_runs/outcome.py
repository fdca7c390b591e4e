"""What came out of a trial: an output, or the error that says why not.

Owns what a first run must have said to count as one; `steps.result` reads it.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from mlxlock.errors import FirstRunError
from mlxlock.first_runs.trial import Bench, Trial
from mlxlock.ports import Laboratory, Outcome
from mlxlock.spec.first_run import DEFAULT_TIMEOUT_S
from mlxlock.spec.record import Output
from mlxlock.spec.toml_text import shown
from mlxlock.steps.result import raise_missing, read_result

STDERR_LINES: Final = 12
TEXT_CHARS: Final = 2000
_NO_MEMORY: Final = (
    "memoryerror",
    "bad_alloc",
    "allocate memory",
    "unable to allocate",
    "out of memory",
    "memory allocation",
    "failed to map segment",
)
"""How Python, C++, NumPy, MLX, Rust and the loader say, in lower case, that they got no memory."""


def output_of(trial: Trial, bench: Bench, outcome: Outcome, laboratory: Laboratory) -> Output | None:
    """What the runner says it generated; None for a command, which says nothing.

    Raises:
        FirstRunError: It did not run to its end.
        RuntimeMissingError: The project's interpreter lacks the library.
    """
    result = read_result(bench.result_file)
    if outcome.timed_out:
        raise _timed_out(trial, outcome)
    if outcome.exit_code != 0:
        raise_missing(result, laboratory)
        what = _what(result) or f"ended with exit code {outcome.exit_code}"
        raise _out_of_memory(trial, outcome, what) or _failed(trial, outcome, what)
    if trial.run.command is not None:
        return _printed(outcome) if trial.compared == "output" else None
    output = result.get("output")
    if result.get("ok") is not True or not isinstance(output, dict):
        raise _failed(trial, outcome, "ended without a result")
    return _parsed(output)


def _printed(outcome: Outcome) -> Output:
    """What a command printed last, as far as it was kept."""
    digest = hashlib.sha256(outcome.stdout.encode()).hexdigest()
    return Output(digest=f"sha256:{digest}", text=outcome.stdout[:TEXT_CHARS])


def _parsed(output: Mapping[str, Any]) -> Output:
    def number(key: str) -> int | None:
        value = output.get(key)
        return value if isinstance(value, int) else None

    input_digest = output.get("input_digest")
    return Output(
        digest=str(output.get("digest")),
        input_digest=None if input_digest is None else str(input_digest),
        tokens=number("tokens"),
        ended=output.get("ended") is True,
        samples=number("samples"),
        text=str(output.get("text") or ""),
    )


def _what(result: Mapping[str, Any]) -> str | None:
    error = result.get("error")
    if not isinstance(error, dict):
        return None
    return shown(f"failed in {error.get('phase')}: {error.get('type')}: {error.get('message')}")


def _timed_out(trial: Trial, outcome: Outcome) -> FirstRunError:
    limit_s = trial.run.timeout_s
    whose = "which is its `timeout-s`" if limit_s else "where nothing says `timeout-s`"
    hint = f"give it a longer `timeout-s` in `models.toml`, or {_without(trial)}"
    return _failed(trial, outcome, f"took longer than {limit_s or DEFAULT_TIMEOUT_S} s, {whose}", hint)


def _out_of_memory(trial: Trial, outcome: Outcome, what: str) -> FirstRunError | None:
    """The error, where there is a limit and the program says in its last lines that memory was short."""
    limit_mb = trial.run.memory_mb
    said = "\n".join((what, *outcome.stderr.splitlines()[-STDERR_LINES:])).lower()
    if limit_mb is None or not any(each in said for each in _NO_MEMORY):
        return None
    hint = f"give it more `memory-mb` in `models.toml`, or {_without(trial)}"
    return _failed(trial, outcome, f"{what}: its `memory-mb` of {limit_mb} was not enough", hint)


def _without(trial: Trial) -> str:
    return f"run `mlxk lock --no-capture` to lock without it, or set `first-run` of `{trial.model.name}`"


def _failed(trial: Trial, outcome: Outcome, what: str, hint: str | None = None) -> FirstRunError:
    lines = [shown(line) for line in outcome.stderr.splitlines() if line.strip()]
    return FirstRunError(
        f"the first run `{trial.run.name}` of `{trial.model.name}` {what}",
        details=tuple(lines[-STDERR_LINES:]),
        hint=hint or _without(trial),
    )
