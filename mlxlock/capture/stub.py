"""The first program inside a sandbox: makes the listeners there, hands them out, starts the child.

Runs alone, by the project's interpreter (Python 3.9 or newer), with the standard library only; mlxlock reads
its place, never imports it. Owns the inside of the handover: one line of JSON comes in over an inherited
socket (what to run), one goes out with the descriptors (`SCM_RIGHTS`), one byte comes in (go). Decides
nothing; what the kernel has to enforce is `kernel`'s, which is loaded when an order has a confinement.

An order is `handoff.Order`, its `confinement` is `confinement.Confinement` or null; an answer is
`{"listeners": ["hub", ...], "init": true}`, with one descriptor for each, in order, or `{"error": "..."}`.
When the confinement itself fails, there is no answer: what failed is on stderr.

With `guarded` the child is a fork, and this process stays to end it with all that it started: when the child
ends, and when the socket says that nobody waits any more. As number 1 of a process namespace it only has to
end; elsewhere orphans come to it because it is their subreaper.
"""

import contextlib
import ctypes
import json
import os
import resource
import runpy
import select
import signal
import socket
import sys
from typing import Any, Optional

_BACKLOG = 128
_CANNOT_START = 127
_SIGNALLED = 128
_CHUNK_BYTES = 1 << 16

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def main(control_fd: int) -> None:
    """Read the order, enter what it asks for, hand out, confine, wait for the word, start the child."""
    control = socket.socket(fileno=control_fd)
    order = json.loads(_read_line(control))
    confinement = order["confinement"]
    if confinement is not None and confinement["namespaces"]:
        _enter(confinement, control)
    try:
        listeners, init = _prepare(order)
    except OSError as error:
        control.sendall(_line({"error": f"{error.strerror}: {error.filename or error.__class__.__name__}"}))
        sys.exit(1)
    if order["guarded"]:
        sys.exit(_guarded(order, control, listeners, init))
    _hand_out(control, listeners, init)
    control.close()
    _become(order)


def _beside(name: str) -> dict[str, Any]:
    return runpy.run_path(os.path.join(os.path.dirname(__file__), name))


def _enter(confinement: dict[str, Any], control: socket.socket) -> None:
    """Go into new namespaces, as their process number 1 where there is one for processes."""
    kernel = _beside("kernel.py")
    kernel["enter_namespaces"](confinement)
    if confinement["processes"]:
        init = os.fork()
        if init:
            control.close()
            _, status = os.waitpid(init, 0)
            sys.exit(_exit_code(status))
    kernel["arrange_mounts"](confinement)


def _read_line(control: socket.socket) -> bytes:
    text = b""
    while not text.endswith(b"\n"):
        chunk = control.recv(_CHUNK_BYTES)
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


def _hand_out(control: socket.socket, listeners: dict[str, int], init: list[int]) -> None:
    handed = [*listeners.values(), *init]
    socket.send_fds(control, [_line({"listeners": list(listeners), "init": bool(init)})], handed)
    if not control.recv(1):
        sys.exit(1)
    for descriptor in handed:
        os.close(descriptor)


# --- the child's end ----------------------------------------------------------------------------------------


def _guarded(
    order: dict[str, Any], control: socket.socket, listeners: dict[str, int], init: list[int]
) -> int:
    """Start the child in a fork, and stay until nothing of it is left; its exit code."""
    if sys.platform == "linux":
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        for descriptor in (ours.detach(), control.detach(), *listeners.values(), *init):
            os.close(descriptor)
        _be_child(order, theirs)
    theirs.close()
    if not ours.recv(1):
        return 1
    _hand_out(control, listeners, init)
    ours.sendall(b"\n")
    code = _await(child, control)
    _end_orphans(child)
    _end_marked(order["mark"])
    return code


def _be_child(order: dict[str, Any], guardian: socket.socket) -> None:
    os.setsid()
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if order["confinement"] is not None:
        _beside("kernel.py")["confine"](order["confinement"])
    guardian.sendall(b"\n")
    if not guardian.recv(1):
        os._exit(1)
    guardian.close()
    _become(order)


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _await(child: int, control: socket.socket) -> int:
    """Wait for the child, or for the end of whoever started us, which then is the child's."""
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    while True:
        status = _reaped(child)
        if status is not None:
            return status
        ready, _, _ = select.select([control.fileno(), wake], [], [])
        if control.fileno() in ready:
            return _SIGNALLED + signal.SIGKILL
        os.read(wake, _CHUNK_BYTES)


def _reaped(child: int) -> Optional[int]:  # noqa: UP045 - Python 3.9
    """Reap all that ended; the exit code of the child, when it is among them."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid == child:
            return _exit_code(status)
        if pid == 0:
            return None


def _exit_code(status: int) -> int:
    return _SIGNALLED + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _end_orphans(child: int) -> None:
    """Kill what is left of the child's group, and on Linux whoever has come to us, until nobody does."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    while os.getpid() != 1:
        for pid in _children():
            os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return


def _end_marked(mark: Optional[str]) -> None:  # noqa: UP045 - Python 3.9
    """Kill whoever is still confined by this run's profile, until nobody is."""
    if mark is None or not hasattr(_LIBC, "sandbox_check"):
        return
    darwin = _beside("darwin.py")
    while True:
        pids = darwin["marked"](mark, f"{mark}.absent")
        if not pids:
            return
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _children() -> list[int]:
    """Processes whose parent we are, found fast: a program that flees from fork to fork has to lose."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as children:
            return [int(pid) for pid in children.read().split()]
    except FileNotFoundError:
        return _children_of_any()


def _children_of_any() -> list[int]:
    """The same on a kernel that keeps no list of them; none where there is no `/proc`."""
    found = []
    for name in os.listdir("/proc") if os.path.isdir("/proc") else []:
        try:
            with open(f"/proc/{name}/stat", "rb") as stat:
                parent = int(stat.read().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if parent == os.getpid():
            found.append(int(name))
    return found


def _become(order: dict[str, Any]) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if order["memory_bytes"] is not None:
        # What is its own, where the system counts that: an address space also holds what is only reserved.
        kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
        resource.setrlimit(kind, (order["memory_bytes"], order["memory_bytes"]))
    # Python ignores these, and what a program ignores its successor goes on ignoring.
    for name in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(name, signal.SIG_DFL)
    argv = order["argv"]
    try:
        os.execve(argv[0], argv, order["env"])  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.stderr.write(f"{argv[0]}: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(_CANNOT_START)


if __name__ == "__main__":
    main(int(sys.argv[1]))
