"""What a new lock has that the old one had not: each model's move, and what its first runs bring. Pure."""

from collections.abc import Iterator
from typing import Final

from mlxlock.spec.lockfile import LockedModel, Lockfile
from mlxlock.steps.report import Json, human_bytes, plural

SHORT: Final = 12


def told_changes(before: Lockfile, after: Lockfile) -> Iterator[tuple[str] | tuple[str, str]]:
    """Each change for people: text, and perhaps a style. What stays is not told."""
    for model in after.models:
        old = before.model(model.name)
        if old == model:
            continue
        yield (f"{'+' if old is None else '~'} {model.name}  {_move(old, model)}",)
        if old is not None and old.commit != model.commit:
            yield f"    {_difference(old, model)}", "dim"
        yield from _brought(model)
    for model in before.models:
        if after.model(model.name) is None:
            yield (f"- {model.name}",)


def changes_data(before: Lockfile, after: Lockfile) -> list[Json]:
    """The same for scripts; `from` and `to` are whole commits, null for what was not or is no more."""
    names = dict.fromkeys(model.name for model in (*after.models, *before.models))
    pairs = [(name, before.model(name), after.model(name)) for name in names]
    return [_change_data(name, old, new) for name, old, new in pairs if old != new]


def _change_data(name: str, old: LockedModel | None, new: LockedModel | None) -> dict[str, Json]:
    added, removed, changed = _file_counts(old, new)
    return {
        "model": name,
        "from": None if old is None else old.commit,
        "to": None if new is None else new.commit,
        "files_added": added,
        "files_removed": removed,
        "files_changed": changed,
        "size_bytes_before": 0 if old is None else old.snapshot.size_bytes,
        "size_bytes": 0 if new is None else new.snapshot.size_bytes,
    }


def _move(old: LockedModel | None, new: LockedModel) -> str:
    now, size = new.commit[:SHORT], human_bytes(new.snapshot.size_bytes)
    if old is None or (old.repo, old.commit) == (new.repo, new.commit):
        return f"{new.repo} @ {now}  {size}"
    to = now if old.repo == new.repo else f"{new.repo} @ {now}"
    return f"{old.repo} @ {old.commit[:SHORT]} → {to}  {size}"


def _difference(old: LockedModel, new: LockedModel) -> str:
    added, removed, changed = _file_counts(old, new)
    counts = {"added": added, "removed": removed, "changed": changed}
    files = ", ".join(f"{plural(count, 'file')} {what}" for what, count in counts.items() if count)
    grown = new.snapshot.size_bytes - old.snapshot.size_bytes
    size = f"{'+' if grown >= 0 else '-'}{human_bytes(abs(grown))}"
    return f"{files or 'the same files'}, {size}"


def _file_counts(old: LockedModel | None, new: LockedModel | None) -> tuple[int, int, int]:
    """How many files were added, were removed, and have other bytes."""
    was, now = ({} if each is None else {f.path: f.asserted() for f in each.files} for each in (old, new))
    changed = sum(was[path] != now[path] for path in was.keys() & now.keys())
    return len(now.keys() - was.keys()), len(was.keys() - now.keys()), changed


def _brought(model: LockedModel) -> Iterator[tuple[str, str]]:
    """What its first runs brought, and what is known of them."""
    for artifact in model.artifacts:
        files = plural(len(artifact.files), "file")
        when = f", asked for at {artifact.when}" if artifact.when else ""
        yield f"    brings {artifact.repo} @ {artifact.commit[:12]} ({files}{when})", "dim"
    for download in model.effects.downloads:
        when = f", asked for at {download.when}" if download.when else ""
        yield f"    brings {download.url} ({human_bytes(download.size_bytes)}{when})", "dim"
    if model.effects.writes:
        yield f"    keeps {plural(len(model.effects.writes), 'file')} that its first runs made", "dim"
    for each in model.denied:
        yield f"    goes without {each.url}{', which is accepted' if each.accepted else ''}", "dim"
    if model.trusts_remote_code:
        yield "    executes code that its repo ships", "dim"
    for proof in model.proofs:
        alone = ", nothing compared" if proof.compared == "none" else ""
        yield f"    {proof.first_run}: {proof.offline} offline, sandbox {proof.sandbox}{alone}", "dim"
