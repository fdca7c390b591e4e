"""The manifest's values: what `models.toml` says, once it was read.

Owns the shape, and what of it becomes a lock entry's `request`. `manifest_reader` owns the text,
`manifest_edit` its editing, `selection` which models a command is about. Source: formats.md §1.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from mlxlock.spec.first_run import FirstRun
from mlxlock.spec.lockfile import Request
from mlxlock.spec.names import ModelName, RepoId, Revision
from mlxlock.spec.record import RequiredLevel

if TYPE_CHECKING:
    from packaging.markers import Marker

DEFAULT_WORKSPACE: Final = "models"
DEFAULT_REVISION: Final = Revision("main")

Kind = Literal["text", "vision", "stt", "tts", "sts", "vad", "codec", "lid", "music", "embedding"]
KINDS: Final[tuple[Kind, ...]] = (
    "text",
    "vision",
    "stt",
    "tts",
    "sts",
    "vad",
    "codec",
    "lid",
    "music",
    "embedding",
)
"""What a model is for. Closed, since a kind decides which library its first run is made with."""

RemoteCode = Literal["allow", "deny"]
REMOTE_CODE: Final[tuple[RemoteCode, ...]] = ("allow", "deny")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One `[models.<name>]`.

    Attributes:
        revision: As asked, `main` by default; None exactly when `version` is given.
        version: A PEP 440 range over tags.
        include: Patterns of the files wanted; none means all.
        exclude: Patterns of files not wanted.
        groups: Selection only: it comes with `--group` of one of them.
        when: Selection only: the environments it is for.
        kind: As declared; None to have it detected.
        dir: Its directory below the workspace, when that is not the repo's basename.
        remote_code: As declared; None for the policy's.
        first_runs: Those declared; None for the kind's default, `()` for `false`.
        accept_denied: What a first run may be refused, by name, and count as whole all the same.
    """

    name: ModelName
    repo: RepoId
    revision: Revision | None = DEFAULT_REVISION
    version: str | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    when: "Marker | None" = None
    kind: Kind | None = None
    dir: str | None = None
    remote_code: RemoteCode | None = None
    first_runs: tuple[FirstRun, ...] | None = None
    accept_denied: tuple[str, ...] = ()

    @property
    def directory(self) -> str:
        """Its directory below the workspace."""
        return self.dir or self.repo.basename


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """`[workspace]`: where `mlxk sync` builds, relative to the project."""

    path: str = DEFAULT_WORKSPACE


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSpec:
    """`[sandbox]`.

    Attributes:
        require: The level below which no first run is made and no proof counts; None for `partial`, with
            `--no-sandbox` as the way down.
        allow_hosts: Hosts beside the Hub that a first run may fetch from.
        python: The interpreter with the MLX libraries, relative to the project or absolute; None to find it.
    """

    require: RequiredLevel | None = None
    allow_hosts: tuple[str, ...] = ()
    python: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`[policy]`.

    Attributes:
        licenses: The licences that are fine; None for any, or none.
        formats: The formats of weights that are fine; None for any.
        remote_code: Whether code that a repo ships may be executed.
    """

    licenses: tuple[str, ...] | None = None
    formats: tuple[str, ...] | None = None
    remote_code: RemoteCode = "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything `models.toml` says, its models in the file's order.

    Attributes:
        artifacts: `[artifacts."<repo>"]`: what an undeclared download's revision has to mean.
    """

    models: tuple[ModelSpec, ...] = ()
    artifacts: Mapping[RepoId, Revision] = field(default_factory=dict)
    workspace: Workspace = field(default_factory=Workspace)
    sandbox: SandboxSpec = field(default_factory=SandboxSpec)
    policy: Policy = field(default_factory=Policy)

    def model(self, name: str) -> ModelSpec | None:
        """The model of that name."""
        return next((model for model in self.models if model.name == name), None)


def remote_code_of(manifest: Manifest, model: ModelSpec) -> RemoteCode:
    """Whether code that the model's repo ships may be executed: its own word, else the policy's."""
    return model.remote_code or manifest.policy.remote_code


def request_of(manifest: Manifest, model: ModelSpec, artifact_repos: Collection[RepoId] = ()) -> Request:
    """What the manifest asks for when this model is locked.

    Only what differs from the defaults is said, and what has no order is sorted, so that two manifests that
    mean the same make the same request.

    Args:
        manifest: The whole manifest, whose `[artifacts]`, `[sandbox]` and `[policy]` count too.
        model: One of its models.
        artifact_repos: The repos that the model's first runs fetch: pins of others do not apply.
    """
    sandbox = manifest.sandbox
    pins = {repo: revision for repo, revision in sorted(manifest.artifacts.items()) if repo in artifact_repos}
    return Request(
        revision=model.revision,
        version=model.version,
        include=_a_set(model.include),
        exclude=_a_set(model.exclude),
        dir=None if model.dir == model.repo.basename else model.dir,
        kind=model.kind,
        first_runs=model.first_runs,
        remote_code="allow" if remote_code_of(manifest, model) == "allow" else None,
        artifacts=pins,
        allow_hosts=_a_set(sandbox.allow_hosts),
        accept_denied=_a_set(model.accept_denied),
        sandbox_require=sandbox.require,
    )


def _a_set(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(texts)))
