"""A place to run the code of strangers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path
    from socket import socket

    from mlxlock.spec.record import SandboxLevel


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
