"""What first runs need, and the environments of child processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from mlxlock.planning.attribution import Expected
    from mlxlock.ports.hub import Source
    from mlxlock.ports.mirror import Mirror, Withhold
    from mlxlock.ports.outside import Egress, Proxy
    from mlxlock.ports.sandbox import Sandbox
    from mlxlock.ports.workspace import Workspace
    from mlxlock.spec.effects import Download
    from mlxlock.spec.record import CachedRepo, Left, Pin, RunnerEnvironment
    from mlxlock.spec.urls import Url


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

    @property
    def derived(self) -> tuple[str, ...]:
        """Which of `variables` name a place for what need not last."""
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
