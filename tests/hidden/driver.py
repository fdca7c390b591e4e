"""`python -m tests.hidden.driver PLAN.json ANSWER.json` locks the project's one model, step by step.

The steps are those of `mlxk lock`, with every real adapter; between them the candidate entry loses something,
once for each item of the plan, and is to be proven without it.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlxlock.cli.options import Common
from mlxlock.cli.wiring import wire
from mlxlock.first_runs.exercise import Work, trials_of
from mlxlock.first_runs.proof import Proven, prove
from mlxlock.planning.assemble import complete_model, with_captures
from mlxlock.planning.relock import decide, first_runs_of
from mlxlock.ports import Ports, ignore
from mlxlock.render import Look
from mlxlock.spec.invariants import check_invariants
from mlxlock.spec.lockfile import Artifact, Environment, LockedModel, Lockfile
from mlxlock.spec.lockfile_writer import format_lockfile
from mlxlock.steps.obtain import completer, needs_of, obtain
from mlxlock.steps.pinning import PinnedSource
from mlxlock.steps.project import Project, read_manifest
from mlxlock.steps.resolve import draft, resolve


def lock_step_by_step(
    project: Project, ports: Ports, plan: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """Capture, prove, and prove without each thing; return the lock's text and what was objected to each."""
    work, entry = _prepared(project, ports)
    (trial,) = trials_of(work, entry, first_runs_of(entry.request))
    captured = work.recorder.record(trial)
    candidate = with_captures(trial.model, [captured], completer(work.store))

    def proven(model: LockedModel) -> Proven:
        return prove(replace(trial, model=model), captured, ports.laboratory(), work.store, ignore)

    whole = proven(candidate)
    environment = Environment.of(captured.environment)
    lock = Lockfile(models=(whole.model,), environments=(environment,))
    check_invariants(lock)
    proofs = {"": whole} | {name: proven(_without(candidate, **what)) for name, what in plan.items()}
    return {
        "lock": format_lockfile(lock),
        "objections": {name: [found.code for found in each.objections] for name, each in proofs.items()},
        "why": {name: [found.text for found in each.objections] for name, each in proofs.items()},
        "levels": {name: each.level for name, each in proofs.items()},
    }


def _prepared(project: Project, ports: Ports) -> tuple[Work, LockedModel]:
    """The entry before any first run, each file in the store."""
    manifest = read_manifest(project)
    decisions = decide(manifest, Lockfile(), upgrade=False, upgrade_models=(), capture=True)
    resolutions = resolve(decisions, ports, {})
    source = PinnedSource(
        ports.source(), pins={}, artifacts=manifest.artifacts, resolved=resolutions.values()
    )
    work = Work(
        project=project.root,
        manifest=manifest,
        ports=ports,
        store=ports.store(),
        source=source,
        adopt_writes=True,
    )
    (decision,) = decisions
    entry = draft(decision, resolutions, work.store, capture=True)
    obtain(needs_of([entry]), ports)
    return work, complete_model(entry, completer(work.store))


def _without(model: LockedModel, *, repo: str, path: str = "") -> LockedModel:
    """The entry without a repo, or without one path of it: a file, or the knowledge that there is none."""

    def rest(artifact: Artifact) -> Artifact:
        files = tuple(file for file in artifact.files if file.path != path)
        return replace(artifact, files=files, absent=tuple(each for each in artifact.absent if each != path))

    if repo == model.repo:
        return replace(model, files=tuple(file for file in model.files if file.path != path))
    kept = [each for each in model.artifacts if path or each.repo != repo]
    return replace(model, artifacts=tuple(rest(each) if each.repo == repo else each for each in kept))


def main(plan: Path, answer: Path) -> None:
    """Read what to withhold, and write what came of it."""
    project = Project(root=Path.cwd())
    common = Common(look=Look(), project=project.root, named_project=True, offline=None, jobs=4)
    ports = wire(common, ignore, project=project.root)
    answer.write_text(json.dumps(lock_step_by_step(project, ports, json.loads(plan.read_text()))))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
