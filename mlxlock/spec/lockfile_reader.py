"""Reads `models.lock` into values: every problem placed, all of them told at once, nothing guessed.

The inverse of `lockfile_writer`. Owns the keys that the lock may have; what must hold between its entries is
`invariants`' business and is checked here on every read, also after a merge.
"""

import re
from collections.abc import Mapping
from typing import Final

from mlxlock.errors import LockfileError, LockNewerError
from mlxlock.spec.digest import Blake3, GitOid, Sha256
from mlxlock.spec.effects_reader import read_effects
from mlxlock.spec.first_run import read_first_runs
from mlxlock.spec.invariants import check_invariants
from mlxlock.spec.lockfile import (
    REVISION,
    Artifact,
    Denied,
    Environment,
    LockedModel,
    Lockfile,
    OfflineLevel,
    Proof,
    Request,
    Snapshot,
)
from mlxlock.spec.names import REPO_TYPES, CommitHash, ModelName, RepoId, RepoPath, Revision
from mlxlock.spec.phases import PHASES
from mlxlock.spec.readers import Problems, Table, load_toml, plain
from mlxlock.spec.record import REQUIRED_LEVELS, Compared, SandboxLevel
from mlxlock.spec.resolution import FileEntry
from mlxlock.spec.upgrades import upgrade

OFFLINE: Final[tuple[OfflineLevel, ...]] = ("proven", "served", "unproven")
COMPARED: Final[tuple[Compared, ...]] = ("output", "none")
LEVELS: Final[tuple[SandboxLevel, ...]] = ("full", "partial", "none")
REMOTE_CODE: Final = ("allow", "deny")
_TREE_DIGEST: Final = re.compile(r"blake3:[0-9a-f]{64}")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


def parse_lockfile(text: str, name: str = "models.lock") -> Lockfile:
    """The lock that a text holds.

    Args:
        text: The whole file.
        name: Its name, for messages.

    Raises:
        LockfileError: Not TOML, merge markers, or anything wrong in it; `details` has one line a problem.
        LockNewerError: A later version, or values that only a later revision can explain; its unknown keys
            are passed over.
        RefClashError: Two entries give one revision of one repo two commits.
    """
    loaded = load_toml(text, name, LockfileError)
    document = upgrade(loaded.raw, name)
    root = Table(document, "", Problems(unknown_pass=_is_newer(document)))
    root.value("version")
    revision = root.integer("revision", minimum=1, required=True) or REVISION
    models = tuple(_model(table) for table in root.tables("model"))
    environments = tuple(_environment(table) for table in root.tables("environment"))
    root.finish()
    if revision > REVISION and root.problems:
        raise LockNewerError(
            f"`{name}` has revision {revision}, and this mlxlock understands {REVISION}",
            hint="upgrade mlxlock",
            details=root.problems.lines(),
        )
    root.problems.raise_as(LockfileError, name)
    lockfile = Lockfile(
        models=tuple(model for model in models if model is not None),
        environments=tuple(environment for environment in environments if environment is not None),
        revision=revision,
    )
    check_invariants(lockfile, name)
    return lockfile


def _is_newer(document: Mapping[str, object]) -> bool:
    """Whether what is unknown in it is what a later mlxlock added."""
    revision = document.get("revision")
    return isinstance(revision, int) and revision > REVISION


def _model(table: Table) -> LockedModel | None:
    name = table.text("name", ModelName, required=True)
    repo = table.text("repo", RepoId, required=True)
    canonical = table.text("canonical", RepoId)
    gated = table.flag("gated") or False
    request = _request(table.table("request", required=True))
    tag = table.text("tag", Revision)
    commit = table.text("commit", CommitHash, required=True)
    trusts_remote_code = table.flag("trusts-remote-code") or False
    snapshot = _snapshot(table.table("snapshot", required=True))
    proofs = tuple(_proof(row) for row in table.tables("proofs"))
    files = tuple(_file(row) for row in table.tables("files"))
    artifacts = tuple(_artifact(row) for row in table.tables("artifact"))
    effects = read_effects(table)
    denied = tuple(_denied(row) for row in table.tables("denied"))
    table.finish()
    if name is None or repo is None or request is None or commit is None or snapshot is None:
        return None
    return LockedModel(
        name=name,
        repo=repo,
        canonical=canonical,
        gated=gated,
        request=request,
        revision=tag,
        commit=commit,
        trusts_remote_code=trusts_remote_code,
        snapshot=snapshot,
        proofs=tuple(proof for proof in proofs if proof is not None),
        files=tuple(file for file in files if file is not None),
        artifacts=tuple(artifact for artifact in artifacts if artifact is not None),
        effects=effects,
        denied=tuple(entry for entry in denied if entry is not None),
    )


def _request(table: Table | None) -> Request | None:
    if table is None:
        return None
    request = Request(
        revision=table.text("revision", Revision),
        version=table.text("version", plain),
        include=table.texts("include", plain),
        exclude=table.texts("exclude", plain),
        dir=table.text("dir", _directory),
        kind=table.text("kind", plain),
        first_runs=read_first_runs(table),
        remote_code=table.choice("remote-code", REMOTE_CODE),
        artifacts=table.mapping("artifacts", RepoId, Revision),
        allow_hosts=table.texts("allow-hosts", plain),
        accept_denied=table.texts("accept-denied", plain),
        sandbox_require=table.choice("sandbox", REQUIRED_LEVELS),
    )
    if (request.revision is None) == (request.version is None):
        table.problem(None, "expected either `revision` or `version`")
    table.finish()
    return request


def _directory(text: str) -> str:
    path = RepoPath(text)
    if "/" in path:
        raise ValueError(f"{text!r} is not one directory name")
    return path


def _snapshot(table: Table | None) -> Snapshot | None:
    if table is None:
        return None
    date = table.text("date", lambda text: _matching(_DAY, text, "a day such as 2026-02-03"))
    license_id = table.text("license", plain)
    size_bytes = table.integer("size", required=True)
    digest = table.text("digest", lambda text: _matching(_TREE_DIGEST, text, "`blake3:` and 64 hex digits"))
    table.finish()
    if size_bytes is None:
        return None
    return Snapshot(size_bytes=size_bytes, date=date, license=license_id, digest=digest)


def _matching(pattern: re.Pattern[str], text: str, what: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(f"expected {what}, got {text!r}")
    return text


def _proof(table: Table) -> Proof | None:
    environment = table.text("environment", plain, required=True)
    first_run = table.text("first-run", plain, required=True)
    sandbox = table.choice("sandbox", LEVELS, required=True)
    offline = table.choice("offline", OFFLINE, required=True)
    compared = table.choice("compared", COMPARED, required=True)
    table.finish()
    if environment is None or first_run is None or sandbox is None or offline is None or compared is None:
        return None
    return Proof(
        environment=environment,
        first_run=first_run,
        sandbox=sandbox,
        offline=offline,
        compared=compared,
    )


def _file(table: Table) -> FileEntry | None:
    path = table.text("path", RepoPath, required=True)
    size_bytes = table.integer("size", required=True)
    git = table.text("git", GitOid)
    sha256 = table.text("sha256", Sha256)
    blake3 = table.text("blake3", Blake3)
    if git is None and sha256 is None and not (table.has("git") or table.has("sha256")):
        table.problem(None, "has neither `git` nor `sha256`")
    if blake3 is not None and sha256 is None:
        table.problem(None, "has `blake3` but no `sha256`")
    table.finish()
    if path is None or size_bytes is None:
        return None
    return FileEntry(path=path, size_bytes=size_bytes, git=git, sha256=sha256, blake3=blake3)


def _artifact(table: Table) -> Artifact | None:
    repo = table.text("repo", RepoId, required=True)
    revision = table.text("revision", Revision, required=True)
    commit = table.text("commit", CommitHash, required=True)
    canonical = table.text("canonical", RepoId)
    repo_type = table.choice("type", REPO_TYPES) or "model"
    gated = table.flag("gated") or False
    asked_by = table.text("asked-by", plain)
    when = table.choice("when", PHASES)
    trusts_remote_code = table.flag("trusts-remote-code") or False
    license_id = table.text("license", plain)
    absent = table.texts("absent", RepoPath)
    files = tuple(_file(row) for row in table.tables("files"))
    table.finish()
    if repo is None or revision is None or commit is None:
        return None
    return Artifact(
        repo=repo,
        revision=revision,
        commit=commit,
        canonical=canonical,
        repo_type=repo_type,
        gated=gated,
        asked_by=asked_by,
        when=when,
        trusts_remote_code=trusts_remote_code,
        license=license_id,
        absent=absent,
        files=tuple(file for file in files if file is not None),
    )


def _denied(table: Table) -> Denied | None:
    url = table.text("url", plain, required=True)
    accepted = table.flag("accepted") or False
    asked_by = table.text("asked-by", plain)
    when = table.choice("when", PHASES)
    table.finish()
    return None if url is None else Denied(url=url, accepted=accepted, asked_by=asked_by, when=when)


def _environment(table: Table) -> Environment | None:
    recorded = table.text("id", plain, required=True)
    platform = table.text("platform", plain, required=True)
    python = table.text("python", plain, required=True)
    packages = table.mapping("packages", plain, plain)
    table.finish()
    if platform is None or python is None:
        return None
    environment = Environment(platform=platform, python=python, packages=packages)
    if recorded is not None and recorded != environment.id:
        table.problem("id", f"expected `{environment.id}`, which follows from the content")
    return environment
