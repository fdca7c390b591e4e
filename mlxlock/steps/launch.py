"""Starts the child of `mlxk run`: offline, behind the recording mirror, or with no network at all.

A step of `run`. Owns the three ways, the child's environment and files, and what is read of what it left. Its
errors go to a file unless somebody wants to see them: a library's traceback is nobody's answer.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from mlxlock.errors import MlxlockError
from mlxlock.fs import disk_errors, temporary_directory
from mlxlock.planning.layout import CACHE_DIR
from mlxlock.planning.policy import untrusted
from mlxlock.ports import Job, Laboratory, Mirror, Ports, Service, withhold_nothing
from mlxlock.spec.names import RepoId, Revision
from mlxlock.steps.child import run_child
from mlxlock.steps.pinning import PinnedSource
from mlxlock.steps.result import read_result
from mlxlock.steps.secrets import secrets_below
from mlxlock.steps.subject import Subject
from mlxlock.steps.testimony import read_testimony
from mlxlock.steps.witnessed import witnessed

STDERR_BYTES: Final = 64 * 1024
MAX_ANSWER_BYTES: Final = 64 << 20
LONGEST_S: Final = 7 * 24 * 3600.0
HUB_PORT: Final = 8001
MEDIA: Final = ("image", "audio", "ref_audio")


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One run.

    Attributes:
        subject: The model.
        job: What the runner is told.
        script: The runner, by name.
        online: Whether it may ask the Hub, through the mirror.
        enclosed: Whether a sandbox takes the network away.
        aside: Whether even its stdout is not the user's.
        verbose: Whether its stderr is the user's.
    """

    subject: Subject
    job: Mapping[str, object]
    script: str = "generate.py"
    online: bool = False
    enclosed: bool = False
    aside: bool = False
    verbose: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How it ended.

    Attributes:
        result: What the runner wrote; empty when it got to nothing.
        stderr: The end of what it said besides, where that was kept.
        missed: Repos that it asked for and of which there is nothing here.
        failures: What kept the mirror from serving.
        sound: The WAV that it wrote, for as long as its scratch space lives.
    """

    exit_code: int
    result: Mapping[str, Any]
    stderr: str
    missed: tuple[RepoId, ...] = ()
    failures: tuple[MlxlockError, ...] = ()
    sound: Path | None = None


@contextmanager
def launched(launch: Launch, ports: Ports) -> Iterator[Ended]:
    """Run it to its end; the files that it left are gone after the context.

    Raises:
        RuntimeMissingError: There is no interpreter.
        SandboxError: No sandbox works here.
        DiskError: `.hf_cache` cannot be made.
    """
    with temporary_directory("mlxlock-run-") as scratch:
        run = _Run(launch=launch, ports=ports, laboratory=ports.laboratory(), scratch=scratch)
        yield run.to_end()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    launch: Launch
    ports: Ports
    laboratory: Laboratory
    scratch: Path

    @property
    def _sound(self) -> Path:
        return self.scratch / "speech.wav"

    @property
    def _hub(self) -> Path:
        return self.launch.subject.hub or self._cache / "hub"

    @property
    def _testimony(self) -> Path:
        return self.scratch / "asked.jsonl"

    @property
    def _result(self) -> Path:
        return self.scratch / "result.json"

    @property
    def _cache(self) -> Path:
        return self.launch.subject.cache or self.scratch / CACHE_DIR

    def to_end(self) -> Ended:
        if self.launch.enclosed:
            return self._enclosed()
        with ExitStack() as stack:
            mirror = self._mirror() if self.launch.online else self._mirror_of_lock()
            endpoint = None if mirror is None else stack.enter_context(self.laboratory.reachable(mirror))
            said = None if self.launch.verbose else stack.enter_context((self.scratch / "stderr").open("w+b"))
            stdout = (said or sys.stderr.buffer) if self.launch.aside else None
            code = run_child(self._argv(), self._variables(endpoint), stdout=stdout, stderr=said)
            stderr = "" if said is None else _tail(said)
        return self._ended(code, stderr, () if mirror is None else mirror.failures())

    def _enclosed(self) -> Ended:
        subject, mirror = self.launch.subject, self._mirror_of_lock()
        variables = self._variables(None if mirror is None else f"http://127.0.0.1:{{hub}}{mirror.prefix}")
        media = (self.launch.job.get(name) for name in MEDIA)
        readable = [
            subject.directory,
            self._cache,
            self.laboratory.runners,
            *self.laboratory.interpreter().readable,
        ]
        readable += [Path(str(path)) for path in media if path is not None]
        job = Job(
            argv=self._argv(),
            env=variables,
            cwd=self.scratch,
            readable=(*readable, *((subject.blobs,) if subject.blobs else ())),
            # Its home only: the rest of the cache may be hard links into the store.
            writable=(self.scratch, self._cache / "home", self._cache / "xdg"),
            timeout_s=LONGEST_S,
            passthrough=not self.launch.aside,
            hidden=tuple(secrets_below(subject.directory, self.laboratory.interpreter().readable)),
            services={} if mirror is None else {"hub": Service(port=HUB_PORT, serve=mirror.serve)},
        )
        outcome = self.laboratory.sandbox().run(job)
        return self._ended(outcome.exit_code, outcome.stderr, ())

    def _ended(self, code: int, stderr: str, failures: tuple[MlxlockError, ...]) -> Ended:
        here = {repo.repo for repo in self.laboratory.cached(self._hub)}
        missed = (each for each in read_testimony(self._testimony).missed if each.final and each.repo)
        sound = self._sound if self._sound.is_file() and not self._sound.is_symlink() else None
        return Ended(
            exit_code=code,
            result=read_result(self._result, most_bytes=MAX_ANSWER_BYTES),
            stderr=stderr,
            missed=tuple(dict.fromkeys(each.repo for each in missed if each.repo and each.repo not in here)),
            failures=failures,
            sound=sound,
        )

    def _argv(self) -> tuple[str, ...]:
        subject = self.launch.subject
        places = {"model": str(subject.directory), "output": str(self._result)}
        wav = {"wav": str(self._sound)} if subject.kind == "tts" else {}
        trust = {"trust_remote_code": subject.trusts, "forbid_code": not subject.trusts}
        job = {**self.launch.job, **places, **wav, **trust}
        job_file = self.scratch / "job.json"
        job_file.write_text(json.dumps(job), encoding="utf-8")
        python = str(self.laboratory.interpreter().python)
        return (python, str(self.laboratory.runners / self.launch.script), str(job_file))

    def _variables(self, endpoint: str | None) -> Mapping[str, str]:
        """The child's environment; every directory that it names is there afterwards."""
        setting = self.laboratory.setting(
            self._cache.parent, self.scratch / "derived", endpoint, cache=self._cache
        )
        for directory in setting.directories:
            with disk_errors(directory):
                directory.mkdir(parents=True, exist_ok=True)
        hub = {"HF_HUB_CACHE": str(self._hub)} if self.launch.subject.hub else {}
        return witnessed({**setting.variables, **hub}, self.laboratory, self.scratch, self._testimony)

    def _mirror_of_lock(self) -> Mirror | None:
        """For a model that asks the Hub's API even when offline: a mirror that has the lock and no more."""
        served = self.launch.subject.served
        return self.laboratory.mirror_of(served, self.scratch / "phase") if served else None

    def _mirror(self) -> Mirror:
        """A mirror for which what `.hf_cache` holds already means what it meant."""
        subject = self.launch.subject
        there = {
            (repo.repo, repo.repo_type, revision): Revision(commit)
            for repo in self.laboratory.cached(self._hub)
            for revision, commit in repo.refs.items()
        }
        source = PinnedSource(
            self.ports.source(), pins={**there, **subject.pins}, artifacts=subject.artifacts
        )
        withhold = withhold_nothing if subject.trusts else untrusted
        return self.laboratory.mirror(source, self.scratch / "phase", withhold)


def _tail(file: IO[bytes]) -> str:
    file.seek(max(file.seek(0, 2) - STDERR_BYTES, 0))
    return file.read().decode("utf-8", "replace")
