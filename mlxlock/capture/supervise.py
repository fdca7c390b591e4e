"""One run, whatever the backend: start the stub inside, take its listeners, serve, wait, kill.

Owns the order of these steps. What keeps the child in is the backend's `Enclosure`.
"""

import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlxlock.capture.handoff import Handed, HandoffError, Order, exchange, release
from mlxlock.capture.process import Process, await_end
from mlxlock.errors import SandboxError
from mlxlock.ports import Job, Outcome

STUB: Final = Path(__file__).with_name("stub.py")
_READY_TIMEOUT_S: Final = 60.0
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
        explain: From what the sandbox wrote to stderr to an error that names the cause and its cure.
    """

    python: Path
    stub: Path
    command: Callable[[Sequence[str]], Sequence[str]]
    own_network: bool
    own_processes: bool
    explain: Callable[[str], SandboxError]
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
        handed = _start(process, ours, _order(job, enclosure, outside), enclosure)
        stack.callback(_gone, handed, process)
        listeners = outside or _inside(handed, stack)
        with ExitStack() as serving:
            for name, service in job.services.items():
                serving.enter_context(service.serve(listeners[name]))
            release(ours)
            in_time = process.wait(job.timeout_s)
            process.end()
    return Outcome(
        exit_code=process.exit_code, timed_out=not in_time, stdout=process.stdout, stderr=process.stderr
    )


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


def _order(job: Job, enclosure: Enclosure, outside: Mapping[str, socket.socket]) -> Order:
    ports = {name: service.port for name, service in job.services.items()}
    ports |= {name: int(listener.getsockname()[1]) for name, listener in outside.items()}
    return Order(
        argv=job.argv,
        env={name: _filled(value, ports) for name, value in job.env.items()},
        cwd=str(job.cwd),
        ports=ports if enclosure.own_network else {},
        memory_bytes=job.memory_bytes,
        own_processes=enclosure.own_processes,
    )


def _filled(value: str, ports: Mapping[str, int]) -> str:
    for name, port in ports.items():
        value = value.replace(f"{{{name}}}", str(port))
    return value


def _start(process: Process, control: socket.socket, order: Order, enclosure: Enclosure) -> Handed:
    try:
        return exchange(control, order, timeout_s=_READY_TIMEOUT_S)
    except HandoffError as error:
        process.end()
        if error.reason is None:
            raise enclosure.explain(process.stderr) from error
        raise SandboxError(f"`{order.argv[0]}` cannot be started in the sandbox: {error.reason}") from error


def _gone(handed: Handed, process: Process) -> None:
    process.end()
    if handed.init is not None:
        await_end(handed.init)
        os.close(handed.init)
