"""One run, whatever the backend: start the stub inside, take its listeners, serve, wait, kill.

Owns the order of these steps. What keeps the child in is the backend's `Enclosure`.
"""

import os
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlxlock.capture.confinement import Confinement
from mlxlock.capture.handoff import Handed, HandoffError, Order, exchange, release
from mlxlock.capture.process import Process, await_end
from mlxlock.errors import SandboxError
from mlxlock.ports import Job, Outcome

STUB: Final = Path(__file__).with_name("stub.py")
_READY_TIMEOUT_S: Final = 60.0
_GUARDIAN_TIMEOUT_S: Final = 30.0
_BACKLOG: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosure:
    """How one backend keeps one job in.

    Attributes:
        python: The interpreter that runs the stub, where the inside sees it.
        stub: Where the inside sees `stub.py`.
        command: From the stub's command line to that of the sandbox around it.
        keep_fds: Descriptors that this command line names.
        own_network: Whether the inside has loopback ports of its own, so that the stub has to listen.
        own_processes: Whether the inside has process ids of its own.
        guarded: Whether the stub stays as the child's guardian, which has to be given the time to end all.
        confine: From a job, the ports of its services and the guardian's process id to what the stub puts
            around the child; None when the sandbox around the stub is enough.
        wrap: From a job and the ports of its services to the child's command line, when the sandbox begins
            with the child and not with the stub.
        mark: What tells the processes of this run from all others on macOS.
        explain: From what the sandbox wrote to stderr to an error that names the cause and its cure.
    """

    python: Path
    stub: Path
    command: Callable[[Sequence[str]], Sequence[str]]
    own_network: bool
    own_processes: bool
    explain: Callable[[str], SandboxError]
    guarded: bool = False
    confine: Callable[[Job, Mapping[str, int], int], Confinement] | None = None
    wrap: Callable[[Job, Mapping[str, int]], tuple[str, ...]] | None = None
    mark: str | None = None
    keep_fds: tuple[int, ...] = ()


def supervise(job: Job, enclosure: Enclosure) -> Outcome:
    """Run a job to its end inside an enclosure; nothing it started survives.

    Raises:
        SandboxError: The sandbox could not be set up, or the program is not there.
    """
    with ExitStack() as stack:
        ours, theirs = (stack.enter_context(end) for end in socket.socketpair())
        stub = (str(enclosure.python), "-I", "-S", str(enclosure.stub), str(theirs.fileno()))
        outside = _outside(job, enclosure, stack)
        echo = sys.stdout.buffer if job.passthrough else None
        keep = (theirs.fileno(), *enclosure.keep_fds)
        process = stack.enter_context(Process(enclosure.command(stub), keep_fds=keep, echo=echo))
        theirs.close()
        stack.callback(_end, process, ours, enclosure)
        handed = _start(process, ours, _order(job, enclosure, outside, process.pid), enclosure)
        stack.callback(_gone, handed, process, ours, enclosure)
        listeners = outside or _inside(handed, stack)
        with ExitStack() as serving:
            for name, service in job.services.items():
                serving.enter_context(service.serve(listeners[name]))
            release(ours)
            in_time = _in_time(process, job)
            _end(process, ours, enclosure)
    return Outcome(
        exit_code=process.exit_code, timed_out=not in_time, stdout=process.stdout, stderr=process.stderr
    )


def _in_time(process: Process, job: Job) -> bool:
    """Wait for the child's end, as long as its own time lasts: what it waited for us is added to it."""
    begun, left_s = time.monotonic(), job.timeout_s
    while not process.wait(left_s):
        waited_s = 0.0 if job.waited_s is None else job.waited_s()
        left_s = job.timeout_s + waited_s - (time.monotonic() - begun)
        if left_s <= 0:
            return False
    return True


def _outside(job: Job, enclosure: Enclosure, stack: ExitStack) -> Mapping[str, socket.socket]:
    if enclosure.own_network:
        return {}
    return {
        name: stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG))
        for name in job.services
    }


def _inside(handed: Handed, stack: ExitStack) -> Mapping[str, socket.socket]:
    return {
        name: stack.enter_context(socket.socket(fileno=descriptor))
        for name, descriptor in handed.listeners.items()
    }


def _order(job: Job, enclosure: Enclosure, outside: Mapping[str, socket.socket], guardian: int) -> Order:
    ports = {name: service.port for name, service in job.services.items()}
    ports |= {name: int(listener.getsockname()[1]) for name, listener in outside.items()}
    return Order(
        argv=job.argv if enclosure.wrap is None else enclosure.wrap(job, ports),
        env={name: _filled(value, ports) for name, value in job.env.items()},
        cwd=str(job.cwd),
        ports=ports if enclosure.own_network else {},
        memory_bytes=job.memory_bytes,
        own_processes=enclosure.own_processes,
        guarded=enclosure.guarded,
        mark=enclosure.mark,
        confinement=None if enclosure.confine is None else enclosure.confine(job, ports, guardian),
    )


def _filled(value: str, ports: Mapping[str, int]) -> str:
    for name, port in ports.items():
        value = value.replace(f"{{{name}}}", str(port))
    return value


def _start(process: Process, control: socket.socket, order: Order, enclosure: Enclosure) -> Handed:
    try:
        return exchange(control, order, timeout_s=_READY_TIMEOUT_S)
    except HandoffError as error:
        _end(process, control, enclosure)
        if error.reason is None:
            raise enclosure.explain(process.stderr) from error
        raise SandboxError(f"`{order.argv[0]}` cannot be started in the sandbox: {error.reason}") from error


def _end(process: Process, control: socket.socket, enclosure: Enclosure) -> None:
    """Let the guardian end all, then end it; a second time does nothing."""
    control.close()
    if enclosure.guarded:
        process.wait(_GUARDIAN_TIMEOUT_S)
    process.end()


def _gone(handed: Handed, process: Process, control: socket.socket, enclosure: Enclosure) -> None:
    _end(process, control, enclosure)
    if handed.init is not None:
        await_end(handed.init)
        os.close(handed.init)
