"""`mlxk pull REPO[@REVISION]`: a snapshot in the Hugging Face cache, verified. A convenience: see `clone`."""

from dataclasses import dataclass

from mlxlock.commands.clone import blobs_of, parse_wanted, resolved
from mlxlock.planning.assemble import complete_model
from mlxlock.ports import CachedFile, Ports
from mlxlock.spec.lockfile import LockedModel
from mlxlock.steps.obtain import completer, missing_from, needs_of, obtain
from mlxlock.steps.report import Json, Line, Report, human_bytes, plural


@dataclass(frozen=True, slots=True, kw_only=True)
class PullOptions:
    """What `mlxk pull` was asked for; the fields are those of `clone`."""

    repo: str
    revision: str | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    dry_run: bool = False


def pull(ports: Ports, options: PullOptions) -> Report:
    """Put the snapshot there; what the cache holds of it is hashed before it is kept.

    Raises:
        UsageError: No repo id, or no file left to take.
        HubError: And its children.
        MismatchError: Bytes differ from what the Hub asserts.
        DiskError: The disk refuses.
    """
    wanted = parse_wanted(options.repo, options.revision)
    model = resolved(wanted, ports, options.include, options.exclude)
    needs = needs_of([model])
    if options.dry_run:
        missing = missing_from(ports.store(), needs)
        return _report(
            model, ports, sum(remote.file.size_bytes for remote in missing), changed=True, dry_run=True
        )
    obtain(needs, ports)
    whole = complete_model(model, completer(ports.store()))
    blobs = blobs_of(whole, ports.store())
    files = {file.path: CachedFile(etag=file.etag, blob=blobs[file.path]) for file in whole.files}
    asked = whole.resolved_revision
    ref = None if asked.is_commit else asked
    changed = ports.hub_cache().put(whole.repo, whole.commit, files, ref, ports.on_event)
    return _report(whole, ports, 0, changed=changed, dry_run=False)


def _report(model: LockedModel, ports: Ports, fetch_bytes: int, *, changed: bool, dry_run: bool) -> Report:
    root = ports.hub_cache().root
    data: dict[str, Json] = {
        "repo": model.repo,
        "revision": model.resolved_revision,
        "commit": model.commit,
        "directory": str(root / model.repo.cache_folder() / "snapshots" / model.commit),
        "changed": changed,
        "dry_run": dry_run,
        "files": len(model.files),
        "size_bytes": model.snapshot.size_bytes,
        "fetch_bytes": fetch_bytes,
    }
    what = f"{plural(len(model.files), 'file')} ({human_bytes(model.snapshot.size_bytes)})"
    source = f"`{model.repo}` at {model.commit}"
    if dry_run:
        line = Line(f"would fetch {human_bytes(fetch_bytes)} and put {what} of {source} into `{root}`")
    elif changed:
        line = Line(f"pulled {source} into `{root}`: {what}", "good")
    else:
        line = Line(f"`{root}` has {source} already, every byte of it", "good")
    return Report(command="pull", data=data, lines=(line,))
