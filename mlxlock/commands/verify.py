"""`mlxk verify`: read every byte of the workspace and compare it with the lock. Offline, read-only."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from mlxlock.errors import DriftError, PolicyError
from mlxlock.planning.layout import lay_out
from mlxlock.planning.policy import policy_problems
from mlxlock.planning.relock import first_runs_of, is_enough, proven_in, short_of
from mlxlock.planning.verdict import Finding, Verdict, cure_of, judge
from mlxlock.ports import Ports
from mlxlock.spec.lockfile import LockedModel
from mlxlock.spec.record import RequiredLevel, SandboxLevel
from mlxlock.steps.project import Project, read_lockfile, read_manifest, warn_of_newer
from mlxlock.steps.report import Json, Line, Report, human_bytes, plural
from mlxlock.steps.selection import Selection, chosen_models, seen_models

_SYNC: Final = "run `mlxk sync` to restore what is missing, `mlxk sync --repair` to replace what was changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """What `mlxk verify` was asked for.

    Attributes:
        selection: Which models.
        require_sandbox: Demand a proof of every first run, and none made under a weaker sandbox than this.
    """

    selection: Selection = field(default_factory=Selection)
    require_sandbox: RequiredLevel | None = None


def verify(project: Project, ports: Ports, options: VerifyOptions) -> Report:
    """Hash everything.

    Raises:
        LockMissingError: And its siblings, when a file cannot be read.
    """
    manifest = read_manifest(project)
    lockfile = read_lockfile(project)
    warn_of_newer(lockfile, ports.on_event)
    models = chosen_models(manifest, lockfile, options.selection)
    tree = lay_out(seen_models(models, ports.store()))
    workspace = ports.workspace(project.workspace_root(manifest))
    verdict = judge(tree, workspace.scan(tree, content=True))
    refusals = (
        *policy_problems(manifest, models),
        *_too_low(models, manifest.sandbox.require),
        *_weak(models, options.require_sandbox),
    )
    return _report(verdict, refusals)


def _too_low(models: Iterable[LockedModel], require: RequiredLevel | None) -> Iterator[str]:
    """Which proofs do not count, since `[sandbox]` of the manifest requires a better sandbox for them."""
    for model in models:
        for run, best in short_of(model, require):
            yield f"{_proven(model, run, best)}, and `[sandbox]` requires `{require}`"


def _weak(models: Iterable[LockedModel], demanded: RequiredLevel | None) -> Iterator[str]:
    """What keeps models from being proven in the demanded sandbox, in every environment that proves them."""
    for model in models if demanded else ():
        runs = first_runs_of(model.request)
        if not runs:
            yield f"`{model.name}` is never run: nothing of it is proven in any sandbox"
        for run in runs:
            levels = proven_in(model, run.name)
            if not levels:
                yield f"`{model.name}` ({run.name}) is not proven offline, in any sandbox"
            elif not is_enough(levels[-1], demanded):
                told = _proven(model, run.name, levels[-1])
                yield f"{told}, a weaker sandbox than `{demanded}`"


def _proven(model: LockedModel, run: str, level: SandboxLevel) -> str:
    return f"`{model.name}` ({run}) is proven in sandbox level `{level}`"


def _report(verdict: Verdict, refusals: tuple[str, ...]) -> Report:
    data: dict[str, Json] = {
        "clean": verdict.clean and not refusals,
        "paths": verdict.files,
        "size_bytes": verdict.size_bytes,
        "findings": [_finding(finding) for finding in verdict.findings],
        "refusals": list(refusals),
    }
    lines = [Line(_told(finding), "bad") for finding in verdict.findings]
    lines += [Line(refusal, "bad") for refusal in refusals]
    if verdict.clean and not refusals:
        what = f"{plural(verdict.files, 'path')}, {human_bytes(verdict.size_bytes)}: every byte is as locked"
        return Report(command="verify", data=data, lines=(Line(what, "good"),))
    count = plural(len(lines), "finding")
    negative = partial(Report, command="verify", data=data, lines=tuple(lines), exit_code=1)
    if verdict.clean:
        return negative(
            error_code=PolicyError.code,
            message=f"the workspace is as locked, but not as it must be: {count}",
            hint="see `[policy]` and `[sandbox]` in `models.toml`, and run `mlxk lock`",
        )
    return negative(
        error_code=DriftError.code,
        message=f"the workspace is not what the lock says: {count}",
        hint=cure_of([finding.problem for finding in verdict.findings], _SYNC),
    )


def _finding(finding: Finding) -> dict[str, Json]:
    return {
        "path": finding.path,
        "problem": finding.problem,
        "expected": finding.expected,
        "actual": finding.actual,
        "source": finding.source or None,
    }


def _told(finding: Finding) -> str:
    if finding.expected is None:
        return f"not in the lock: {finding.path}"
    if finding.actual is None:
        return f"missing: {finding.path}"
    expected, actual = _short(finding.expected), _short(finding.actual)
    return f"{finding.problem}: {finding.path} (expected {expected}, is {actual})"


def _short(told: str) -> str:
    """A digest as far as people compare it; `--json` has all of it."""
    return re.sub(r"^(blake3:[0-9a-f]{12})[0-9a-f]{52}$", r"\1…", told)
