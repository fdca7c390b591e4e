"""`mlxk clone REPO[@REVISION] [DIR]`: a workspace of one model, from the Hub at one commit, verified.

Resolves to a commit, brings the bytes into the store (which compares them), stages the directory beside its
target and gives it its name at once. The content hash follows from the hashes made while downloading.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mlxlock.commands.add import default_name
from mlxlock.errors import DriftError, StoreError, UsageError
from mlxlock.planning.assemble import assemble_model, complete_model
from mlxlock.ports import Blob, BlobStore, Library, LocalModel, Note, Ports, Wanted
from mlxlock.spec.digest import Sha256, content_hash
from mlxlock.spec.invariants import RESERVED_DIRECTORIES, check_invariants
from mlxlock.spec.lockfile import LockedModel, Lockfile, Request
from mlxlock.spec.names import ModelName, RepoId, RepoPath, Revision
from mlxlock.spec.patterns import unmatched
from mlxlock.spec.resolution import Resolution
from mlxlock.spec.sentinel import SENTINEL_NAME, Sentinel, is_hashed
from mlxlock.spec.sentinel_reader import SeenSentinel
from mlxlock.spec.toml_text import shown
from mlxlock.steps.obtain import completer, missing_from, needs_of, obtain
from mlxlock.steps.report import Json, Line, Report, human_bytes, plural


@dataclass(frozen=True, slots=True, kw_only=True)
class CloneOptions:
    """What `mlxk clone` was asked for.

    Attributes:
        repo: `org/name`, or `org/name@revision`.
        directory: Where to put it; None for the repo's basename below `home`.
        home: The workspace home, else the current directory, absolute.
        revision: As in `repo`, for who likes flags.
        include: Patterns of the files wanted; none means all.
        exclude: Patterns of files not wanted.
    """

    repo: str
    home: Path
    directory: Path | None = None
    revision: str | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    dry_run: bool = False


def clone(ports: Ports, options: CloneOptions) -> Report:
    """Make the directory, or say that it is there already.

    Raises:
        UsageError: No repo id, no file left to take, or a target that holds something else.
        DriftError: The target is this very clone, and was changed since.
        HubError: And its children.
        MismatchError: Bytes differ from what the Hub asserts.
        DiskError: The disk refuses.
    """
    wanted = parse_wanted(options.repo, options.revision)
    target = options.directory or options.home / wanted.repo.basename
    refuse_target(target, ports.library())
    model = resolved(wanted, ports, options.include, options.exclude)
    if is_clone_of(model, target, ports):
        return _report(model, target, options, changed=False)
    needs = needs_of([model])
    if options.dry_run:
        missing = missing_from(ports.store(), needs)
        fetch_bytes = sum(remote.file.size_bytes for remote in missing)
        return _report(model, target, options, changed=True, fetch_bytes=fetch_bytes)
    obtain(needs, ports)
    whole = complete_model(model, completer(ports.store()))
    with ports.workspaces().building(target) as building:
        if is_clone_of(whole, target, ports):  # another mlxk was first
            return _report(whole, target, options, changed=False)
        building.add(blobs_of(whole, ports.store()), ports.on_event)
        building.finish(sentinel_of(whole, "clone"))
    return _report(whole, target, options, changed=True)


def parse_wanted(text: str, revision: str | None) -> Wanted:
    """The repo and revision that a person named.

    Raises:
        UsageError: They are none.
    """
    name, at, inline = text.partition("@")
    if at and revision is not None and inline != revision:
        raise UsageError(f"`{shown(text)}` and `--revision {shown(revision)}` contradict each other")
    asked = inline if at else revision
    try:
        return Wanted(repo=RepoId(name), revision=None if asked is None else Revision(asked))
    except ValueError as error:
        raise UsageError(shown(str(error)), hint="write `org/name`, or `org/name@revision`") from error


def resolved(
    wanted: Wanted, ports: Ports, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()
) -> LockedModel:
    """What the Hub has there, as a lock would say it.

    Raises:
        UsageError: No file is left to take.
        LockfileError: Its paths would collide on some filesystem.
        HubError: And its children.
    """
    revision = wanted.revision or Revision("main")
    ports.on_event(Note(text=f"Resolving `{wanted.repo}` at `{revision}`"))
    resolution = _without_sentinel(ports.source().resolve(wanted))
    request = Request(revision=revision, include=include, exclude=exclude)
    name = ModelName(default_name(wanted.repo))
    model = assemble_model(name, request, resolution, completer(ports.store()))
    paths = [file.path for file in resolution.files]
    for pattern in unmatched((*include, *exclude), paths):
        ports.on_event(Note(text=f"`{shown(pattern)}` matches no file of `{wanted.repo}`", level="warning"))
    if not model.files:
        raise UsageError(
            f"nothing of `{wanted.repo}` is left to take", hint="see `--include` and `--exclude`"
        )
    check_invariants(Lockfile(models=(model,)), f"{wanted.repo}@{resolution.commit}")
    return model


def _without_sentinel(resolution: Resolution) -> Resolution:
    """A repo that was pushed with its sentinel does not speak for us."""
    files = tuple(file for file in resolution.files if file.path != SENTINEL_NAME)
    return replace(resolution, files=files)


def blobs_of(model: LockedModel, store: BlobStore) -> Mapping[RepoPath, Blob]:
    """The bytes of each file.

    Raises:
        StoreError: The store has lost one since it was brought.
    """
    return {file.path: _blob(file.path, store.find(file)) for file in model.files}


def _blob(path: RepoPath, blob: Blob | None) -> Blob:
    if blob is None:
        raise StoreError(f"the store has lost `{path}`", hint="run the same command again")
    return blob


def sentinel_of(model: LockedModel, operation: str) -> Sentinel:
    """The sentinel of a directory that holds exactly this model, every file seen."""
    patterns = {"include": model.request.include, "exclude": model.request.exclude}
    return Sentinel(
        source_repo=model.repo,
        source_revision=model.commit,
        operation=operation,
        content_hash=content_hash(dict(_hashes(model))),
        parameters={name: list(value) for name, value in patterns.items() if value},
    )


def _hashes(model: LockedModel) -> Iterator[tuple[str, Sha256]]:
    for file in model.files:
        if is_hashed(file.path):
            assert file.sha256 is not None  # noqa: S101 - every file was seen
            yield file.path, file.sha256


def refuse_target(target: Path, library: Library) -> None:
    """Refuse a directory that could never hold a model of its own, before anything is asked or fetched.

    Raises:
        UsageError: It is a file, a link, or a directory that holds something else than a model.
    """
    hint = "name another directory"
    if target.name in RESERVED_DIRECTORIES:
        raise UsageError(f"`{target.name}` is not a name for a model's directory", hint=hint)
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise UsageError(f"`{target}` is no directory", hint=hint)
    if library.model(target) is None and target.is_dir() and any(target.iterdir()):
        raise UsageError(f"`{target}` is not empty", hint=hint)


def is_clone_of(model: LockedModel, target: Path, ports: Ports) -> bool:
    """Whether this very model stands there, whole; False when nothing does.

    Raises:
        UsageError: Another model stands there.
        DriftError: This one does, and was changed.
    """
    library = ports.library()
    there = library.model(target)
    if there is None:
        return False
    if there.sentinel is None or _origin(there.sentinel) != _origin_of(model):
        reason = f"`{target}` holds {_what(there)} already"
        raise UsageError(reason, hint="name another directory, or move it away")
    if library.as_made(there) or _holds(there, model, ports):
        return True
    raise DriftError(
        f"`{target}` is `{model.repo}` at this commit, and was changed",
        hint="name another directory, or move it away; nothing was touched",
    )


def _origin(sentinel: SeenSentinel) -> tuple[object, ...]:
    return sentinel.repo, sentinel.revision, sentinel.include, sentinel.exclude


def _origin_of(model: LockedModel) -> tuple[object, ...]:
    return model.repo, model.commit, model.request.include, model.request.exclude


def _what(there: LocalModel) -> str:
    if there.repo is None:
        return "a model of unknown origin"
    chosen = there.sentinel is not None and (there.sentinel.include or there.sentinel.exclude)
    commit = f" at {there.revision}" if there.revision else " at an unknown commit"
    return f"`{there.repo}`{commit}" + (", files chosen by patterns," if chosen else "")


def _holds(there: LocalModel, model: LockedModel, ports: Ports) -> bool:
    """Whether every byte there is the model's, and nothing else is there."""
    files = ports.library().files(there)
    expected = {file.path: file.size_bytes for file in model.files}
    actual = {file.path: file.size_bytes for file in files if is_hashed(file.path) or file.path in expected}
    if actual != expected:
        return False
    hashes = ports.library().hashes(there, ports.on_event)
    return there.sentinel is not None and content_hash(dict(hashes)) == there.sentinel.content_hash


def _report(
    model: LockedModel, target: Path, options: CloneOptions, *, changed: bool, fetch_bytes: int = 0
) -> Report:
    data: dict[str, Json] = {
        "repo": model.repo,
        "revision": model.resolved_revision,
        "commit": model.commit,
        "directory": str(target),
        "changed": changed,
        "dry_run": options.dry_run,
        "files": len(model.files),
        "size_bytes": model.snapshot.size_bytes,
        "fetch_bytes": fetch_bytes,
    }
    if options.dry_run and changed:
        return Report(command="clone", data=data, lines=tuple(_would(model, target, fetch_bytes)))
    return Report(command="clone", data=data, lines=(_done(model, target, changed=changed),))


def _would(model: LockedModel, target: Path, fetch_bytes: int) -> Iterator[Line]:
    for file in model.files:
        yield Line(f"+ {file.path}  {human_bytes(file.size_bytes)}")
    yield Line(f"would fetch {human_bytes(fetch_bytes)} and write {_amount(model)} to `{target}`")


def _done(model: LockedModel, target: Path, *, changed: bool) -> Line:
    source = f"`{model.repo}` at {model.commit}"
    if changed:
        return Line(f"cloned {source} into `{target}`: {_amount(model)}", "good")
    return Line(f"`{target}` is {source} already, nothing to do", "good")


def _amount(model: LockedModel) -> str:
    return f"{plural(len(model.files), 'file')} ({human_bytes(model.snapshot.size_bytes)})"
