"""A trial: one first run of one model, in a scratch workspace laid out from its entry alone, in a sandbox.

A step of `lock`. Owns what the child is given to see, to read, to write and to run. Sandbox and mirror are
ports; what came out is `outcome`'s, what it means `recording`'s and `proof`'s.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from mlxlock.errors import FirstRunError
from mlxlock.first_runs.linked_model import link_files
from mlxlock.planning.layout import CACHE_DIR, HOMES, FileNode, Tree, lay_out
from mlxlock.planning.plan import make_plan
from mlxlock.planning.run_job import RUNNABLE, first_run_job
from mlxlock.ports import BlobStore, Job, Laboratory, Mirror, Outcome, Service
from mlxlock.ports.outside import Egress, Proxy
from mlxlock.spec.first_run import DEFAULT_TIMEOUT_S, FirstRun
from mlxlock.spec.lockfile import LockedModel
from mlxlock.spec.record import Compared
from mlxlock.spec.toml_text import shown
from mlxlock.steps.secrets import secrets_below
from mlxlock.steps.witnessed import witnessed

HUB_PORT: Final = 8001
EGRESS_PORT: Final = 8002
"""Both inside the sandbox's own network, where nothing else listens."""
MEDIA_KEYS: Final = ("image", "audio", "ref-audio")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One first run of one model.

    Attributes:
        model: Its entry, every file seen and in the store.
        run: What is exercised.
        kind: What the model is for; not needed for a `command`.
        project: The project's directory, for media and commands.
        trust_remote_code: Whether code that the repo ships may run.
        hidden: What of the project a command must not see: the workspace that `sync` built says nothing.
    """

    model: LockedModel
    run: FirstRun
    kind: str | None
    project: Path
    trust_remote_code: bool = False
    hidden: tuple[Path, ...] = ()

    @property
    def compared(self) -> Compared:
        """What a proof has to repeat: a command's output only when that is asked for."""
        return "output" if self.run.command is None else self.run.compare or "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A scratch workspace with one model, and the child's own scratch beside it.

    Attributes:
        workspace: What `sync` would build; its `.hf_cache` is the child's, all else is read-only.
        scratch: The child's own.
        directory: The model's, by name.
        tree: What was laid out in the workspace.
    """

    workspace: Path
    scratch: Path
    directory: str
    tree: Tree

    @property
    def laid_out(self) -> Path:
        """The model's directory in the workspace."""
        return self.workspace / self.directory

    @property
    def clone(self) -> Path:
        """Where the child finds the model, and may write beside its files."""
        return self.scratch / "models" / self.directory

    @property
    def cache(self) -> Path:
        """The workspace's `.hf_cache`."""
        return self.workspace / CACHE_DIR

    @property
    def homes(self) -> tuple[Path, ...]:
        """Where a program takes its user to be at home."""
        home, xdg = (self.workspace / place for place in HOMES)
        return home, xdg

    @property
    def certificate(self) -> Path:
        """The egress proxy's authority."""
        return self.scratch / "authority.pem"

    @property
    def testimony_file(self) -> Path:
        """Where the witness in the child's Python writes."""
        return self.scratch / "asked.jsonl"

    @property
    def phase_file(self) -> Path:
        """Where the runner names its phase."""
        return self.scratch / "phase"

    @property
    def result_file(self) -> Path:
        """Where the runner says what came out."""
        return self.scratch / "result.json"


@contextmanager
def open_bench(
    trial: Trial, laboratory: Laboratory, store: BlobStore, *, writable: Sequence[str] = ()
) -> Iterator[Bench]:
    """Lay a model out in scratch; it is gone afterwards.

    Args:
        trial: Whose model.
        laboratory: Where.
        store: What has the files.
        writable: Where in the workspace the child may write, beside its home. No file there is a hard link,
            which would let the child write into the store.
    """
    with laboratory.scratch() as root:
        tree = _unshared(lay_out([trial.model]), writable)
        bench = Bench(
            workspace=root / "models", scratch=root / "run", directory=trial.model.directory, tree=tree
        )
        bench.workspace.mkdir()
        bench.scratch.mkdir()
        workspace = laboratory.workspace(bench.workspace)
        workspace.apply(make_plan(tree, workspace.scan(tree)), store)
        link_files(bench.laid_out, bench.clone)
        yield bench


def _unshared(tree: Tree, places: Sequence[str]) -> Tree:
    """The same tree, with files below these places that are never hard-linked."""
    below = tuple(f"{place}/" for place in places)
    return Tree(
        nodes={
            path: replace(node, large=False)
            if isinstance(node, FileNode) and path.startswith(below)
            else node
            for path, node in tree.nodes.items()
        }
    )


def check_trial(trial: Trial, laboratory: Laboratory) -> None:
    """Refuse what could not be run, before anything is.

    Raises:
        FirstRunError: It names a file, a program or a limit that is not to be had here, or its kind cannot
            be told.
    """
    _memory_bytes(trial)
    _of_project(trial)
    if trial.run.command is None:
        runnable_kind(trial.model, trial.kind)
    else:
        _program(trial.run.command[0], str(laboratory.interpreter().python))


def run_trial(
    trial: Trial,
    laboratory: Laboratory,
    bench: Bench,
    mirror: Mirror | None,
    *,
    egress: Egress | None = None,
) -> Outcome:
    """Run it to its end, with nothing but the mirror; without one, offline.

    Args:
        trial: What to run.
        laboratory: Where.
        bench: On what.
        mirror: The only Hub there is; None for no network at all.
        egress: The way to all that is not the Hub. With one, the run may bring something into its cache,
            which is read-only otherwise, but for the home in it: programs write there whenever they run.

    Raises:
        SandboxError: The sandbox could not be set up.
    """
    endpoint = None if mirror is None else f"http://127.0.0.1:{{hub}}{mirror.prefix}"
    proxy = None if egress is None else _proxy(egress, bench)
    setting = laboratory.setting(bench.workspace, bench.scratch, endpoint, proxy=proxy)
    for directory in setting.directories:
        directory.mkdir(parents=True, exist_ok=True)
    own = trial.project if trial.run.command is not None else None
    job = Job(
        argv=_argv(trial, laboratory, bench),
        env=_watched(setting.variables, laboratory, bench),
        cwd=own or bench.workspace,
        readable=(
            bench.workspace,
            *_of_project(trial),
            *laboratory.interpreter().readable,
            laboratory.runners,
        ),
        writable=(bench.scratch, *(bench.homes if egress is None else (bench.cache,))),
        timeout_s=trial.run.timeout_s or DEFAULT_TIMEOUT_S,
        memory_bytes=_memory_bytes(trial),
        waited_s=None if mirror is None else mirror.fetching_s,
        hidden=(*trial.hidden, *secrets_below(own, laboratory.interpreter().readable)),
        services=dict(_services(mirror, egress)),
    )
    return laboratory.sandbox().run(job)


def _memory_bytes(trial: Trial) -> int | None:
    """The limit on the memory of each process.

    Raises:
        FirstRunError: There is one, and this system keeps none.
    """
    if trial.run.memory_mb is None:
        return None
    if sys.platform == "darwin":
        raise FirstRunError(
            f"`{trial.model.name}` ({trial.run.name}) has `memory-mb`, which macOS does not keep",
            hint="take `memory-mb` out, or lock on Linux",
        )
    return trial.run.memory_mb << 20


def _services(mirror: Mirror | None, egress: Egress | None) -> Iterator[tuple[str, Service]]:
    if mirror is not None:
        yield "hub", Service(port=HUB_PORT, serve=mirror.serve)
    if egress is not None:
        yield "egress", Service(port=EGRESS_PORT, serve=egress.serve)


def _proxy(egress: Egress, bench: Bench) -> Proxy:
    bench.certificate.write_bytes(egress.certificate)
    return Proxy(url=f"http://{egress.login}@127.0.0.1:{{egress}}", certificate=bench.certificate)


def _watched(variables: Mapping[str, str], laboratory: Laboratory, bench: Bench) -> dict[str, str]:
    """The environment in which every Python tells what it asks for, and a command finds the model."""
    watched = witnessed(variables, laboratory, bench.scratch, bench.testimony_file)
    return {**watched, "MLXK_MODEL": str(bench.clone)}


def _of_project(trial: Trial) -> tuple[Path, ...]:
    """What the child may read of the project: all for the project's own command, else the media named."""
    if trial.run.command is not None:
        return (trial.project,)
    given = ((key, trial.run.options.get(key)) for key in MEDIA_KEYS)
    return tuple(_medium(trial, key, str(path)) for key, path in given if path is not None)


def _medium(trial: Trial, key: str, name: str) -> Path:
    """A file of the project, and nothing that one of its symlinks leads to: a stranger's model sees it.

    Raises:
        FirstRunError: It is not there, or not in the project.
    """
    path = trial.project / name
    inside = path.resolve().is_relative_to(trial.project.resolve())
    if not path.is_file() or not inside:
        what = "is not there" if inside else "leads out of the project"
        whose = f"the first run `{trial.run.name}` of `{trial.model.name}`"
        raise FirstRunError(
            f"`{shown(name)}`, the `{key}` of {whose}, {what}",
            hint="name a file of the project in `models.toml`",
        )
    return path


def _argv(trial: Trial, laboratory: Laboratory, bench: Bench) -> tuple[str, ...]:
    python = str(laboratory.interpreter().python)
    if trial.run.command is not None:
        program, *arguments = trial.run.command
        return (_program(program, python), *arguments)
    job_file = bench.scratch / "job.json"
    job_file.write_text(json.dumps(_job(trial, laboratory, bench)), encoding="utf-8")
    return (python, str(laboratory.runners / "generate.py"), str(job_file))


def _program(name: str, python: str) -> str:
    """Where a command's program is: beside the interpreter first, as in an active environment.

    Raises:
        FirstRunError: Nowhere.
    """
    if name in {"python", "python3"}:
        return python
    found = shutil.which(name, path=os.pathsep.join([str(Path(python).parent), os.environ.get("PATH", "")]))
    if found is None:
        raise FirstRunError(
            f"no program `{shown(name)}` for a first run", hint="check its name in `models.toml`"
        )
    return str(Path(found).absolute())


def _job(trial: Trial, laboratory: Laboratory, bench: Bench) -> Mapping[str, object]:
    job = first_run_job(
        trial.run,
        runnable_kind(trial.model, trial.kind),
        project=str(trial.project),
        runners=str(laboratory.runners),
    )
    return {
        **job,
        "model": str(bench.clone),
        "trust_remote_code": trial.trust_remote_code,
        "output": str(bench.result_file),
        "phase_file": str(bench.phase_file),
    }


def runnable_kind(model: LockedModel, kind: str | None) -> str:
    """The kind, when the built-in runner can exercise it.

    Raises:
        FirstRunError: It cannot, or nobody knows the kind.
    """
    if kind in RUNNABLE:
        return kind
    what = f"models of kind `{kind}` have no built-in first run" if kind else "its kind cannot be told"
    raise FirstRunError(
        f"`{model.name}` was not run: {what}",
        hint=f'set `kind` ({", ".join(RUNNABLE)}), `first-run = [{{ name = "app", command = [...] }}]` '
        f"or `first-run = false` for it in `models.toml`",
    )
