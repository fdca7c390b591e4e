"""What first runs need, from the real adapters: scratch space, interpreter, sandbox, mirror."""

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Final

import mlxlock
from mlxlock.cli.interpreter import find_python, probe
from mlxlock.fs import scratch_directory
from mlxlock.planning.attribution import Expected
from mlxlock.ports import (
    ChildSetting,
    IntakeStore,
    Interpreter,
    Mirror,
    OnEvent,
    Sandbox,
    Source,
    Withhold,
    Workspace,
)
from mlxlock.ports.outside import Egress, Proxy, Web
from mlxlock.spec.effects import Download
from mlxlock.spec.manifest import Manifest
from mlxlock.spec.record import CachedRepo, Left, Pin
from mlxlock.spec.urls import Url
from mlxlock.steps.project import Project, read_manifest
from mlxlock.workspace.directory import DirectoryWorkspace
from mlxlock.workspace.environment import strict

LOOPBACK: Final = "127.0.0.1"


class RealLaboratory:
    """A `ports.Laboratory`; everything slow in it is made once.

    Attributes:
        project: The project's directory.
        store_dir: Scratch directories are made there, since hard links reach no other disk.
        sandboxed: False for `--no-sandbox`.
    """

    def __init__(
        self,
        *,
        project: Path,
        store_dir: Path,
        store: IntakeStore,
        web: Callable[[], Web],
        sandboxed: bool,
        on_event: OnEvent,
    ) -> None:
        self.project = project
        self.store_dir = store_dir
        self.sandboxed = sandboxed
        self._store = store
        self._web = web
        self._on_event = on_event

    @property
    def runners(self) -> Path:
        """The directory of the runner scripts and their media."""
        return Path(mlxlock.__file__).parent / "runners"

    def scratch(self) -> AbstractContextManager[Path]:
        """A fresh directory on the store's filesystem."""
        return scratch_directory(self.store_dir / "scratch")

    def workspace(self, root: Path) -> Workspace:
        """A workspace to build in scratch; its index goes with it."""
        return DirectoryWorkspace(
            root, index_path=root.parent / "index" / "scratch.index", version=mlxlock.__version__
        )

    @cached_property
    def _manifest(self) -> Manifest:
        return Manifest() if self._project is None else read_manifest(self._project)

    @cached_property
    def _project(self) -> Project | None:
        """The project; None where a model is run without one."""
        project = Project(root=self.project)
        return project if project.manifest_path.is_file() else None

    @cached_property
    def _interpreter(self) -> Interpreter:
        python = find_python(self._manifest.sandbox.python, self.project, os.environ)
        return probe(python, self.runners / "probe.py")

    def interpreter(self) -> Interpreter:
        """The project's interpreter.

        Raises:
            RuntimeMissingError: There is none, or it does not run.
        """
        return self._interpreter

    @cached_property
    def _sandbox(self) -> Sandbox:
        from mlxlock.capture.choose import Choice, choose
        from mlxlock.capture.none import NoSandbox

        python = self.interpreter().python
        if not self.sandboxed:
            return NoSandbox(python=python)
        ours = None if self._project is None else self._project.root
        choice = Choice(memory=self.store_dir / "sandboxes", on_event=self._on_event)
        least = self._manifest.sandbox.require or "partial"
        return choose(least, project=ours, python=python, choice=choice)

    def sandbox(self) -> Sandbox:
        """The best sandbox that works here.

        Raises:
            SandboxError: None works, or none of the required level.
        """
        return self._sandbox

    def mirror(self, source: Source, phase_file: Path, withhold: Withhold) -> Mirror:
        """A recording mirror over this source."""
        from mlxlock.hub.server import RecordingMirror

        return RecordingMirror(source=source, store=self._store, phase_file=phase_file, withhold=withhold)

    def mirror_of(self, pins: Sequence[Pin], phase_file: Path) -> Mirror:
        """A mirror that answers from these pins and the store alone."""
        from mlxlock.hub.offline import OfflineSource
        from mlxlock.hub.server import RecordingMirror

        source = OfflineSource("a proof")
        return RecordingMirror(
            source=source, store=self._store, phase_file=phase_file, pins=pins, frozen=True
        )

    @contextmanager
    def reachable(self, mirror: Mirror) -> Iterator[str]:
        """Serve a mirror on this machine's own loopback."""
        with socket.create_server((LOOPBACK, 0), backlog=128) as listener, mirror.serve(listener):
            yield f"http://{LOOPBACK}:{listener.getsockname()[1]}{mirror.prefix}"

    def egress(self, phase_file: Path, pinned: Callable[[Url], Download | None]) -> Egress:
        """A proxy for all that is not the Hub, with the manifest's `allow-hosts`."""
        from mlxlock.capture.egress import EgressProxy
        from mlxlock.hub.journal import read_phase

        hosts = self._manifest.sandbox.allow_hosts
        phase = partial(read_phase, phase_file)
        return EgressProxy(
            web=self._web(),
            store=self._store,
            allow_hosts=hosts,
            pinned=pinned,
            phase=phase,
            on_event=self._on_event,
        )

    def setting(
        self,
        root: Path,
        scratch: Path,
        endpoint: str | None,
        *,
        cache: Path | None = None,
        proxy: Proxy | None = None,
    ) -> ChildSetting:
        """The strict environment for a workspace."""
        made = strict(root, scratch, os.environ, endpoint=endpoint, cache=cache, proxy=proxy)
        return ChildSetting(variables=made.variables, directories=made.directories)

    def left(self, cache: Path, known: Expected) -> tuple[Left, ...]:
        """What a run left below `.hf_cache` that is not accounted for.

        Raises:
            DiskError: It cannot be read.
        """
        from mlxlock.capture.attribution import list_left

        return list_left(cache, known)

    def cached(self, hub_dir: Path) -> tuple[CachedRepo, ...]:
        """What a run left in its Hugging Face cache."""
        from mlxlock.capture.listing import list_cache

        return list_cache(hub_dir)
