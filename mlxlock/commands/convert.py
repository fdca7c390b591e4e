"""`mlxk convert SRC DST`: a workspace made of another model: quantized, or with its index written anew.

Staged and swapped like a clone. The sentinel says of what commit it was made, how, and by which library; the
content hash is made from every byte that was written, before success is told.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlxlock.commands.clone import parse_wanted, refuse_target
from mlxlock.errors import ConvertError, UsageError
from mlxlock.fs import disk_errors
from mlxlock.planning.description import describe
from mlxlock.planning.health import problems_of
from mlxlock.planning.reindex import INDEX_NAME, index_text, is_replaced
from mlxlock.ports import Building, LocalModel, Note, Ports
from mlxlock.spec.digest import content_hash
from mlxlock.spec.names import CommitHash, RepoId, RepoPath
from mlxlock.spec.sentinel import Sentinel, is_hashed
from mlxlock.spec.toml_text import shown
from mlxlock.steps.launch import Ended, Launch, launched
from mlxlock.steps.locate import locate
from mlxlock.steps.project import Project
from mlxlock.steps.report import Json, Line, Report, human_bytes, plural
from mlxlock.steps.result import raise_missing
from mlxlock.steps.subject import Wish, find_subject

CONVERTIBLE: Final = ("text", "vision")
STDERR_LINES: Final = 5
_OUT: Final = ".mlxk_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertOptions:
    """What `mlxk convert` was asked for.

    Attributes:
        source: A path or name of a model on this machine.
        target: The directory to make, absolute.
        quantize: Bits a weight; None to quantize nothing.
        group_size: Weights that share a scale; None for the library's default.
        repair_index: Write `model.safetensors.index.json` anew, from the weights' own headers.
        origin: `REPO@COMMIT` of a source that does not say where it came from.
        trust_remote_code: Whether code of its repo may run.
    """

    source: str
    target: Path
    quantize: int | None = None
    group_size: int | None = None
    repair_index: bool = False
    origin: str | None = None
    trust_remote_code: bool = False
    verbose: bool = False


def convert(ports: Ports, project: Project | None, options: ConvertOptions) -> Report:
    """Make it, whole or not at all.

    Raises:
        UsageError: No such source, no known origin, or a target that holds something.
        PolicyError: It would execute code that its repo ships.
        ConvertError: The library failed, or wrote what is no whole model.
        RuntimeMissingError: The interpreter lacks the library.
        DiskError: The disk refuses.
    """
    if (options.quantize is None) != options.repair_index:
        raise UsageError("one of `--quantize` and `--repair-index` is needed, and not both")
    source = locate(options.source, ports, project)
    repo, commit = _origin(source, options)
    _refuse(source, options, ports)
    made_of = content_hash(dict(ports.library().hashes(source, ports.on_event)))  # not what its sentinel says
    with ports.workspaces().building(options.target) as building:
        if options.repair_index:
            parameters = _repair(source, building, ports)
        else:
            parameters = _quantize(source, building, options, ports, project)
        _check(building, ports)
        sentinel = Sentinel(
            source_repo=repo,
            source_revision=commit,
            operation="convert",
            content_hash=content_hash(dict(building.seal(ports.on_event))),
            parameters={**parameters, "source_content_hash": made_of},
        )
        building.finish(sentinel)
    return _report(source, sentinel, options, ports)


def _origin(source: LocalModel, options: ConvertOptions) -> tuple[RepoId, CommitHash]:
    """Of what commit the source is: said by its sentinel, the lock or the cache, else by `--origin`."""
    if options.origin is not None:
        wanted = parse_wanted(options.origin, None)
        if wanted.revision is None or not wanted.revision.is_commit:
            raise UsageError("`--origin` needs a commit", hint="write `org/name@<40 hex digits>`")
        return wanted.repo, CommitHash(wanted.revision)
    if source.repo is None or source.revision is None:
        raise UsageError(
            f"nothing says of which repo and commit `{source.directory}` is",
            hint="clone it with `mlxk clone`, or say it: `--origin org/name@COMMIT`",
        )
    return source.repo, source.revision


def _refuse(source: LocalModel, options: ConvertOptions, ports: Ports) -> None:
    """Refuse a target that stands, or a source that is broken, before anything is made."""
    refuse_target(options.target, ports.library())
    if ports.library().model(options.target) is not None:
        raise UsageError(f"`{options.target}` holds a model already", hint="name another directory")
    facts = ports.library().facts(source)
    if options.quantize is not None and describe(facts, source.repo).quantization is not None:
        raise UsageError(f"`{source.directory}` is quantized already", hint="convert what it was made of")
    problems = [each for each in problems_of(facts) if INDEX_NAME not in each]
    if problems:
        raise UsageError(
            f"`{source.directory}` is no whole model",
            details=tuple(problems),
            hint="see `mlxk health`, and get it anew with `mlxk clone`",
        )


# --- the two ways -------------------------------------------------------------------------------------------


def _repair(source: LocalModel, building: Building, ports: Ports) -> dict[str, object]:
    """Take everything but the index, and write that from the headers."""
    facts = ports.library().facts(source)
    paths = [file.path for file in facts.files if is_hashed(file.path) and file.path != INDEX_NAME]
    building.copy(source.directory, [RepoPath(path) for path in paths], ports.on_event)
    text = index_text(facts.weights)
    with disk_errors(building.stage):
        (building.stage / INDEX_NAME).write_text(text, encoding="utf-8")
    return {"mode": "repair-index"}


def _quantize(
    source: LocalModel, building: Building, options: ConvertOptions, ports: Ports, project: Project | None
) -> dict[str, object]:
    """Let the library write the model, then add what it left out."""
    subject = find_subject(Wish(model=options.source, trust=options.trust_remote_code), ports, project)
    if subject.kind not in CONVERTIBLE:
        raise UsageError(f"`{subject.name}` is a `{subject.kind}` model: only text and vision are quantized")
    out = building.stage / _OUT
    job: dict[str, object] = {
        "kind": subject.kind,
        "target": str(out),
        "bits": options.quantize,
        "group_size": options.group_size,
    }
    ports.on_event(Note(text=f"quantizing `{subject.name}` to {options.quantize} bits"))
    launch = Launch(subject=subject, job=job, script="convert.py", aside=True, verbose=options.verbose)
    with launched(launch, ports) as ended:
        library = _library(subject.name, ended, ports)
    _unpack(out, building.stage)
    _add_rest(source, building, ports)
    return {"mode": "quantize", **_quantization(building.stage, options), "library": library}


def _library(name: str, ended: Ended, ports: Ports) -> str:
    """Which library made it.

    Raises:
        ConvertError: None did.
    """
    if ended.exit_code == 0 and ended.result.get("ok") is True:
        output = ended.result.get("output")
        told: dict[str, object] = output if isinstance(output, dict) else {}
        return f"{told.get('library')} {told.get('version')}"
    raise_missing(ended.result, ports.laboratory())
    error = ended.result.get("error")
    lines = [shown(line) for line in ended.stderr.splitlines() if line.strip()]
    what = f": {error.get('type')}: {error.get('message')}" if isinstance(error, dict) else ""
    raise ConvertError(
        shown(f"`{name}` was not converted{what}"),
        details=tuple(lines[-STDERR_LINES:]),
        hint="`-v` shows all that the library said; nothing was left behind",
    )


def _unpack(out: Path, stage: Path) -> None:
    """Move what the library wrote up into the stage; caches that it copied along are not the model."""
    with disk_errors(stage):
        for path in out.iterdir():
            if path.name in {".hf_cache", ".git"}:
                shutil.rmtree(path)
            else:
                path.rename(stage / path.name)
        out.rmdir()


def _add_rest(source: LocalModel, building: Building, ports: Ports) -> None:
    """Add the source's other files, sub-directories included; never its old weights or their index."""
    facts = ports.library().facts(source)
    rest = [
        RepoPath(file.path)
        for file in facts.files
        if is_hashed(file.path) and not is_replaced(file.path) and not (building.stage / file.path).exists()
    ]
    building.copy(source.directory, rest, ports.on_event)


def _quantization(stage: Path, options: ConvertOptions) -> dict[str, object]:
    """What the library says that it did, else what it was told."""
    with disk_errors(stage, doing="read"):
        config = json.loads((stage / "config.json").read_text(encoding="utf-8"))
    told = config.get("quantization") if isinstance(config, dict) else None
    made = told if isinstance(told, dict) else {}
    return {
        "bits": made.get("bits", options.quantize),
        "group_size": made.get("group_size", options.group_size),
    }


def _check(building: Building, ports: Ports) -> None:
    staged = LocalModel(where="workspace", directory=building.stage, name=building.stage.name)
    problems = problems_of(ports.library().facts(staged))
    if problems:
        raise ConvertError("what was written is no whole model; it was not kept", details=problems)


def _report(source: LocalModel, sentinel: Sentinel, options: ConvertOptions, ports: Ports) -> Report:
    made = ports.library().model(options.target)
    assert made is not None  # noqa: S101 - it was just made
    facts = ports.library().facts(made)
    data: dict[str, Json] = {
        "source": str(source.directory),
        "directory": str(options.target),
        "repo": sentinel.source_repo,
        "commit": sentinel.source_revision,
        "mode": "repair-index" if options.repair_index else "quantize",
        "bits": options.quantize,
        "group_size": options.group_size,
        "content_hash": sentinel.content_hash,
        "files": len(facts.files),
        "size_bytes": facts.size_bytes,
    }
    what = f"{plural(len(facts.files), 'file')} ({human_bytes(facts.size_bytes)})"
    return Report(command="convert", data=data, lines=(Line(f"made `{options.target}`: {what}", "good"),))
