"""`mlxk status`: whether manifest, lock and workspace agree. Local, quick, changes nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mlxlock.planning.freshness import staleness
from mlxlock.planning.layout import lay_out
from mlxlock.planning.levels import offline_of, sandbox_of, standing
from mlxlock.planning.plan import Inventory
from mlxlock.planning.relock import all_seen, unproven_runs
from mlxlock.planning.verdict import Finding, Verdict, cure_of, judge
from mlxlock.ports import Ports, Workspace
from mlxlock.spec.lockfile import LockedModel, Lockfile
from mlxlock.steps.project import Project, read_lockfile_if_any, read_manifest, warn_of_newer
from mlxlock.steps.report import Columns, Json, Line, Report, human_bytes, plural, some_of
from mlxlock.steps.selection import Selection, chosen_models, left_out, seen_models, sync_command


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusOptions:
    """Which models `mlxk status` is about."""

    selection: Selection = field(default_factory=Selection)


def status(project: Project, ports: Ports, options: StatusOptions) -> Report:
    """Compare, without reading any file whose stat says it is unchanged.

    Raises:
        ManifestError: And its siblings, when a file cannot be read.
    """
    manifest = read_manifest(project)
    lockfile = read_lockfile_if_any(project)
    warn_of_newer(lockfile or Lockfile(), ports.on_event)
    reasons = tuple(str(reason) for reason in staleness(manifest, lockfile or Lockfile()))
    models = chosen_models(manifest, lockfile or Lockfile(), options.selection)
    seen = seen_models(models, ports.store())
    workspace = ports.workspace(project.workspace_root(manifest))
    verdicts = [_verdict(model, workspace) for model in seen]
    states = [(model, word) for model, (word, _) in zip(seen, verdicts, strict=True)]
    findings = tuple(finding for _, found in verdicts for finding in found)
    absent = left_out(manifest, lockfile or Lockfile(), options.selection)
    bad = [model.name for model, state in states if state != "in place"]
    cure = sync_command(manifest, bad)
    return _report(states, reasons, absent, findings, cure, locked=lockfile is not None)


def _verdict(model: LockedModel, workspace: Workspace) -> tuple[str, tuple[Finding, ...]]:
    if not all_seen(model):
        return "not fetched", ()
    tree = lay_out([model])
    inventory = workspace.scan(tree)
    verdict = judge(tree, inventory)
    return _word(verdict, inventory), verdict.findings


def _word(verdict: Verdict, inventory: Inventory) -> str:
    if verdict.clean:
        return "in place"
    if any(finding.problem != "missing" for finding in verdict.findings):
        return "changed"
    return "missing" if not inventory.found else "incomplete"


def _report(
    states: Sequence[tuple[LockedModel, str]],
    reasons: tuple[str, ...],
    absent: Mapping[str, str],
    findings: tuple[Finding, ...],
    cure: str,
    *,
    locked: bool,
) -> Report:
    bad = [model.name for model, state in states if state != "in place"]
    rows = tuple(
        (
            model.name,
            f"{model.repo} @ {model.commit[:12]}",
            human_bytes(model.snapshot.size_bytes),
            standing(model),
            state,
        )
        for model, state in states
    )
    lines: list[Line | Columns] = (
        [Columns(header=("Name", "Model", "Size", "Offline", "Workspace"), rows=rows, gives_way=1)]
        if rows
        else []
    )
    lines += [Line(f"stale: {reason}", "warning") for reason in reasons]
    if absent:
        whose = ", ".join(f"`{name}` ({why})" for name, why in absent.items())
        lines.append(Line(f"{plural(len(absent), 'model')} left out: {whose}", "dim"))
    foreign = [finding for finding in findings if finding.problem == "foreign"]
    lines += [Line(text, "bad") for text in some_of([str(finding) for finding in foreign])]
    data: dict[str, Json] = {
        "locked": locked,
        "stale": list(reasons),
        "models": [
            {
                "name": model.name,
                "repo": model.repo,
                "commit": model.commit,
                "state": state,
                "offline": offline_of(model),
                "sandbox": sandbox_of(model),
            }
            for model, state in states
        ],
        "foreign": [finding.path for finding in foreign],
    }
    if reasons:
        return _negative(data, lines, "lock-stale" if locked else "lock-missing", "run `mlxk lock`")
    if bad:
        problems = [finding.problem for finding in findings]
        edited = {"changed", "obstructed"} & set(problems)
        sync = f"run `{cure} --repair` to replace what was edited" if edited else f"run `{cure}`"
        unfetched = [state for _, state in states if state == "not fetched"]
        return _negative(data, lines, "workspace-changed", cure_of([*problems, *unfetched], sync))
    return Report(command="status", data=data, lines=(*lines, _agrees(model for model, _ in states)))


def _agrees(models: Iterable[LockedModel]) -> Line:
    """The last line where all is in place: what is not proven is no reason to say no, and told."""
    told = "everything is as the lock says"
    unproven = [model.name for model in models if any(unproven_runs(model))]
    if not unproven:
        return Line(told, "good")
    whose = f"{plural(len(unproven), 'model')} not proven offline"
    return Line(f"{told}; {whose}: run `mlxk lock`", "warning")


def _negative(data: dict[str, Json], lines: Sequence[Line | Columns], code: str, hint: str) -> Report:
    messages = {
        "lock-stale": "`models.lock` is stale",
        "lock-missing": "there is no `models.lock` yet",
        "workspace-changed": "the workspace is not what the lock says",
    }
    return Report(
        command="status",
        data=data,
        lines=tuple(lines),
        exit_code=1,
        error_code=code,
        message=messages[code],
        hint=hint,
    )
