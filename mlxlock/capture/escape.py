"""A program that tries to get out of a sandbox: run inside, it says what it could do. Stands alone.

Runs by the project's interpreter, with the standard library only; mlxlock reads its place, never imports it.
Owns the attempts; what they aim at is `canaries`', what they mean `measure`'s. It is called with a file of
JSON (`Canaries.write_order`) and answers with one line of it: whether each attempt succeeded. When what has
to work in a sandbox does not (the service, scratch, the project's files), it fails and answers nothing.
"""

import ctypes
import fcntl
import json
import os
import socket
import sys
import time
from typing import Any, Callable  # noqa: UP035 - Python 3.9

_TIMEOUT_S = 5.0
_LINGER_S = 20.0
_NEW_USER = 0x10000000
_FAST_OPEN = 0x20000000
_CTL_KERN, _KERN_PROCARGS2 = 1, 49
_MAX_ARGUMENTS = 1 << 20
_LIBC = ctypes.CDLL(None)


def main(order_path: str) -> None:
    """Try everything, and say what succeeded."""
    with open(order_path, encoding="utf-8") as file:
        order = json.load(file)
    service = int(os.environ["MLXK_SERVICE"])
    _check_what_has_to_work(order, service)
    answer = {
        "ports": _does(_connect, socket.AF_INET, ("127.0.0.1", order["port"]))
        or _does(_open_fast, ("127.0.0.1", order["port"])),
        "addresses": order["neighbour"] is not None
        and _does(_connect, socket.AF_INET, (order["neighbour"], service)),
        "home": any(_does(_read, path) for path in order["home"]),
        "token": any(_does(_read, path) for path in order["tokens"]),
        "sockets": any(_does(_connect, socket.AF_UNIX, name) for name in order["sockets"]),
        "hidden": _does(_read, order["hidden_file"]),
        "hidden-names": bool(_names(order["hidden_directory"])),
        "processes": _sees(order["secret"], order["pid"]),
        "namespaces": sys.platform == "linux" and _LIBC.unshare(_NEW_USER) == 0,
        "privileges": sys.platform == "linux" and _may_gain(),
    }
    for attempt in (_send, _write, _signal, _leave_behind):
        _does(attempt, order)
    sys.stdout.write(json.dumps(answer) + "\n")


def _does(attempt: Callable[..., object], *arguments: Any) -> bool:
    """Whether an attempt succeeds."""
    try:
        attempt(*arguments)
    except (OSError, AttributeError):  # what a platform does not have cannot be used to escape
        return False
    return True


def _check_what_has_to_work(order: dict[str, Any], service: int) -> None:
    if order["service"]:
        _connect(socket.AF_INET, ("127.0.0.1", service))
    _read(order["readable"])
    with open(order["beat"], "w", encoding="ascii"):
        pass


def _connect(family: int, address: Any) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as out:
        out.settimeout(_TIMEOUT_S)
        out.connect(address)


def _open_fast(address: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as out:
        out.settimeout(_TIMEOUT_S)
        out.sendto(b"x", _FAST_OPEN, address)


def _read(path: str) -> None:
    if os.path.isdir(path):
        os.listdir(path)
        return
    with open(path, "rb") as file:
        file.read(1)


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _sees(secret: str, pid: int) -> bool:
    """Whether the environment or the command line of another process can be read."""
    if sys.platform == "darwin":
        return secret.encode() in _arguments(pid)
    for name in {*_names("/proc"), str(pid)}:
        for kind in ("environ", "cmdline"):
            try:
                with open(f"/proc/{name}/{kind}", "rb") as file:
                    if secret.encode() in file.read():
                        return True
            except OSError:
                continue
    return False


def _arguments(pid: int) -> bytes:
    """Return what macOS tells of another process: its arguments, then its environment."""
    name = (ctypes.c_int * 3)(_CTL_KERN, _KERN_PROCARGS2, pid)
    buffer = ctypes.create_string_buffer(_MAX_ARGUMENTS)
    size = ctypes.c_size_t(_MAX_ARGUMENTS)
    failed = _LIBC.sysctl(name, 3, buffer, ctypes.byref(size), None, ctypes.c_size_t(0))
    return b"" if failed else buffer.raw[: size.value]


def _may_gain() -> bool:
    """Whether it has capabilities, or could get some from a program that has them."""
    with open("/proc/self/status", encoding="ascii") as file:
        said = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
    return int(said["CapEff"], 16) != 0 or (said["NoNewPrivs"] != "1" and int(said["CapBnd"], 16) != 0)


def _send(order: dict[str, Any]) -> None:
    """Send datagrams: whoever asked looks whether they arrived."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        _does(ours.sendto, b"x", order["datagrams"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(b"x", ("127.0.0.1", order["udp"]))


def _write(order: dict[str, Any]) -> None:
    """Change whatever is not ours to change: whoever asked looks whether it did."""
    for path in order["protected"]:
        _does(_append, path)
        _does(os.truncate, path, 0)
        _does(os.chmod, path, 0o640)
        _does(_append, os.path.join(os.path.dirname(path), "planted"))


def _append(path: str) -> None:
    with open(path, "a", encoding="ascii") as file:
        file.write("x")


def _signal(order: dict[str, Any]) -> None:
    if order["pid"] not in {os.getpid(), os.getppid()}:
        os.kill(order["pid"], 15)


def _leave_behind(order: dict[str, Any]) -> None:
    """Leave a process that nobody waits for; it holds a lock for as long as it lives."""
    if os.fork():
        os.wait()
        return
    os.setsid()
    if os.fork() == 0:
        beat = os.open(order["beat"], os.O_RDWR)
        fcntl.flock(beat, fcntl.LOCK_EX)
        os.close(1)
        os.close(2)
        time.sleep(_LINGER_S)
    while not _is_locked(order["beat"]):
        time.sleep(0.005)
    os._exit(0)


def _is_locked(path: str) -> bool:
    with open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


if __name__ == "__main__":
    main(sys.argv[1])
