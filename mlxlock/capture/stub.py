"""The first program inside a sandbox: makes the listeners there, hands them out, becomes the child.

Runs alone, by the project's interpreter, with the standard library only; mlxlock reads its place, never
imports it. Owns the inside of the handover: one line of JSON comes in over an inherited socket (what to run),
one goes out with the descriptors (`SCM_RIGHTS`), one byte comes in (go). Decides nothing.

An order is `{"argv", "env", "cwd", "ports", "memory_bytes", "own_processes"}`; an answer is
`{"listeners": ["hub", ...], "init": true}`, with one descriptor for each, in order, or `{"error": "..."}`.
"""

import json
import os
import resource
import signal
import socket
import sys
from typing import Any

_BACKLOG = 128
_CANNOT_START = 127


def main(control_fd: int) -> None:
    """Read the order, hand out what it asks for, wait for the word, become the child."""
    with socket.socket(fileno=control_fd) as control:
        order = json.loads(_read_line(control))
        try:
            listeners, init = _prepare(order)
        except OSError as error:
            control.sendall(
                _line({"error": f"{error.strerror}: {error.filename or error.__class__.__name__}"})
            )
            sys.exit(1)
        handed = [*listeners.values(), *init]
        socket.send_fds(control, [_line({"listeners": list(listeners), "init": bool(init)})], handed)
        if not control.recv(1):
            sys.exit(1)
    for descriptor in handed:
        os.close(descriptor)
    _become(order)


def _read_line(control: socket.socket) -> bytes:
    text = b""
    while not text.endswith(b"\n"):
        chunk = control.recv(1 << 16)
        if not chunk:
            sys.exit(1)
        text += chunk
    return text


def _line(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer).encode() + b"\n"


def _prepare(order: dict[str, Any]) -> tuple[dict[str, int], list[int]]:
    os.chdir(order["cwd"])
    program = order["argv"][0]
    if not os.access(program, os.X_OK):
        raise FileNotFoundError(2, "no such program inside", program)
    listeners = {name: _listen(port) for name, port in order["ports"].items()}
    knows_its_end = order["own_processes"] and hasattr(os, "pidfd_open")
    return listeners, [os.pidfd_open(1)] if knows_its_end else []


def _listen(port: int) -> int:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(_BACKLOG)
    return listener.detach()


def _become(order: dict[str, Any]) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if order["memory_bytes"] is not None:
        resource.setrlimit(resource.RLIMIT_AS, (order["memory_bytes"], order["memory_bytes"]))
    # Python ignores these, and what a program ignores its successor goes on ignoring.
    for name in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(name, signal.SIG_DFL)
    argv = order["argv"]
    try:
        os.execve(argv[0], argv, order["env"])  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.stderr.write(f"{argv[0]}: {error.strerror}\n")
        sys.exit(_CANNOT_START)


if __name__ == "__main__":
    main(int(sys.argv[1]))
