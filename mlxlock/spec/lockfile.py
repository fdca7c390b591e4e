"""The lockfile's values: what `models.lock` says, once it was read.

Owns the shape only: `lockfile_reader` and `lockfile_writer` own the text, `invariants` what must hold between
entries. Source: formats.md §2.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from mlxlock.spec.digest import Blake3, short_id
from mlxlock.spec.effects import NO_EFFECTS, Effects
from mlxlock.spec.first_run import FirstRun
from mlxlock.spec.names import CommitHash, ModelName, RepoId, RepoPath, RepoType, Revision
from mlxlock.spec.phases import Phase
from mlxlock.spec.record import Compared, RequiredLevel, RunnerEnvironment, SandboxLevel
from mlxlock.spec.resolution import FileEntry, RemoteFile

VERSION: Final = 1
REVISION: Final = 1

OfflineLevel = Literal["proven", "served", "unproven"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the manifest asked for when the entry was locked: staleness is a difference from this.

    Attributes:
        revision: As asked; None when `version` was.
        version: A PEP 440 range over tags; None when `revision` was.
        first_runs: Those declared; None for the kind's default, `()` for `false`.
        artifacts: Pins of `[artifacts]` that apply to this model.
    """

    revision: Revision | None = None
    version: str | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    dir: str | None = None
    kind: str | None = None
    first_runs: tuple[FirstRun, ...] | None = None
    remote_code: str | None = None
    artifacts: Mapping[RepoId, Revision] = field(default_factory=dict)
    allow_hosts: tuple[str, ...] = ()
    accept_denied: tuple[str, ...] = ()
    sandbox_require: RequiredLevel | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One first run under one environment, and what is known of it without a network."""

    environment: str
    first_run: str
    sandbox: SandboxLevel
    offline: OfflineLevel
    compared: Compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A repo, or part of one, that a first run fetched.

    Attributes:
        revision: As asked: it becomes `refs/<revision>`, unless it is the commit itself.
        asked_by: `module:qualname`, advisory.
        when: The phase of the first run that asked first.
        trusts_remote_code: Whether Python code of it was fetched, and so may be executed.
        license: The licence id of its card, or None.
        absent: Paths asked for that the commit does not have.
    """

    repo: RepoId
    revision: Revision
    commit: CommitHash
    files: tuple[FileEntry, ...]
    repo_type: RepoType = "model"
    canonical: RepoId | None = None
    gated: bool = False
    asked_by: str | None = None
    when: Phase | None = None
    trusts_remote_code: bool = False
    license: str | None = None
    absent: tuple[RepoPath, ...] = ()

    def remote_files(self) -> Iterator[RemoteFile]:
        """Each file where the Hub has it."""
        for file in self.files:
            yield RemoteFile(repo=self.repo, repo_type=self.repo_type, commit=self.commit, file=file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """Something a first run asked for and did not get.

    Attributes:
        url: `https://…` outside the Hub; `hf://org/name/path` on it, with `datasets/` or `spaces/` before the
            repo of that type; `/path` for what is no repo's; `tcp://host:port` for an address that was tried
            past the proxy, or sent something.
        accepted: Whether the manifest names it in `accept-denied`.
        asked_by: `module:qualname`, advisory.
        when: The phase of the first run that asked.
    """

    url: str
    accepted: bool = False
    asked_by: str | None = None
    when: Phase | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a person wants to know of a commit without reading its files.

    Attributes:
        size_bytes: The sum over all locked files.
        digest: `blake3:…` over the tree; None while a file was not seen.
    """

    size_bytes: int
    date: str | None = None
    license: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedModel:
    """All that one model needs, its artifacts included.

    Attributes:
        trusts_remote_code: Whether its own `.py` files are executed, which the manifest then allowed.
    """

    name: ModelName
    repo: RepoId
    request: Request
    commit: CommitHash
    snapshot: Snapshot
    files: tuple[FileEntry, ...]
    canonical: RepoId | None = None
    gated: bool = False
    revision: Revision | None = None
    trusts_remote_code: bool = False
    proofs: tuple[Proof, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    effects: Effects = NO_EFFECTS
    denied: tuple[Denied, ...] = ()

    @property
    def directory(self) -> str:
        """Its directory in the workspace."""
        return self.request.dir or self.repo.basename

    @property
    def resolved_revision(self) -> Revision:
        """The revision that means `commit`: as asked, or the tag that the version range chose."""
        return self.revision or self.request.revision or Revision("main")

    def remote_files(self) -> Iterator[RemoteFile]:
        """Each file where the Hub has it, artifacts included."""
        for file in self.files:
            yield RemoteFile(repo=self.repo, commit=self.commit, file=file)
        for artifact in self.artifacts:
            yield from artifact.remote_files()

    def contents(self) -> dict[Blake3, FileEntry]:
        """Each content that this entry can bring, by its BLAKE3: of the Hub, of URLs, out of archives."""
        found = [remote.file for remote in self.remote_files()]
        found += [download.file for download in self.effects.downloads]
        found += [member.file for _, member in self.effects.members]
        return {file.blake3: file for file in found if file.blake3 is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What first runs ran with. The id follows from the content."""

    platform: str
    python: str
    packages: Mapping[str, str]

    @property
    def id(self) -> str:
        """Eight hex digits."""
        packages = (f"{name}=={version}" for name, version in sorted(self.packages.items()))
        return short_id([self.platform, self.python, *packages])

    @classmethod
    def of(cls, runner: RunnerEnvironment) -> "Environment":
        """The entry for an interpreter that ran something."""
        return cls(platform=runner.platform, python=runner.python, packages=dict(runner.packages))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lockfile:
    """Everything `models.lock` holds, in its order: models by name, environments by id."""

    models: tuple[LockedModel, ...] = ()
    environments: tuple[Environment, ...] = ()
    revision: int = REVISION

    def model(self, name: str) -> LockedModel | None:
        """The entry of that name."""
        return next((model for model in self.models if model.name == name), None)
