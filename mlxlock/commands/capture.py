"""The first run and its proof: a model in a scratch workspace, in a sandbox, once recorded and once offline.

A step of `lock`. Owns what the child may see, and what counts as having run; the sandbox and the mirror are
ports. The proof's workspace is built from the candidate lock alone.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mlxlock.errors import FirstRunError, RuntimeMissingError
from mlxlock.planning.layout import CACHE_DIR, HUB_DIR, lay_out
from mlxlock.planning.plan import make_plan
from mlxlock.planning.run_job import RUNNABLE, first_run_job
from mlxlock.ports import BlobStore, Job, Laboratory, Mirror, Outcome, Source
from mlxlock.spec.first_run import DEFAULT_TIMEOUT_S, FirstRun
from mlxlock.spec.lockfile import LockedModel
from mlxlock.spec.record import CaptureRecord, Output
from mlxlock.spec.toml_text import shown

ENDPOINT_PORT: Final = 8001
"""Inside the sandbox's own network, where nothing else listens."""
MAX_RESULT_BYTES: Final = 1 << 20
STDERR_LINES: Final = 12
MEDIA_KEYS: Final = ("image", "audio", "ref-audio")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One first run of one model.

    Attributes:
        model: Its entry, every file seen and in the store.
        run: What is exercised.
        kind: What the model is for; not needed for a `command`.
        project: The project's directory, for media and commands.
        trust_remote_code: Whether code that the repo ships may run.
    """

    model: LockedModel
    run: FirstRun
    kind: str | None
    project: Path
    trust_remote_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """A scratch workspace with one model, and the child's own scratch beside it."""

    workspace: Path
    scratch: Path

    @property
    def phase_file(self) -> Path:
        return self.scratch / "phase"

    @property
    def result_file(self) -> Path:
        return self.scratch / "result.json"


def capture(trial: Trial, laboratory: Laboratory, store: BlobStore, source: Source) -> CaptureRecord:
    """Run once with nothing but the recording mirror, and say what was asked for.

    Raises:
        FirstRunError: The model did not run; nothing of it is recorded.
        RuntimeMissingError: The project's interpreter lacks the library.
        SandboxError: No sandbox works here.
    """
    with _bench(trial, laboratory, store) as bench:
        mirror = laboratory.mirror(source, bench.phase_file)
        outcome = _run(trial, laboratory, bench, mirror)
        if outcome.exit_code != 0 and mirror.failures():
            raise mirror.failures()[0]
        output = _output(trial, bench, outcome, laboratory)
        return CaptureRecord(
            first_run=trial.run.name,
            sandbox=laboratory.sandbox().level,
            environment=laboratory.interpreter().environment,
            output=output,
            exchanges=mirror.exchanges(),
            pins=mirror.pins(),
            cache=laboratory.cached(bench.workspace / HUB_DIR),
        )


def replay(trial: Trial, laboratory: Laboratory, store: BlobStore) -> Output | None:
    """Run once more on a workspace built from the entry alone, with a read-only cache and no network.

    Raises:
        FirstRunError: It did not run.
    """
    with _bench(trial, laboratory, store) as bench:
        return _output(trial, bench, _run(trial, laboratory, bench, None), laboratory)


@contextmanager
def _bench(trial: Trial, laboratory: Laboratory, store: BlobStore) -> Iterator[_Bench]:
    with laboratory.scratch() as root:
        bench = _Bench(workspace=root / "models", scratch=root / "run")
        bench.workspace.mkdir()
        bench.scratch.mkdir()
        workspace = laboratory.workspace(bench.workspace)
        tree = lay_out([trial.model])
        workspace.apply(make_plan(tree, workspace.scan(tree)), store)
        yield bench


def _run(trial: Trial, laboratory: Laboratory, bench: _Bench, mirror: Mirror | None) -> Outcome:
    endpoint = None if mirror is None else f"http://127.0.0.1:{{port}}{mirror.prefix}"
    setting = laboratory.setting(bench.workspace, bench.scratch, endpoint)
    for directory in setting.directories:
        directory.mkdir(parents=True, exist_ok=True)
    cache = (bench.workspace / CACHE_DIR,) if mirror is not None else ()
    job = Job(
        argv=_argv(trial, laboratory, bench),
        env=setting.variables,
        cwd=trial.project if trial.run.command else bench.workspace,
        readable=(
            bench.workspace,
            *_of_project(trial),
            *laboratory.interpreter().readable,
            laboratory.runners,
        ),
        writable=(bench.scratch, *cache),
        timeout_s=trial.run.timeout_s or DEFAULT_TIMEOUT_S,
        endpoint_port=None if mirror is None else ENDPOINT_PORT,
        serve=None if mirror is None else mirror.serve,
    )
    return laboratory.sandbox().run(job)


def _of_project(trial: Trial) -> tuple[Path, ...]:
    """What the child may read of the project: all for the project's own command, else the media named."""
    if trial.run.command is not None:
        return (trial.project,)
    named = (trial.run.options.get(key) for key in MEDIA_KEYS)
    return tuple(trial.project / str(path) for path in named if path is not None)


def _argv(trial: Trial, laboratory: Laboratory, bench: _Bench) -> tuple[str, ...]:
    python = str(laboratory.interpreter().python)
    if trial.run.command is not None:
        program, *arguments = trial.run.command
        return (_program(program, python), *arguments)
    job_file = bench.scratch / "job.json"
    job_file.write_text(json.dumps(_job(trial, laboratory, bench)), encoding="utf-8")
    return (python, str(laboratory.runners / "generate.py"), str(job_file))


def _program(name: str, python: str) -> str:
    """Where a command's program is: beside the interpreter first, as in an active environment.

    Raises:
        FirstRunError: Nowhere.
    """
    if name in {"python", "python3"}:
        return python
    found = shutil.which(name, path=os.pathsep.join([str(Path(python).parent), os.environ.get("PATH", "")]))
    if found is None:
        raise FirstRunError(
            f"no program `{shown(name)}` for a first run", hint="check its name in `models.toml`"
        )
    return str(Path(found).absolute())


def _job(trial: Trial, laboratory: Laboratory, bench: _Bench) -> Mapping[str, object]:
    job = first_run_job(
        trial.run,
        runnable_kind(trial.model, trial.kind),
        project=str(trial.project),
        runners=str(laboratory.runners),
    )
    return {
        **job,
        "model": str(bench.workspace / trial.model.directory),
        "trust_remote_code": trial.trust_remote_code,
        "output": str(bench.result_file),
        "phase_file": str(bench.phase_file),
    }


def runnable_kind(model: LockedModel, kind: str | None) -> str:
    """The kind, when the built-in runner can exercise it.

    Raises:
        FirstRunError: It cannot, or nobody knows the kind.
    """
    if kind in RUNNABLE:
        return kind
    what = f"models of kind `{kind}` have no built-in first run" if kind else "its kind cannot be told"
    raise FirstRunError(
        f"`{model.name}` was not run: {what}",
        hint=f'set `kind` ({", ".join(RUNNABLE)}), `first-run = [{{ name = "app", command = [...] }}]` '
        f"or `first-run = false` for it in `models.toml`",
    )


def _output(trial: Trial, bench: _Bench, outcome: Outcome, laboratory: Laboratory) -> Output | None:
    result = _result(bench.result_file)
    if outcome.timed_out:
        raise _failed(trial, outcome, f"took longer than {trial.run.timeout_s or DEFAULT_TIMEOUT_S} s")
    if outcome.exit_code != 0:
        _raise_missing(result, laboratory)
        raise _failed(trial, outcome, _what(result) or f"ended with exit code {outcome.exit_code}")
    if trial.run.command is not None:
        return None
    output = result.get("output")
    if result.get("ok") is not True or not isinstance(output, dict):
        raise _failed(trial, outcome, "ended without a result")
    return _parsed(output)


def _result(path: Path) -> dict[str, Any]:
    """What the runner wrote; the model's code could have written it too, so it is read with care."""
    try:
        if path.is_symlink() or path.stat().st_size > MAX_RESULT_BYTES:
            return {}
        parsed = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _parsed(output: Mapping[str, Any]) -> Output:
    def number(key: str) -> int | None:
        value = output.get(key)
        return value if isinstance(value, int) else None

    input_digest = output.get("input_digest")
    return Output(
        digest=str(output.get("digest")),
        input_digest=None if input_digest is None else str(input_digest),
        tokens=number("tokens"),
        samples=number("samples"),
        text=str(output.get("text") or ""),
    )


def _what(result: Mapping[str, Any]) -> str | None:
    error = result.get("error")
    if not isinstance(error, dict):
        return None
    return shown(f"failed in {error.get('phase')}: {error.get('type')}: {error.get('message')}")


def _raise_missing(result: Mapping[str, Any], laboratory: Laboratory) -> None:
    error = result.get("error")
    if isinstance(error, dict) and error.get("type") == "missing-library":
        python = laboratory.interpreter().python
        raise RuntimeMissingError(
            shown(str(error.get("message"))),
            hint=f"install it there (`{python} -m pip install …`), "
            f'or name another interpreter: `[sandbox] python = "..."`',
        )


def _failed(trial: Trial, outcome: Outcome, what: str) -> FirstRunError:
    lines = [shown(line) for line in outcome.stderr.splitlines() if line.strip()]
    return FirstRunError(
        f"the first run `{trial.run.name}` of `{trial.model.name}` {what}",
        details=tuple(lines[-STDERR_LINES:]),
        hint=f"run `mlxk lock --no-capture` to lock without it, or set `first-run` of `{trial.model.name}`",
    )
