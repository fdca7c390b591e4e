"""What `mlxk lock` answers: staleness for `--check`, and what a lock changed. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mlxlock.commands.lock_changes import changes_data, told_changes
from mlxlock.errors import (
    LockMissingError,
    LockStaleError,
    MlxlockError,
    PartialError,
    PolicyError,
    ProofError,
)
from mlxlock.first_runs.proof import Proven
from mlxlock.planning.freshness import Reason, staleness
from mlxlock.planning.policy import policy_problems
from mlxlock.planning.relock import all_seen, short_of, unproven_runs
from mlxlock.spec.lockfile import LockedModel, Lockfile
from mlxlock.spec.manifest import Manifest
from mlxlock.steps.report import Json, Line, Report, plural


def check_report(manifest: Manifest, locked: Lockfile | None, *, capture: bool) -> Report:
    """Whether `lock` would change nothing and refuse nothing, and if not, why.

    Args:
        manifest: What is asked.
        locked: What is locked; None for no lock.
        capture: Whether first runs count: what they did not prove, and files that nobody hashed yet.
    """
    lockfile = locked or Lockfile()
    reasons = staleness(manifest, lockfile)
    asked = [model for model in lockfile.models if manifest.model(model.name)]
    policy = policy_problems(manifest, asked)
    unproven = [(model, run.name) for model in asked for run in unproven_runs(model)] if capture else []
    unhashed = [model.name for model in asked if capture and not all_seen(model)]
    report = Report(
        command="lock",
        data={
            "stale": bool(reasons) or locked is None,
            "reasons": [_reason(reason) for reason in reasons],
            "policy": list(policy),
            "unproven": [{"model": model.name, "first_run": run} for model, run in unproven],
            "unhashed": list(unhashed),
        },
        lines=(
            *(Line(str(reason)) for reason in reasons),
            *(Line(problem) for problem in policy),
            *(Line(_lacking(model, run)) for model, run in unproven),
            *(Line(f"not every file of `{model}` was hashed here") for model in unhashed),
        ),
    )
    if locked is None:
        return _no(report, LockMissingError.code, "there is no `models.lock` yet")
    if reasons:
        return _no(report, LockStaleError.code, "`models.lock` is stale")
    if policy:
        told = "the policy of `models.toml` refuses what is locked"
        return _no(report, PolicyError.code, told, "change `[policy]`, or choose another model")
    if unproven or unhashed:
        told = "what is locked is not proven" if unproven else "what is locked was not hashed"
        return _no(report, ProofError.code, told, "run `mlxk lock`, or check with `--no-capture`")
    return replace(report, lines=(Line("up to date", "good"),))


def _lacking(model: LockedModel, run: str) -> str:
    """What a first run lacks: any proof, or one in a sandbox of the required level."""
    what = f"first run `{run}` of `{model.name}` is"
    low = dict(short_of(model, model.request.sandbox_require)).get(run)
    if low is None:
        return f"{what} not proven"
    return f"{what} proven in sandbox level `{low}` only, and `{model.request.sandbox_require}` is required"


def _no(report: Report, code: str, message: str, hint: str = "run `mlxk lock`") -> Report:
    return replace(report, exit_code=1, error_code=code, message=message, hint=hint)


def _reason(reason: Reason) -> dict[str, str | None]:
    return {
        "model": reason.model,
        "kind": reason.kind,
        "key": reason.key or None,
        "locked": reason.locked,
        "asked": reason.asked,
        "text": str(reason),
    }


def lock_report(
    before: Lockfile,
    after: Lockfile,
    *,
    changed: bool,
    capture: bool,
    dry_run: bool,
    proofs: Sequence[Proven] = (),
) -> Report:
    """What a lock changed, and which first runs are not proven."""
    lines = [Line(*line) for line in told_changes(before, after)]
    unproven = [model.name for model in after.models if any(unproven_runs(model))]
    verb = "would write" if dry_run else "wrote"
    lines.append(Line(f"{verb} models.lock" if changed else "models.lock is up to date", "good"))
    data: dict[str, Json] = {
        "changed": changed,
        "dry_run": dry_run,
        "changes": changes_data(before, after),
        "models": [_model_data(model) for model in after.models],
        "unproven": list(unproven),
        "runs": [_run_data(proof) for proof in proofs],
    }
    if not unproven or not capture or dry_run:
        return Report(command="lock", data=data, lines=tuple(lines))
    return Report(
        command="lock",
        data=data,
        lines=tuple(lines),
        exit_code=1,
        error_code=ProofError.code,
        message=f"not proven offline: {', '.join(f'`{name}`' for name in unproven)}",
        hint=_cure(proofs),
    )


def capture_report(
    before: Lockfile,
    after: Lockfile,
    *,
    changed: bool,
    proofs: Sequence[Proven],
    lowered: Sequence[str],
) -> Report:
    """What `mlxk capture` changed, and which recorded proofs it left because the new ones say less."""
    lines = [Line(*line) for line in told_changes(before, after)]
    lines.append(Line("wrote models.lock" if changed else "models.lock is up to date", "good"))
    lines += [Line(line, "bad") for line in lowered]
    unproven = [proof.model.name for proof in proofs if proof.level == "unproven"]
    data: dict[str, Json] = {
        "changed": changed,
        "models": [_model_data(model) for model in after.models],
        "unproven": list(dict.fromkeys(unproven)),
        "runs": [_run_data(proof) for proof in proofs],
        "lowered": list(lowered),
    }
    if not lowered and not unproven:
        return Report(command="capture", data=data, lines=tuple(lines))
    named = ", ".join(f"`{name}`" for name in dict.fromkeys(unproven))
    return Report(
        command="capture",
        data=data,
        lines=tuple(lines),
        exit_code=1,
        error_code=ProofError.code,
        message="proofs that say less than the recorded ones were not recorded"
        if lowered
        else f"not proven offline: {named}",
        hint="`--allow-lower` records them" if lowered else _cure(proofs),
    )


def in_part(report: Report, failed: Mapping[str, MlxlockError]) -> Report:
    """The report of a lock that some models kept their old entries in, or none (`--keep-going`)."""
    told: list[Json] = [
        {"model": name, "code": problem.code, "message": problem.reason, "hint": problem.hint}
        for name, problem in failed.items()
    ]
    lines = [Line(f"! {name}: {problem.reason}", "bad") for name, problem in failed.items()]
    return replace(
        report,
        data={**report.data, "failed": told},
        lines=(*lines, *report.lines),
        exit_code=PartialError.exit_code,
        error_code=PartialError.code,
        message=f"{plural(len(failed), 'model')} could not be locked: {', '.join(f'`{n}`' for n in failed)}",
        hint=next(filter(None, (problem.hint for problem in failed.values())), None),
    )


def _cure(proofs: Iterable[Proven]) -> str:
    hints = (objection.hint for proof in proofs for objection in proof.objections)
    return next(filter(None, hints), "the lock says so, and the next `mlxk lock` tries again")


def _run_data(proof: Proven) -> dict[str, Json]:
    return {
        "model": proof.model.name,
        "first_run": proof.first_run,
        "offline": proof.level,
        "objections": [
            {"code": objection.code, "text": objection.text, "hint": objection.hint}
            for objection in proof.objections
        ],
        "wrote": list(proof.wrote),
    }


def _model_data(model: LockedModel) -> dict[str, Json]:
    return {
        "name": model.name,
        "repo": model.repo,
        "commit": model.commit,
        "size_bytes": model.snapshot.size_bytes,
        "license": model.snapshot.license,
        "trusts_remote_code": model.trusts_remote_code,
        "artifacts": [
            {
                "repo": artifact.repo,
                "revision": artifact.revision,
                "commit": artifact.commit,
                "files": len(artifact.files),
            }
            for artifact in model.artifacts
        ],
        "downloads": [
            {"url": download.url, "size_bytes": download.size_bytes, "when": download.when}
            for download in model.effects.downloads
        ],
        "writes": [write.path for write in model.effects.writes],
        "proofs": [
            {
                "environment": p.environment,
                "first_run": p.first_run,
                "sandbox": p.sandbox,
                "offline": p.offline,
                "compared": p.compared,
            }
            for p in model.proofs
        ],
        "denied": [{"url": each.url, "accepted": each.accepted} for each in model.denied],
    }
