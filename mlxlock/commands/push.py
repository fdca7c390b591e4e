"""`mlxk push DIR REPO`: a workspace becomes a commit on the Hub: what is not here is removed there.

Owns what never leaves this machine: the sentinel, caches, git's own files, and anything that holds a token.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from mlxlock.errors import PolicyError, RepoNotFoundError, UsageError
from mlxlock.fs import CHUNK_BYTES, disk_errors, hash_file
from mlxlock.ports import Edit, LocalModel, Ports, Published, Publisher
from mlxlock.spec.model_facts import ModelFile
from mlxlock.spec.names import RepoId, RepoPath, Revision
from mlxlock.spec.resolution import FileEntry
from mlxlock.spec.sentinel import is_hashed
from mlxlock.spec.toml_text import shown
from mlxlock.spec.weights import weight_format
from mlxlock.steps.locate import locate
from mlxlock.steps.project import Project
from mlxlock.steps.report import Json, Line, Report, human_bytes, plural

_SECRET_NAMES: Final = (
    *("token", "*.token", "stored_tokens", ".env", ".env.*"),
    *(".netrc", ".git-credentials", ".pypirc", "*.pem", "*.key", "id_rsa*", "id_ed25519*", "id_ecdsa*"),
)
_SECRET_FOLDERS: Final = frozenset({".cache", ".venv", ".ssh", ".aws"})
_TOKEN: Final = re.compile(rb"\bhf_[A-Za-z0-9]{30,}\b|\bapi_org_[A-Za-z0-9]{30,}\b")
_LONGEST_TOKEN: Final = 128
_SMALL_BYTES: Final = 4 << 20
"""Weights larger than this are not searched for tokens; everything else is, whatever its size."""
_KEPT_THERE: Final = ".gitattributes"
"""The Hub makes one for every repo: it is never removed for not being here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushOptions:
    """What `mlxk push` was asked for.

    Attributes:
        model: The path or name of a workspace.
        private: Go on only when the repo is private; make it so with `create`.
        create: Make the repo when there is none.
    """

    model: str
    repo: str
    branch: str = "main"
    message: str | None = None
    private: bool = False
    create: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Difference:
    """What a push does to the repo."""

    added: tuple[RepoPath, ...]
    changed: tuple[RepoPath, ...]
    removed: tuple[RepoPath, ...]
    upload_bytes: int

    @property
    def empty(self) -> bool:
        return not (self.added or self.changed or self.removed)


def push(ports: Ports, project: Project | None, options: PushOptions) -> Report:
    """Compare by hashes, upload what differs, commit once on what was looked at.

    Raises:
        UsageError: No workspace, no repo id, or a file that cannot be pushed.
        PolicyError: The repo is public and `--private` was asked for, or a file holds a token.
        HubError: And its children; nothing was committed.
    """
    repo, branch = _target(options)
    model = locate(options.model, ports, project)
    if model.where == "cache":
        raise UsageError(f"`{model.name}` is in the cache", hint="push a workspace: `mlxk clone` makes one")
    files = _files(model, ports)
    publisher = ports.publisher()
    there = _looked_at(publisher, repo, branch, options)
    difference = _difference(files, model, there)
    if options.dry_run or difference.empty:
        return _report(repo, branch, there, difference, options, commit=None)
    if there is None:
        publisher.create(repo, private=options.private)
        there = publisher.look(repo, branch)
    _refuse_public(repo, publisher.look(repo, branch), options)  # once more: it may have been opened since
    put = {path: model.directory / path for path in (*difference.added, *difference.changed)}
    message = options.message or f"Push {plural(len(put), 'file')} with mlxk"
    edit = Edit(branch=branch, parent=there.commit, put=put, removed=difference.removed, message=message)
    return _report(repo, branch, there, difference, options, commit=publisher.commit(repo, edit))


def _target(options: PushOptions) -> tuple[RepoId, Revision]:
    try:
        return RepoId(options.repo), Revision(options.branch)
    except ValueError as error:
        raise UsageError(shown(str(error)), hint="write `mlxk push DIR org/name`") from error


# --- what is here -------------------------------------------------------------------------------------------


def _files(model: LocalModel, ports: Ports) -> Mapping[RepoPath, int]:
    """What would be pushed, with its length.

    Raises:
        UsageError: A file that is no file; nothing at all.
        PolicyError: A file holds a token.
    """
    files = [file for file in ports.library().files(model) if _may_leave(file.path)]
    for file in files:
        if file.problem is not None:
            raise UsageError(f"`{model.directory / file.path}` is {file.problem}", hint="move it away")
        if _is_searched(file) and _holds_token(model.directory / file.path):
            reason = f"`{model.directory / file.path}` holds a Hugging Face token; nothing was pushed"
            raise PolicyError(reason, hint="remove it there, and revoke it if anybody else has seen it")
    if not files:
        raise UsageError(f"`{model.directory}` has nothing to push")
    return {RepoPath(file.path): file.size_bytes for file in files}


def _is_searched(file: ModelFile) -> bool:
    return file.size_bytes <= _SMALL_BYTES or weight_format(RepoPath(file.path)) is None


def _holds_token(path: Path) -> bool:
    tail = b""
    with disk_errors(path, doing="read"), path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            if _TOKEN.search(tail + chunk):
                return True
            tail = (tail + chunk)[-_LONGEST_TOKEN:]
    return False


def _may_leave(path: str) -> bool:
    *folders, name = path.split("/")
    secret = any(fnmatchcase(name.lower(), pattern) for pattern in _SECRET_NAMES)
    return is_hashed(path) and not secret and not _SECRET_FOLDERS.intersection(folders)


# --- what is there ------------------------------------------------------------------------------------------


def _looked_at(
    publisher: Publisher, repo: RepoId, branch: Revision, options: PushOptions
) -> Published | None:
    """The repo, or None when it is to be made."""
    try:
        there = publisher.look(repo, branch)
    except RepoNotFoundError as error:
        if options.create:
            return None
        error.hint = "add `--create` to make it, with `--private` to keep it private"
        raise
    _refuse_public(repo, there, options)
    return there


def _refuse_public(repo: RepoId, there: Published, options: PushOptions) -> None:
    if options.private and not there.private:
        reason = f"`{repo}` is public, and `--private` was asked for; nothing was pushed"
        raise PolicyError(reason, hint="make it private in its settings, or push without `--private`")


def _difference(files: Mapping[RepoPath, int], model: LocalModel, there: Published | None) -> _Difference:
    known = {} if there is None else {file.path: file for file in there.files}
    added = tuple(path for path in files if path not in known)
    changed = tuple(path for path in files if path in known and not _same(model, path, known[path]))
    removed = tuple(path for path in known if path not in files and path != _KEPT_THERE)
    upload_bytes = sum(files[path] for path in (*added, *changed))
    return _Difference(added=added, changed=changed, removed=removed, upload_bytes=upload_bytes)


def _same(model: LocalModel, path: RepoPath, file: FileEntry) -> bool:
    seen = hash_file(model.directory / path, ("git",) if file.git else ("sha256",))
    return (seen.git or seen.sha256) == file.etag


# --- what to say --------------------------------------------------------------------------------------------


def _report(
    repo: RepoId,
    branch: Revision,
    there: Published | None,
    difference: _Difference,
    options: PushOptions,
    *,
    commit: str | None,
) -> Report:
    data: dict[str, Json] = {
        "repo": repo,
        "branch": branch,
        "private": options.private if there is None else there.private,
        "created": there is None,
        "dry_run": options.dry_run,
        "changed": commit is not None,
        "commit": commit or (None if there is None else there.commit),
        "added": list(difference.added),
        "modified": list(difference.changed),
        "removed": list(difference.removed),
        "upload_bytes": difference.upload_bytes,
    }
    return Report(command="push", data=data, lines=tuple(_lines(repo, difference, commit)))


def _lines(repo: RepoId, difference: _Difference, commit: str | None) -> Iterator[Line]:
    if difference.empty:
        yield Line(f"`{repo}` has every byte of it already, nothing to do", "good")
        return
    for sign, paths in (("+", difference.added), ("~", difference.changed), ("-", difference.removed)):
        yield from (Line(f"{sign} {path}") for path in paths)
    size = human_bytes(difference.upload_bytes)
    counts = (
        f"{len(difference.added)} added, {len(difference.changed)} changed, {len(difference.removed)} removed"
    )
    if commit is None:
        yield Line(f"would push {counts} ({size}) to `{repo}`")
    else:
        yield Line(f"pushed to `{repo}` as {commit}: {counts} ({size})", "good")
