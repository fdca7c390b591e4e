"""`mlxk run MODEL [PROMPT]`: a locked model, run from the workspace and offline, in a child process."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlxlock.commands.child import run_child
from mlxlock.commands.inspected import texts_and_kind
from mlxlock.commands.project import Project, read_lockfile, read_manifest
from mlxlock.commands.report import Report
from mlxlock.commands.selection import seen_models
from mlxlock.commands.sync import check_fresh
from mlxlock.commands.trial import runnable_kind
from mlxlock.errors import DriftError, UsageError
from mlxlock.planning.layout import lay_out
from mlxlock.planning.policy import check_remote_code
from mlxlock.planning.verdict import judge
from mlxlock.ports import Ports
from mlxlock.spec.lockfile import LockedModel, Lockfile
from mlxlock.spec.manifest import Manifest, remote_code_of
from mlxlock.spec.readers import did_you_mean
from mlxlock.spec.toml_text import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What `mlxk run` was asked for; what is None is the kind's default."""

    model: str
    inherited: Mapping[str, str]
    prompt: str | None = None
    image: Path | None = None
    audio: Path | None = None
    language: str | None = None
    system: str | None = None
    voice: str | None = None
    output: Path | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None


def run(project: Project, ports: Ports, options: RunOptions) -> Report:
    """Run it in the user's terminal; the text goes to stdout as it comes.

    Raises:
        UsageError: No such model.
        DriftError: The workspace is not what the lock says: run `mlxk sync` first.
        PolicyError: It would execute code that its repo ships.
    """
    manifest = read_manifest(project)
    lockfile = read_lockfile(project)
    check_fresh(manifest, lockfile, ports, frozen=False)
    model = _model(lockfile, options.model)
    root = project.workspace_root(manifest)
    _refuse_unsynced(model, root, ports)
    texts, kind = texts_and_kind(manifest, model, ports.store())
    allowed = _allowed(manifest, model)
    check_remote_code(model, texts, kind=kind, allowed=allowed)
    job = _job(options, _checked_kind(options, model, kind), root / model.directory)
    with tempfile.TemporaryDirectory(prefix="mlxlock-run-") as name:
        code = _start({**job, "trust_remote_code": allowed}, ports, root, Path(name))
    return Report(
        command="run",
        data={"exit_code": code},
        exit_code=code,
        error_code="child-failed" if code else None,
        message=f"`{model.name}` ended with exit code {code}" if code else None,
    )


def _model(lockfile: Lockfile, name: str) -> LockedModel:
    model = lockfile.model(name)
    if model is not None:
        return model
    names = [model.name for model in lockfile.models]
    listed = ", ".join(f"`{each}`" for each in names) or "none"
    raise UsageError(f"no model `{shown(name)}`{did_you_mean(name, names)}", hint=f"locked are: {listed}")


def _refuse_unsynced(model: LockedModel, root: Path, ports: Ports) -> None:
    tree = lay_out(seen_models([model], ports.store()))
    verdict = judge(tree, ports.workspace(root).scan(tree))
    if not verdict.clean:
        raise DriftError(
            f"the workspace of `{model.name}` is not what the lock says",
            details=tuple(f"{finding.problem}: `{finding.path}`" for finding in verdict.findings[:5]),
            hint="run `mlxk sync`",
        )


def _allowed(manifest: Manifest, model: LockedModel) -> bool:
    spec = manifest.model(model.name)
    return spec is not None and remote_code_of(manifest, spec) == "allow"


def _checked_kind(options: RunOptions, model: LockedModel, kind: str | None) -> str:
    """The kind, when everything that it cannot do without was given.

    Raises:
        UsageError: Something is missing.
        FirstRunError: The built-in runner does not know the kind.
    """
    known = runnable_kind(model, kind)
    if known == "stt" and options.audio is None:
        raise UsageError(
            f"`{model.name}` is a speech-to-text model: it needs a recording",
            hint=f"`mlxk run {model.name} --audio FILE.wav`",
        )
    if known in {"text", "tts"} and options.prompt is None:
        raise UsageError(f"`{model.name}` needs a prompt", hint=f'`mlxk run {model.name} "Hello"`')
    return known


def _job(options: RunOptions, kind: str, model: Path) -> Mapping[str, object]:
    given: dict[str, object] = {
        "prompt": options.prompt,
        "image": _absolute(options.image),
        "audio": _absolute(options.audio),
        "language": options.language,
        "system": options.system,
        "voice": options.voice,
        "wav": _absolute(options.output),
        "max_tokens": options.max_tokens,
        "temperature": options.temperature,
        "seed": options.seed,
    }
    job: dict[str, object] = {"kind": kind, "model": str(model), "max_tokens": 512, "stream": True}
    return {**job, **{key: value for key, value in given.items() if value is not None}}


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())


def _start(job: Mapping[str, object], ports: Ports, root: Path, scratch: Path) -> int:
    laboratory = ports.laboratory()
    setting = laboratory.setting(root, scratch, None)
    for directory in setting.directories:
        directory.mkdir(parents=True, exist_ok=True)
    job_file = scratch / "job.json"
    job_file.write_text(json.dumps(job), encoding="utf-8")
    python = str(laboratory.interpreter().python)
    return run_child((python, str(laboratory.runners / "generate.py"), str(job_file)), setting.variables)
