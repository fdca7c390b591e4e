"""`mlxk why WHAT`: why the lock holds something: which model and code asked, when, for what, and what came.

Answers for whatever a lock names: a repo, a model, a file of either, a URL, a file below `.hf_cache` (also in
the Hub's own cache), a refused request.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from mlxlock.errors import UsageError
from mlxlock.planning.layout import CACHE_DIR
from mlxlock.planning.named import Named, as_path, is_place, of_artifact, of_model, plain
from mlxlock.spec.digest import Blake3
from mlxlock.spec.effects import Download
from mlxlock.spec.lockfile import Artifact, Denied, LockedModel, Lockfile
from mlxlock.spec.phases import Phase
from mlxlock.spec.readers import did_you_mean
from mlxlock.spec.resolution import FileEntry
from mlxlock.spec.toml_text import shown
from mlxlock.steps.project import Project, read_lockfile
from mlxlock.steps.report import Json, Line, Report, human_bytes, plural


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyOptions:
    """What `mlxk why` is about: a repo, a model's name, a file of either, a URL, a path in a workspace."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """What brought a content.

    Attributes:
        text: As a person calls it.
        asked_by: Who asked for it, where that is known.
        when: When, where that is known.
        commit: Which revision was asked and which commit came, of the Hub's.
    """

    text: str
    asked_by: str | None = None
    when: Phase | None = None
    commit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """Something that a first run left below `.hf_cache`, outside of the Hub's cache.

    Attributes:
        url: Of a download.
        source: Where it came from.
    """

    model: LockedModel
    source: _Source
    url: str | None = None
    size_bytes: int | None = None
    paths: tuple[str, ...] = ()


def why(project: Project, options: WhyOptions) -> Report:
    """Find everyone who needs it.

    Raises:
        UsageError: Nobody does.
    """
    lockfile = read_lockfile(project)
    wanted, path = plain(options.what), as_path(options.what)
    declared = [(model, named) for model in lockfile.models if (named := of_model(model, path))]
    brought = [
        (model, artifact, named)
        for model, artifact in _artifacts(lockfile)
        if (named := of_artifact(artifact, path))
    ]
    left = [
        each
        for model in lockfile.models
        for each in _left(model)
        if (each.url or "").casefold() == wanted or is_place(each.paths, path)
    ]
    denied = [(model, each) for model, each in _denied(lockfile) if plain(each.url) == wanted]
    if not (declared or brought or left or denied):
        near = did_you_mean(options.what, _known(lockfile))
        raise UsageError(
            f"`models.lock` has no `{shown(options.what)}`{near}", hint="see `mlxk tree --files`"
        )
    lines = [line for model, named in declared for line in _declared_lines(model, named)]
    lines += [line for each in brought for line in _brought_lines(*each)]
    lines += [line for each in left for line in _left_lines(each)]
    lines += [line for model, each in denied for line in _denied_lines(model, each)]
    data: dict[str, Json] = {
        "what": options.what,
        "declared_by": [model.name for model, _ in declared],
        "brought_by": [_brought_data(*each) for each in brought],
        "left_by": [_left_data(each) for each in left],
        "denied_to": [_denied_data(model, each) for model, each in denied],
    }
    return Report(command="why", data=data, lines=tuple(lines))


def _known(lockfile: Lockfile) -> set[str]:
    repos = {model.repo for model in lockfile.models} | {
        artifact.repo for _, artifact in _artifacts(lockfile)
    }
    urls = {str(download.url) for model in lockfile.models for download in model.effects.downloads}
    return {*repos, *urls}


# --- a declared model ---------------------------------------------------------------------------------------


def _declared_lines(model: LockedModel, named: Named) -> Iterator[Line]:
    asked = model.request.revision or model.request.version
    yield Line(f"{model.repo} is declared as `{model.name}` in models.toml", "title")
    yield Line(f"  asked {asked}, locked {model.commit}")
    if not named.whole:
        yield from (Line(f"    {path}", "dim") for path in named.files)


# --- a repo of the Hub --------------------------------------------------------------------------------------


def _artifacts(lockfile: Lockfile) -> Iterator[tuple[LockedModel, Artifact]]:
    for model in lockfile.models:
        for artifact in model.artifacts:
            yield model, artifact


def _brought_lines(model: LockedModel, artifact: Artifact, named: Named) -> Iterator[Line]:
    yield Line(f"{artifact.repo} was asked for by the first run of `{model.name}` ({model.repo})", "title")
    yield from _asked_lines(artifact.asked_by, artifact.when)
    yield Line(
        f"  asked {artifact.revision}, locked {artifact.commit}, {plural(len(artifact.files), 'file')}"
    )
    for path in named.files:
        yield Line(f"    {path}", "dim")
    for path in named.absent:
        yield Line(f"    {path} (asked for, and not there)", "dim")


def _asked_lines(asked_by: str | None, when: Phase | None) -> Iterator[Line]:
    if asked_by:
        yield Line(f"  by {asked_by}")
    if when:
        yield Line(f"  at {when}")


def _brought_data(model: LockedModel, artifact: Artifact, named: Named) -> dict[str, Json]:
    return {
        "model": model.name,
        "repo": artifact.repo,
        "canonical": artifact.canonical,
        "revision": artifact.revision,
        "commit": artifact.commit,
        "asked_by": artifact.asked_by,
        "when": artifact.when,
        "files": list(named.files),
        "absent": list(named.absent),
    }


# --- a file outside of the Hub's cache ----------------------------------------------------------------------


def _left(model: LockedModel) -> Iterator[_Left]:
    effects = model.effects
    sources = _sources(model)
    for download in effects.downloads:
        kept = (download.path, *(member.path for member in download.members))
        yield _Left(
            model=model,
            source=_of_url(download),
            url=str(download.url),
            size_bytes=download.size_bytes,
            paths=tuple(str(path) for path in kept if path),
        )
    for unpacked in effects.unpacked:
        member = unpacked.member
        archive = sources.get(unpacked.archive, _Source(text="(unknown)"))
        source = replace(archive, text=f"`{member.name}` of the archive {archive.text}")
        yield _Left(model=model, source=source, size_bytes=member.size_bytes, paths=(member.path,))
    for copy in effects.copies:
        original = sources.get(copy.blake3)
        source = replace(original, text=f"a copy of {original.text}") if original else _EMPTY
        yield _Left(model=model, source=source, paths=(copy.path,))
    for write in effects.writes:
        yield _Left(model=model, source=_MADE, size_bytes=write.size_bytes, paths=(write.path,))


_EMPTY = _Source(text="nothing: it is empty")
_MADE = _Source(text="the program itself, and you adopted it")


def _sources(model: LockedModel) -> dict[Blake3, _Source]:
    """What brings each content of an entry."""
    sources = {download.blake3: _of_url(download) for download in model.effects.downloads}
    for archive, member in model.effects.members:
        known = sources.get(archive, _Source(text=""))
        sources.setdefault(member.blake3, replace(known, text=f"`{member.name}` of an archive"))
    asked = str(model.request.revision or model.request.version)
    _add_files(sources, model.files, _Source(text=model.repo, commit=f"asked {asked}, locked {model.commit}"))
    for artifact in model.artifacts:
        commit = f"asked {artifact.revision}, locked {artifact.commit}"
        by, when = artifact.asked_by, artifact.when
        repo = _Source(text=artifact.repo, asked_by=by, when=when, commit=commit)
        _add_files(sources, artifact.files, repo)
    return sources


def _of_url(download: Download) -> _Source:
    return _Source(text=str(download.url), asked_by=download.asked_by, when=download.when)


def _add_files(sources: dict[Blake3, _Source], files: Iterable[FileEntry], repo: _Source) -> None:
    for file in files:
        if file.blake3 is not None:
            sources[file.blake3] = replace(repo, text=f"`{file.path}` of {repo.text}")


def _left_lines(left: _Left) -> Iterator[Line]:
    size = "" if left.size_bytes is None else f", {human_bytes(left.size_bytes)}"
    yield Line(f"the first run of `{left.model.name}` ({left.model.repo}) left this", "title")
    yield Line(f"  from {left.source.text}{size}")
    yield from _asked_lines(left.source.asked_by, left.source.when)
    if left.source.commit:
        yield Line(f"  {left.source.commit}")
    for path in left.paths:
        yield Line(f"    {CACHE_DIR}/{path}", "dim")


def _left_data(left: _Left) -> dict[str, Json]:
    return {
        "model": left.model.name,
        "origin": left.source.text,
        "size_bytes": left.size_bytes,
        "asked_by": left.source.asked_by,
        "when": left.source.when,
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
    yield from _asked_lines(denied.asked_by, denied.when)


def _denied_data(model: LockedModel, denied: Denied) -> dict[str, Json]:
    return {
        "model": model.name,
        "url": denied.url,
        "accepted": denied.accepted,
        "asked_by": denied.asked_by,
        "when": denied.when,
    }
