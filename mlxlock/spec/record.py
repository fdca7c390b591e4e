"""What was observed when a model ran: the mirror's exchanges and a first run's outcome.

Owns the values that the loopback mirror and the sandbox report, and that `assemble` turns into artifacts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from mlxlock.spec.digest import Blake3, Sha256
from mlxlock.spec.effects import NO_EFFECTS, Effects
from mlxlock.spec.names import CommitHash, RepoId, RepoPath, RepoType
from mlxlock.spec.phases import Phase
from mlxlock.spec.resolution import FileEntry, Resolution
from mlxlock.spec.urls import Url

SandboxLevel = Literal["full", "partial", "none"]
RequiredLevel = Literal["full", "partial"]
"""What can be demanded: nobody demands that nothing keeps a run in."""
REQUIRED_LEVELS: Final[tuple[RequiredLevel, ...]] = ("full", "partial")
SANDBOX_RANK: Final[Mapping[SandboxLevel, int]] = {"none": 0, "partial": 1, "full": 2}
Compared = Literal["output", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A symbolic revision that was asked for, and the one commit it meant for the whole lock."""

    repo: RepoId
    revision: str
    resolution: Resolution
    repo_type: RepoType = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request to the mirror, or to the egress proxy, and its answer.

    Attributes:
        method: `HEAD`, `GET` or what else was tried.
        url: The path asked for, without the secret prefix and without a query; all of the URL, but for a
            signed query, when it was not the Hub's.
        status: The HTTP status that was answered.
        repo: The repo as asked; None when the request named none.
        revision: The revision as asked, symbolic or a commit.
        commit: The commit that was served.
        path: The file, for `resolve` requests.
        phase: What the runner was doing, when it says so.
        asked_by: `module:qualname` of the library code that asked; advisory.
        denied: Why nothing was served, for refused requests.
        led_to: Where a redirect led that was not followed: `https://host/`, and no more of it.
    """

    method: str
    url: str
    status: int
    repo: RepoId | None = None
    repo_type: RepoType = "model"
    revision: str | None = None
    commit: CommitHash | None = None
    path: RepoPath | None = None
    phase: Phase | None = None
    asked_by: str | None = None
    denied: str | None = None
    led_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """Bytes that came whole from outside the Hub, hashed as they went by.

    Attributes:
        url: As asked, whatever it redirected to.
        when: What the runner was doing, when it says so.
        signed: Whether it was asked for with a signature, without which nobody may get it again.
        asked_by: `module:qualname`, advisory.
    """

    url: Url
    size_bytes: int
    sha256: Sha256
    blake3: Blake3
    when: Phase | None = None
    signed: bool = False
    asked_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who says of itself that it asked for something outside the Hub; advisory.

    Attributes:
        url: As asked, without a signed query; `tcp://host:port` where only an address is known.
        by: `module:qualname`.
        importing: Whether a module was being imported.
    """

    url: str
    by: str
    importing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Something that a first run left below `.hf_cache`, and that was not laid out for it.

    Attributes:
        path: Below `.hf_cache`, fit to be shown.
        file: What it is, where a lock can hold its name; its bytes are seen where they may be known ones.
        problem: What is against it, when something is.
    """

    path: str
    file: FileEntry | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedRepo:
    """What a first run left of one repo in its `.hf_cache`: a listing, not a claim about bytes.

    Attributes:
        repo: The repo id that its folder spells.
        refs: Each `refs/<revision>` and the commit it names.
        files: Paths below `snapshots/<commit>/`, by commit.
        absent: Paths below `.no_exist/<commit>/`, by commit.
    """

    repo: RepoId
    repo_type: RepoType
    refs: Mapping[str, CommitHash]
    files: Mapping[CommitHash, tuple[RepoPath, ...]]
    absent: Mapping[CommitHash, tuple[RepoPath, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a run produced, reduced to what two runs can be compared by.

    Attributes:
        digest: `sha256:` over token ids, transcript or samples.
        input_digest: The same over the input ids, where the library shows them.
        tokens: How many tokens were generated; None for speech, and where the library hides it.
        ended: Whether they are so few because the model ended by itself, where nothing keeps it from that.
        samples: How many audio samples, for speech.
        text: The first characters, for people.
    """

    digest: str
    input_digest: str | None = None
    tokens: int | None = None
    ended: bool = False
    samples: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerEnvironment:
    """The interpreter that ran a model.

    Attributes:
        platform: e.g. `macosx-arm64`, `linux-x86_64`.
        python: `major.minor`.
        packages: Normalised names and versions of what decides a run's behaviour.
    """

    platform: str
    python: str
    packages: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """Something that a run without the Hub asked for.

    Attributes:
        repo: The repo as asked; None when it was none of the Hub's, or nobody can tell.
        revision: As asked, symbolic or a commit.
        path: The file; None for the repo as a whole.
        what: What a person is told: `org/name/path`, a URL, or `host:port`.
        final: Whether it is known that the asker did not get it: a file may still have been in its cache.
        api: Whether it was the Hub's API that was asked, which no cache can answer.
        asked_by: `module:qualname`, advisory.
    """

    what: str
    repo: RepoId | None = None
    repo_type: RepoType = "model"
    revision: str = "main"
    path: RepoPath | None = None
    final: bool = True
    api: bool = False
    asked_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What a run without the Hub did, on a workspace made from a lock's entry alone.

    Attributes:
        output: What it produced; None when it failed, or is a `command` that is not compared.
        failure: Why it did not come to its end, in words.
        missed: All that it asked for and that may have been missing.
        watched: Whether anything of it told what it asks for.
        altered: Locked files of the model that are not what they were.
        wrote: What else it left in the model's directory.
    """

    output: Output | None
    failure: str | None = None
    missed: tuple[Missed, ...] = ()
    watched: bool = True
    altered: tuple[str, ...] = ()
    wrote: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureRecord:
    """One first run that succeeded, and everything it asked for.

    Attributes:
        first_run: The run's name in the manifest.
        sandbox: The level under which it ran.
        environment: The interpreter that ran it.
        output: What it produced; None for a `command` that is not compared.
        compared: What of it a proof has to repeat.
        exchanges: Each request to the mirror, in order.
        pins: Each symbolic revision asked for, with the commit's whole file list.
        cache: The `.hf_cache` it left.
        reached: Each `host:port` that it tried to reach past mirror and proxy.
        asked: Who of it asked for what is outside the Hub, in order.
        wrote: Files it changed or left in its own model directory (told to the user, never locked).
        effects: What it left below `.hf_cache` outside the Hub's own cache.
    """

    first_run: str
    sandbox: SandboxLevel
    environment: RunnerEnvironment
    output: Output | None
    exchanges: tuple[Exchange, ...]
    pins: tuple[Pin, ...]
    cache: tuple[CachedRepo, ...]
    compared: Compared = "output"
    reached: tuple[str, ...] = ()
    asked: tuple[Asked, ...] = ()
    wrote: tuple[str, ...] = ()
    effects: Effects = NO_EFFECTS
