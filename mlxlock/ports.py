"""The seams between what is decided and what is done: Protocols and the values that cross them.

`Source` is the Hub (or its refusal), `BlobStore` the blobs of a user, `Workspace` one built tree,
`Sandbox` a place to run the code of strangers, `Mirror` the loopback Hub that records. Fakes are held to
the same contract suites as the real adapters (`tests/contracts`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:  # whoever shows progress needs none of these, and `--help` neither
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path
    from socket import socket

    from mlxlock.errors import MlxlockError
    from mlxlock.outside import Archives, Egress, Proxy, Web
    from mlxlock.planning.attribution import Expected
    from mlxlock.planning.layout import Tree
    from mlxlock.planning.plan import Inventory, Plan
    from mlxlock.spec.digest import Blake3, Sha256
    from mlxlock.spec.effects import Download
    from mlxlock.spec.model_facts import ModelFacts, ModelFile
    from mlxlock.spec.names import CommitHash, RepoId, RepoPath, RepoType, Revision
    from mlxlock.spec.record import CachedRepo, Exchange, Left, Pin, RunnerEnvironment, SandboxLevel
    from mlxlock.spec.resolution import FileEntry, RemoteFile, Resolution
    from mlxlock.spec.sentinel import Sentinel
    from mlxlock.spec.sentinel_reader import SeenSentinel
    from mlxlock.spec.urls import Url

# --- progress -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """Work of a known size began.

    Attributes:
        label: What a person calls it.
        total: Units to do: bytes when `unit` is `B`.
    """

    task: str
    label: str
    total: int
    unit: Literal["B", "files"] = "B"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """Some of it was done. Negative after a restart from zero."""

    task: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """All of it was done."""

    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something a person should see once: a step, a warning.

    Attributes:
        text: One line, already free of control characters.
        level: `step` for what happens now, `warning` for what may surprise, `detail` for `-v`.
    """

    text: str
    level: Literal["step", "warning", "detail"] = "step"


Event = Started | Advanced | Finished | Note
OnEvent = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """An `OnEvent` for callers that show nothing."""


# --- the Hub ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which commit of a repo someone wants: a revision, or the newest tag in a PEP 440 range."""

    repo: RepoId
    revision: Revision | None = None
    version: str | None = None
    repo_type: RepoType = "model"


class Source(Protocol):
    """Where commits and bytes come from."""

    def resolve(self, wanted: Wanted) -> Resolution:
        """Find the commit and list its files with their hashes, without mixing commits.

        Raises:
            HubError: And its children, for every way in which the Hub may refuse.
        """
        ...

    def fetch(self, files: Sequence[RemoteFile], store: BlobStore, on_event: OnEvent = ignore) -> None:
        """Bring every file into the store, hashed as it arrives and compared before it gets a name.

        Files the store already has cost nothing. Interrupted ones continue.

        Raises:
            MismatchError: Bytes differ from what the Hub or the lock asserts.
            HubError: And its children.
            DiskError: The store's disk refuses.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A repo as it is on the Hub now, for whoever wants to change it.

    Attributes:
        commit: The head of the branch.
    """

    private: bool
    commit: CommitHash
    files: tuple[FileEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One commit to make.

    Attributes:
        parent: What the branch must still be at.
        put: Files to add or replace.
        removed: Files to remove.
        message: Its first line.
    """

    branch: Revision
    parent: CommitHash
    put: Mapping[RepoPath, Path]
    removed: tuple[RepoPath, ...]
    message: str


class Publisher(Protocol):
    """The Hub for whoever may write to it."""

    def look(self, repo: RepoId, branch: Revision) -> Published:
        """What is there.

        Raises:
            RepoNotFoundError: No such repo, or not for this user.
            RevisionNotFoundError: No such branch.
            HubError: And its other children.
        """
        ...

    def create(self, repo: RepoId, *, private: bool) -> None:
        """Make a repo.

        Raises:
            HubError: And its children.
        """
        ...

    def commit(self, repo: RepoId, edit: Edit) -> CommitHash:
        """Upload and commit, unless the branch has moved.

        Raises:
            HubError: And its children; nothing was committed.
        """
        ...


# --- the store ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """Bytes that the store holds and has hashed itself.

    Attributes:
        path: Where they are; mode 0444, never to be written.
    """

    blake3: Blake3
    sha256: Sha256
    size_bytes: int
    path: Path


class Deposit(Protocol):
    """One blob on its way into the store: bytes in order, hashed as they come."""

    @property
    def offset(self) -> int:
        """How many bytes are already there (from an interrupted run), and hashed."""
        ...

    @property
    def path(self) -> Path:
        """Where the first `offset` bytes can be read, by whoever opens it before `commit`."""
        ...

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append bytes.

        Raises:
            MismatchError: More bytes than the expected size.
            DiskError: The disk refuses.
        """
        ...

    def restart(self) -> None:
        """Forget what is there and begin at zero."""
        ...

    def verify(self) -> None:
        """Compare size and every asserted hash with what was written.

        Raises:
            MismatchError: Something differs; the bytes are gone, so that the next try starts clean.
        """
        ...

    def commit(self) -> Blob:
        """Compare as `verify` does, then give the blob its name. The deposit is spent.

        Raises:
            MismatchError: Something differs; the bytes are gone, so that the next try starts clean.
        """
        ...


class Intake(Protocol):
    """Bytes on their way into the store whose identity nobody knows yet."""

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append bytes.

        Raises:
            DiskError: The disk refuses.
        """
        ...

    def commit(self) -> Blob:
        """Give the bytes the name that follows from them. The intake is spent."""
        ...


class BlobStore(Protocol):
    """Content-addressed bytes, shared by all projects of a user."""

    def find(self, file: FileEntry) -> Blob | None:
        """The blob with this identity (blake3, else sha256, else git id), if its bytes did not change."""
        ...

    def deposit(self, file: FileEntry) -> AbstractContextManager[Deposit]:
        """Open the one deposit for this identity; a second process waits.

        Leaving early keeps the bytes, so that the next deposit resumes.

        Raises:
            DiskError: The disk refuses.
            BusyError: Another process does not let go.
        """
        ...

    def adopt(self, files: Sequence[RemoteFile], on_event: OnEvent = ignore) -> tuple[RemoteFile, ...]:
        """Take what the user's Hugging Face cache already has, verified; return what is still missing."""
        ...


class IntakeStore(BlobStore, Protocol):
    """A store that also takes bytes of which nobody promised anything: what is fetched for the first time."""

    def intake(self) -> AbstractContextManager[Intake]:
        """Open a place for them; left without `commit`, they are gone.

        Raises:
            DiskError: The disk refuses.
        """
        ...


class SharedStore(IntakeStore, Protocol):
    """The store as all projects of a user share it: it knows whose blobs must stay."""

    def register(self, lockfile: Path) -> None:
        """Remember that a lockfile uses this store, so that what it names stays; once is enough.

        Raises:
            DiskError: The disk refuses.
        """
        ...


# --- the workspace ------------------------------------------------------------------------------------------

LinkMode = Literal["auto", "clone", "hardlink", "copy"]


class Workspace(Protocol):
    """One built tree on disk."""

    @property
    def root(self) -> Path:
        """The directory that holds the models and `.hf_cache`."""
        ...

    def scan(self, tree: Tree, *, content: bool = False) -> Inventory:
        """What is there, of all that `tree` names and of all that an earlier sync left.

        Args:
            tree: What should be there.
            content: Read and hash every byte, even where a stat says nothing changed.

        Raises:
            DiskError: A directory cannot be read.
        """
        ...

    def apply(self, plan: Plan, store: BlobStore, on_event: OnEvent = ignore) -> None:
        """Carry out a plan: stage, verify, swap; refs last, then the sentinels.

        Raises:
            DiskError: Not enough space (computed before the first byte), read-only, not permitted.
            OfflineMissingError: The store lost a blob since the plan was made.
            MismatchError: A blob is no longer what it was.
            DriftError: A path is no longer as this workspace's last scan saw it.
            BusyError: Another process builds this workspace, and does not end.
        """
        ...


# --- the models on this machine -----------------------------------------------------------------------------

Where = Literal["lock", "workspace", "cache"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel:
    """A model that is somewhere on this machine.

    Attributes:
        where: `lock` for one that the project's lock names (its directory may not be built yet),
            `workspace` for a directory of its own, `cache` for a snapshot in a Hugging Face cache.
        directory: Its files, absolute; never resolved, so that it is shown as it was named.
        name: What a listing calls it: its name in the manifest, its directory, its repo in a cache.
        repo: The repo it came from, where that is known.
        revision: The commit, where that is known.
        refs: The revisions that mean this commit here, in a cache and in a lock.
        sentinel: What `.mlxk_workspace.json` says; None without one, or with a broken one.
        sentinel_problem: Why its sentinel cannot be read.
    """

    where: Where
    directory: Path
    name: str
    repo: RepoId | None = None
    revision: CommitHash | None = None
    refs: tuple[str, ...] = ()
    sentinel: SeenSentinel | None = None
    sentinel_problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """A directory of models.

    Attributes:
        models: By name.
        problem: Why it cannot be read; a shelf that does not exist is empty, without a problem.
    """

    where: Where
    root: Path
    models: tuple[LocalModel, ...] = ()
    problem: str | None = None


class Library(Protocol):
    """The models on this machine, in workspaces and Hugging Face caches. Only ever reads."""

    def shelves(self) -> tuple[Shelf, ...]:
        """The workspace home, each path of `MLXK_MODEL_PATH`, the Hugging Face cache: as they are searched.

        One broken model or shelf is told in its place; it never hides the others.
        """
        ...

    def shelf(self, root: Path) -> Shelf:
        """The models right below a directory, such as a project's workspace."""
        ...

    def path(self, text: str) -> Path | None:
        """The path that a text spells (`./x`, `../x`, `/x`, `~/x`); None when it may be a name instead."""
        ...

    def model(self, directory: Path) -> LocalModel | None:
        """The model in a directory: a workspace, or a snapshot of a cache; None when there is none."""
        ...

    def files(self, model: LocalModel) -> tuple[ModelFile, ...]:
        """All its files but a `.hf_cache`, sorted bytewise by path.

        Raises:
            DiskError: It cannot be read.
        """
        ...

    def facts(self, model: LocalModel) -> ModelFacts:
        """What can be seen of it without reading its weights; a file that cannot be read is a problem there.

        Raises:
            DiskError: A directory cannot be read.
        """
        ...

    def hashes(self, model: LocalModel, on_event: OnEvent = ignore) -> Mapping[str, Sha256]:
        """The SHA-256 of each regular file that a content hash covers, from all its bytes, by path.

        Raises:
            DiskError: One cannot be read, or changes while it is read.
        """
        ...

    def artifacts(self, root: Path) -> tuple[Artifact, ...]:
        """What stands in the `.hf_cache` of a directory of models, by name.

        Raises:
            DiskError: It cannot be read.
        """
        ...

    def as_made(self, model: LocalModel) -> bool | None:
        """Whether this directory is as mlxk made it; None without a record of that.

        Reads only the files whose stat is another one than then.

        Raises:
            DiskError: It cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """What stands in a `.hf_cache` under one repo, or beside the repos.

    Attributes:
        name: The repo, or the path below `.hf_cache` for anything else.
        repo_type: None for what is no repo.
        commits: Those with files there.
        refs: The revisions that stand for one of them.
        size_bytes: What it takes beside the models' own files.
        state: `declared` when all its files are those of a model beside the cache, `complete` when a run
            brought it and every file is there, `incomplete` with the reasons in `problems`.
    """

    name: str
    repo_type: RepoType | None
    state: Literal["declared", "complete", "incomplete"]
    commits: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()
    files: int = 0
    size_bytes: int = 0
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What the interpreter that would run models has, by the names of its packages; nothing is started.

    Attributes:
        packages: Versions by name, of those that models need.
        problem: Why nobody knows.
    """

    packages: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedFile:
    """A file as a Hugging Face cache keeps it: its bytes, under the name that the Hub gives them."""

    etag: str
    blob: Blob


class HubCache(Protocol):
    """The user's Hugging Face cache, for `pull` and `rm`."""

    @property
    def root(self) -> Path:
        """The directory that holds the `models--…` folders."""
        ...

    def put(
        self,
        repo: RepoId,
        commit: CommitHash,
        files: Mapping[RepoPath, CachedFile],
        ref: str | None,
        on_event: OnEvent = ignore,
    ) -> bool:
        """Put a snapshot there: blobs, then links, then the ref. What is there is hashed before it is kept.

        Returns:
            Whether anything was written.

        Raises:
            DiskError: The disk refuses, has too little space, or has no symlinks.
            MismatchError: A blob of the store is no longer what it was.
            BusyError: Another mlxk works on this repo, and does not end.
        """
        ...

    def remove(self, repo: RepoId, commit: CommitHash | None) -> None:
        """Take one snapshot out, with the refs and blobs that nothing else there needs; or the whole repo.

        Raises:
            DiskError: The disk refuses.
            BusyError: Another mlxk works on this repo, and does not end.
        """
        ...


class Building(Protocol):
    """A model's directory on its way: complete, or never there."""

    @property
    def stage(self) -> Path:
        """Where it is until it gets its name: hidden, beside the target, empty at first."""
        ...

    def add(self, blobs: Mapping[RepoPath, Blob], on_event: OnEvent = ignore) -> None:
        """Bring files in from the store: by clone, hard link or copy, as the link mode says.

        Raises:
            DiskError: Too little space (computed before the first byte), or the disk refuses.
            MismatchError: A blob is no longer what it was.
        """
        ...

    def copy(self, source: Path, paths: Sequence[RepoPath], on_event: OnEvent = ignore) -> None:
        """Take files from another directory, by clone or copy, links followed.

        Raises:
            DiskError: The disk refuses.
        """
        ...

    def seal(self, on_event: OnEvent = ignore) -> Mapping[str, Sha256]:
        """Read all that is staged: the SHA-256 of each file that a content hash covers, by path.

        Raises:
            DiskError: A file cannot be read, changes while it is read, or is none.
        """
        ...

    def finish(self, sentinel: Sentinel) -> None:
        """Write the sentinel, then give the directory its name; makes the `.hf_cache` beside it.

        Raises:
            DiskError: The disk refuses, or something has come to stand at the target.
        """
        ...


class Workspaces(Protocol):
    """Makes directories for single models, outside of what `sync` owns."""

    def building(self, target: Path) -> AbstractContextManager[Building]:
        """Begin one, alone; what a killed run left is cleared first. Leaving without `finish` leaves nothing.

        Raises:
            DiskError: The disk refuses.
            BusyError: Another process makes it, and does not end.
        """
        ...

    def remove(self, directory: Path) -> None:
        """Take a whole directory away: gone at once, its space freed afterwards.

        Raises:
            DiskError: The disk refuses.
            BusyError: Another process makes it, and does not end.
        """
        ...


# --- running strangers' code --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Something of ours on loopback that a child may connect to, such as the mirror.

    Attributes:
        port: Where the child finds it, if the sandbox has loopback ports of its own (else the kernel
            chooses one).
        serve: Called with the listening socket that the child will connect to.
    """

    port: int
    serve: Callable[[socket], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A child process and all it may see.

    Attributes:
        argv: Program and arguments, absolute.
        env: Its whole environment. In the values, the sandbox writes the port that a service really has in
            place of `{name}`.
        cwd: Where it starts; must be visible.
        readable: Paths it may read (below them too), beside the system's own.
        writable: Paths it may write.
        timeout_s: When it is killed, with everything it started.
        hidden: Paths it may not read although they lie below readable ones; what is not there is ignored.
        services: All that it may connect to, by name; without any there is no network at all.
        memory_bytes: How much memory of its own each process may have, or None. Linux only.
        waited_s: For how long it has waited for us by now: that is not its own time. None when it never does.
        passthrough: Whether its stdout goes to the caller's (else it is captured).
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    timeout_s: float
    hidden: tuple[Path, ...] = ()
    services: Mapping[str, Service] = field(default_factory=dict)
    memory_bytes: int | None = None
    waited_s: Callable[[], float] | None = None
    passthrough: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a child ended.

    Attributes:
        exit_code: Its status; 128 + N for signal N.
        timed_out: Whether we killed it for taking too long.
        stdout: The last 64 KiB of its stdout, when captured.
        stderr: The last 64 KiB of its stderr.
    """

    exit_code: int
    timed_out: bool
    stdout: str
    stderr: str


class Sandbox(Protocol):
    """A place to run a child process with no more than a `Job` names."""

    @property
    def name(self) -> str:
        """The backend, e.g. `linux-bwrap`."""
        ...

    @property
    def level(self) -> SandboxLevel:
        """What it enforces."""
        ...

    def run(self, job: Job) -> Outcome:
        """Run the child to its end; nothing it started survives.

        Raises:
            SandboxError: The sandbox itself could not be set up.
        """
        ...


Withhold = Callable[["RepoPath"], str | None]
"""Says why a file of a repo is not given to a child; None when it is."""


def withhold_nothing(_path: RepoPath) -> None:
    """A `Withhold` for children that may have everything."""


class Mirror(Protocol):
    """The loopback Hub: serves pinned commits to a sandboxed child and records what it asks for."""

    @property
    def prefix(self) -> str:
        """The secret path that comes before every request, e.g. `/3f9c…`."""
        ...

    def serve(self, listener: socket) -> AbstractContextManager[None]:
        """Answer on `listener` until the context is left."""
        ...

    def exchanges(self) -> tuple[Exchange, ...]:
        """Every request so far, in order."""
        ...

    def pins(self) -> tuple[Pin, ...]:
        """Every symbolic revision asked for so far, with what it meant."""
        ...

    def fetching_s(self) -> float:
        """For how many seconds, so far, something was being fetched for a child."""
        ...

    def failures(self) -> tuple[MlxlockError, ...]:
        """What kept the mirror from serving, such as bytes that are not what they should be."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """The project's own Python, the one that has mlx-lm and friends.

    Attributes:
        python: The executable, absolute, not resolved (a virtual environment is known by its path).
        environment: What the lock records of it.
        readable: Every directory it needs to read, beside the system's own.
    """

    python: Path
    environment: RunnerEnvironment
    readable: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSetting:
    """The environment of one child, and the directories that must exist before it starts."""

    variables: Mapping[str, str]
    directories: tuple[Path, ...]


class Overlay(Protocol):
    """What to change in a user's own environment so that libraries look into the workspace, offline."""

    @property
    def variables(self) -> Mapping[str, str]:
        """To set."""
        ...

    @property
    def unset(self) -> tuple[str, ...]:
        """To remove."""
        ...

    @property
    def directories(self) -> tuple[Path, ...]:
        """Which directories must exist first."""
        ...

    def over(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """The environment that results."""
        ...

    def as_shell(self, shell: Literal["sh", "fish"]) -> str:
        """Lines for a running shell."""
        ...


class Laboratory(Protocol):
    """All that a first run needs: scratch space, an interpreter, a sandbox, a mirror. Wired by `cli`."""

    def scratch(self) -> AbstractContextManager[Path]:
        """A fresh directory on the store's filesystem, gone afterwards."""
        ...

    def workspace(self, root: Path) -> Workspace:
        """A workspace to build there."""
        ...

    def interpreter(self) -> Interpreter:
        """The project's interpreter, probed once.

        Raises:
            RuntimeMissingError: There is none, or it does not run.
        """
        ...

    def sandbox(self) -> Sandbox:
        """The best sandbox that works here, probed once.

        Raises:
            SandboxError: None works, or none of the required level.
        """
        ...

    def mirror(self, source: Source, phase_file: Path, withhold: Withhold) -> Mirror:
        """A recording mirror over this source; the file is where the runner names its phase."""
        ...

    def mirror_of(self, pins: Sequence[Pin], phase_file: Path) -> Mirror:
        """A mirror that answers from these pins and the store alone, and refuses all else."""
        ...

    def reachable(self, mirror: Mirror) -> AbstractContextManager[str]:
        """Serve a mirror on this machine's own loopback: its address, for a child without a sandbox."""
        ...

    def egress(self, phase_file: Path, pinned: Callable[[Url], Download | None]) -> Egress:
        """A proxy for all that is not the Hub, with `allow-hosts` of the manifest.

        Args:
            phase_file: Where the runner names its phase.
            pinned: What a URL has to give.
        """
        ...

    def setting(
        self,
        root: Path,
        scratch: Path,
        endpoint: str | None,
        *,
        cache: Path | None = None,
        proxy: Proxy | None = None,
    ) -> ChildSetting:
        """The strict environment for a workspace; without an endpoint the child is offline.

        Args:
            root: The workspace.
            scratch: For what need not last.
            endpoint: The mirror's address.
            cache: What stands for the workspace's `.hf_cache`, when that is another directory.
            proxy: The egress proxy's, where there is one.
        """
        ...

    def left(self, cache: Path, known: Expected) -> tuple[Left, ...]:
        """What a run left below `.hf_cache` that is not accounted for.

        Raises:
            DiskError: It cannot be read.
        """
        ...

    def cached(self, hub_dir: Path) -> tuple[CachedRepo, ...]:
        """What a run left in its Hugging Face cache."""
        ...

    @property
    def runners(self) -> Path:
        """The directory of the runner scripts and their media."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything a command may reach, wired once by `cli`. What is behind a callable is built when asked for.

    Attributes:
        publisher: The Hub for whoever may write to it.
        source: The Hub, or its refusal under `--offline`.
        store: The user's blobs.
        workspace: Opens a project's workspace, with the chosen link mode.
        laboratory: What first runs need.
        library: The models on this machine.
        workspaces: Makes directories for single models.
        installed: What the interpreter that would run models has.
        hub_cache: The user's Hugging Face cache.
        overlay: What `exec` and `env` change in the user's environment, for a workspace.
        web: URLs beside the Hub, or their refusal under `--offline`.
        archives: Takes files out of what was fetched.
        on_event: Where progress goes.
    """

    source: Callable[[], Source]
    store: Callable[[], SharedStore]
    workspace: Callable[[Path], Workspace]
    laboratory: Callable[[], Laboratory]
    library: Callable[[], Library]
    workspaces: Callable[[], Workspaces]
    installed: Callable[[], Installed]
    hub_cache: Callable[[], HubCache]
    publisher: Callable[[], Publisher]
    overlay: Callable[[Path, Mapping[str, str]], Overlay]
    web: Callable[[], Web]
    archives: Callable[[], Archives]
    on_event: OnEvent = ignore
