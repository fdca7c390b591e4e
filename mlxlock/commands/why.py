"""`mlxk why WHAT`: why the lock holds something: which model and code asked, when, for what, and what came.

Answers for whatever a lock names: a repo, a model, a URL, a file below `.hf_cache`, a refused request.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from mlxlock.errors import UsageError
from mlxlock.planning.layout import CACHE_DIR
from mlxlock.spec.digest import Blake3
from mlxlock.spec.lockfile import Artifact, Denied, LockedModel, Lockfile
from mlxlock.spec.phases import Phase
from mlxlock.spec.readers import did_you_mean
from mlxlock.spec.toml_text import shown
from mlxlock.steps.project import Project, read_lockfile
from mlxlock.steps.report import Json, Line, Report, human_bytes, plural


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyOptions:
    """What `mlxk why` is about: a repo, a model's name, a URL or a path below `.hf_cache`."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """Something that a first run left below `.hf_cache`, outside of the Hub's cache.

    Attributes:
        names: What one may ask for it by.
        origin: Where it came from, as a person says it.
        when: When it was asked for, where that is known.
    """

    model: LockedModel
    names: frozenset[str]
    origin: str
    size_bytes: int | None = None
    paths: tuple[str, ...] = ()
    when: Phase | None = None


def why(project: Project, options: WhyOptions) -> Report:
    """Find everyone who needs it.

    Raises:
        UsageError: Nobody does.
    """
    lockfile = read_lockfile(project)
    wanted = _plain(options.what)
    declared = [
        model for model in lockfile.models if wanted in {model.repo.casefold(), model.name.casefold()}
    ]
    brought = [(model, artifact) for model, artifact in _artifacts(lockfile) if _is(artifact, wanted)]
    left = [each for model in lockfile.models for each in _left(model) if wanted in each.names]
    denied = [(model, each) for model, each in _denied(lockfile) if _plain(each.url) == wanted]
    if not (declared or brought or left or denied):
        near = did_you_mean(options.what, _known(lockfile))
        raise UsageError(
            f"`models.lock` has no `{shown(options.what)}`{near}", hint="see `mlxk tree --files`"
        )
    lines = [line for model in declared for line in _declared_lines(model)]
    lines += [line for model, artifact in brought for line in _brought_lines(model, artifact)]
    lines += [line for each in left for line in _left_lines(each)]
    lines += [line for model, each in denied for line in _denied_lines(model, each)]
    data: dict[str, Json] = {
        "what": options.what,
        "declared_by": [model.name for model in declared],
        "brought_by": [_brought_data(model, artifact) for model, artifact in brought],
        "left_by": [_left_data(each) for each in left],
        "denied_to": [
            {"model": model.name, "url": each.url, "accepted": each.accepted} for model, each in denied
        ],
    }
    return Report(command="why", data=data, lines=tuple(lines))


def _plain(text: str) -> str:
    """What is compared: a path counts from `.hf_cache` on."""
    _, separator, below = text.rpartition(f"{CACHE_DIR}/")
    return (below if separator else text).casefold()


def _known(lockfile: Lockfile) -> set[str]:
    repos = {model.repo for model in lockfile.models} | {
        artifact.repo for _, artifact in _artifacts(lockfile)
    }
    urls = {str(download.url) for model in lockfile.models for download in model.effects.downloads}
    return {*repos, *urls}


# --- a declared model ---------------------------------------------------------------------------------------


def _declared_lines(model: LockedModel) -> Iterator[Line]:
    asked = model.request.revision or model.request.version
    yield Line(f"{model.repo} is declared as `{model.name}` in models.toml", "title")
    yield Line(f"  asked {asked}, locked {model.commit}")


# --- a repo of the Hub --------------------------------------------------------------------------------------


def _artifacts(lockfile: Lockfile) -> Iterator[tuple[LockedModel, Artifact]]:
    for model in lockfile.models:
        for artifact in model.artifacts:
            yield model, artifact


def _is(artifact: Artifact, wanted: str) -> bool:
    return wanted in {artifact.repo.casefold(), (artifact.canonical or artifact.repo).casefold()}


def _brought_lines(model: LockedModel, artifact: Artifact) -> Iterator[Line]:
    yield Line(f"{artifact.repo} was asked for by the first run of `{model.name}` ({model.repo})", "title")
    if artifact.asked_by:
        yield Line(f"  by {artifact.asked_by}")
    if artifact.when:
        yield Line(f"  at {artifact.when}")
    yield Line(
        f"  asked {artifact.revision}, locked {artifact.commit}, {plural(len(artifact.files), 'file')}"
    )
    for file in artifact.files:
        yield Line(f"    {file.path}", "dim")
    for path in artifact.absent:
        yield Line(f"    {path} (asked for, and not there)", "dim")


def _brought_data(model: LockedModel, artifact: Artifact) -> dict[str, Json]:
    return {
        "model": model.name,
        "repo": artifact.repo,
        "canonical": artifact.canonical,
        "revision": artifact.revision,
        "commit": artifact.commit,
        "asked_by": artifact.asked_by,
        "when": artifact.when,
        "files": [file.path for file in artifact.files],
        "absent": list(artifact.absent),
    }


# --- a file outside of the Hub's cache ----------------------------------------------------------------------


def _left(model: LockedModel) -> Iterator[_Left]:
    effects = model.effects
    places = _places(model)
    for download in effects.downloads:
        paths = tuple(
            str(path) for path in (download.path, *(member.path for member in download.members)) if path
        )
        made = _made(model, str(download.url), str(download.url), paths, download.size_bytes)
        yield replace(made, when=download.when)
    for unpacked in effects.unpacked:
        member = unpacked.member
        origin = f"`{member.name}` of the archive {places.get(unpacked.archive, '(unknown)')}"
        yield _made(model, None, origin, (member.path,), member.size_bytes)
    for copy in effects.copies:
        origin = f"a copy of {places[copy.blake3]}" if copy.blake3 in places else "nothing: it is empty"
        yield _made(model, None, origin, (copy.path,), None)
    for write in effects.writes:
        yield _made(model, None, "the program itself, and you adopted it", (write.path,), write.size_bytes)


def _places(model: LockedModel) -> dict[Blake3, str]:
    """What a person calls each content that an entry brings."""
    places = {download.blake3: str(download.url) for download in model.effects.downloads}
    places |= {member.blake3: f"`{member.name}` of an archive" for _, member in model.effects.members}
    for remote in model.remote_files():
        if remote.file.blake3 is not None:
            places[remote.file.blake3] = f"`{remote.file.path}` of {remote.repo}"
    return places


def _made(
    model: LockedModel, url: str | None, origin: str, paths: tuple[str, ...], size_bytes: int | None
) -> _Left:
    names = frozenset(name.casefold() for name in (*paths, *([url] if url else [])))
    return _Left(model=model, names=names, origin=origin, size_bytes=size_bytes, paths=paths)


def _left_lines(left: _Left) -> Iterator[Line]:
    size = "" if left.size_bytes is None else f", {human_bytes(left.size_bytes)}"
    yield Line(f"the first run of `{left.model.name}` ({left.model.repo}) left this", "title")
    yield Line(f"  from {left.origin}{size}")
    if left.when:
        yield Line(f"  at {left.when}")
    for path in left.paths:
        yield Line(f"    {CACHE_DIR}/{path}", "dim")


def _left_data(left: _Left) -> dict[str, Json]:
    return {
        "model": left.model.name,
        "origin": left.origin,
        "size_bytes": left.size_bytes,
        "when": left.when,
        "paths": [f"{CACHE_DIR}/{path}" for path in left.paths],
    }


# --- what was refused ---------------------------------------------------------------------------------------


def _denied(lockfile: Lockfile) -> Iterator[tuple[LockedModel, Denied]]:
    for model in lockfile.models:
        for each in model.denied:
            yield model, each


def _denied_lines(model: LockedModel, denied: Denied) -> Iterator[Line]:
    yield Line(f"the first run of `{model.name}` ({model.repo}) asked for this, and did not get it", "title")
    accepted = "`accept-denied` in models.toml names it" if denied.accepted else "so it is not proven offline"
    yield Line(f"  {accepted}")
