"""What an escape probe aims at: ports, sockets, files and a process outside of the sandbox, made for it.

Owns their making and removal, and the look at them afterwards: a probe inside cannot know what has arrived.
"""

import fcntl
import json
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mlxlock.capture.view import SYSTEM_DIRECTORIES, user_home
from mlxlock.fs import disk_errors

Answer = bool | None
"""Whether an attempt succeeded; None when it could not be made."""

_LONGEST_PARENT: Final = 60
"""The name of a socket has room for about a hundred bytes."""
_MAX_HOME_ENTRIES: Final = 50
_TOKENS: Final = (".cache/huggingface/token", ".huggingface/token", ".netrc", ".aws/credentials", ".ssh")
_PROTECTED: Final = b"as it was"
_PROTECTED_MODE: Final = 0o600
_ANY_PORT: Final = 8001
_NOBODY: Final = ("192.0.2.1", 9)


@dataclass(slots=True, kw_only=True)
class Canaries:
    """All that was put outside.

    Attributes:
        root: The directory they lie in; of it a sandbox is to show `project` and `scratch` only.
        home: Paths in the user's home that no sandbox may show.
        second: A port that is nobody's business.
        neighbour: Another address of this machine, and a port there that is listened on; None when there is
            no other, so that none can be reached.
        datagrams: Where datagrams would arrive: over UDP, and over a path.
        process: Something of the user's that runs, with `secret` in its environment and on its command line.
    """

    root: Path
    home: tuple[str, ...]
    second: socket.socket
    neighbour: socket.socket | None
    datagrams: tuple[socket.socket, socket.socket]
    process: subprocess.Popen[bytes]
    secret: str
    _untested: set[str] = field(default_factory=set)

    @property
    def project(self) -> Path:
        """What a job may read."""
        return self.root / "project"

    @property
    def hidden(self) -> Path:
        """What it may not, although it lies in the project."""
        return self.project / ".git"

    @property
    def scratch(self) -> Path:
        """What it may write."""
        return self.root / "scratch"

    @property
    def order_file(self) -> Path:
        """What the probe is told."""
        return self.scratch / "order.json"

    @property
    def port(self) -> int:
        """The port to serve at, where a sandbox leaves the choice."""
        return _ANY_PORT if self.neighbour is None else int(self.neighbour.getsockname()[1])

    @contextmanager
    def beside(self, listener: socket.socket) -> Iterator[None]:
        """Serve the one service: the kernel accepts, nobody has to. Its port is listened on elsewhere too."""
        port = int(listener.getsockname()[1])
        with ExitStack() as stack:
            if self.neighbour is not None and port != self.port:
                try:
                    stack.enter_context(socket.create_server((_host(self.neighbour), port)))
                except OSError:
                    self._untested.add("addresses")
            yield

    def reached(self) -> dict[str, Answer]:
        """What arrived here, or was changed, or still runs."""
        udp, named = self.datagrams
        found: dict[str, Answer] = {
            "datagrams": _has_received(udp) or _has_received(named),
            "writes": not all(map(_is_untouched, self.protected)),
            "signals": self.process.poll() is not None,
            "survivors": _is_locked(self.scratch / "beat"),
        }
        return found | dict.fromkeys(self._untested)

    @property
    def protected(self) -> tuple[Path, ...]:
        """Files that no job may change."""
        return (self.root / "outside" / "kept", self.project / "kept")

    def write_order(self, *, service: bool) -> None:
        """Write down what the probe is to try."""
        outside = self.root / "outside"
        order = {
            "service": service,
            "port": self.second.getsockname()[1],
            "neighbour": None if self.neighbour is None else _host(self.neighbour),
            "udp": self.datagrams[0].getsockname()[1],
            "datagrams": str(outside / "datagrams"),
            "sockets": [str(outside / "socket"), *([f"\0{self.secret}"] if sys.platform == "linux" else [])],
            "home": self.home,
            "tokens": [str(outside / "token"), *_tokens()],
            "hidden_file": str(self.hidden / "config"),
            "hidden_directory": str(self.hidden),
            "readable": str(self.project / "kept"),
            "protected": list(map(str, self.protected)),
            "beat": str(self.scratch / "beat"),
            "pid": self.process.pid,
            "secret": self.secret,
        }
        self.order_file.write_text(json.dumps(order), encoding="utf-8")


@contextmanager
def canaries(visible: Sequence[Path], parent: Path | None = None) -> Iterator[Canaries]:
    """Put them out, and take them in again.

    Args:
        visible: What every job may read, also in the user's home.
        parent: Where they get a directory of their own, if its path is short enough; else in `/tmp`.

    Raises:
        DiskError: There is no place for them.
    """
    place = parent or Path(tempfile.gettempdir())
    if len(str(place)) > _LONGEST_PARENT:
        place = Path("/tmp")  # noqa: S108 - a directory of its own in it
    with ExitStack() as stack:
        with disk_errors(place):
            placed = _placed(stack, visible, place)
        yield placed


def _placed(stack: ExitStack, visible: Sequence[Path], place: Path) -> Canaries:
    root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mlxk-", dir=place))).resolve()
    _lay_out(root)
    secret = secrets.token_hex(16)
    for name in (str(root / "outside" / "socket"), *([f"\0{secret}"] if sys.platform == "linux" else [])):
        _bound(stack, socket.AF_UNIX, socket.SOCK_STREAM, name).listen()
    return Canaries(
        root=root,
        home=_of_home((*visible, root, *map(Path, SYSTEM_DIRECTORIES))),
        second=stack.enter_context(socket.create_server(("127.0.0.1", 0))),
        neighbour=_neighbour(stack),
        datagrams=(
            _bound(stack, socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
            _bound(stack, socket.AF_UNIX, socket.SOCK_DGRAM, str(root / "outside" / "datagrams")),
        ),
        process=stack.enter_context(_running(secret)),
        secret=secret,
    )


def _lay_out(root: Path) -> None:
    for name in ("outside", "project/.git", "scratch"):
        (root / name).mkdir(parents=True)
    for name in ("outside/kept", "outside/token", "project/kept", "project/.git/config"):
        (root / name).write_bytes(_PROTECTED)
        (root / name).chmod(_PROTECTED_MODE)


def _neighbour(stack: ExitStack) -> socket.socket | None:
    address = "127.0.0.2" if sys.platform == "linux" else _own_address()
    return None if address is None else stack.enter_context(socket.create_server((address, 0)))


def _own_address() -> str | None:
    """This machine's address in its network; nothing is sent to learn it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        try:
            out.connect(_NOBODY)
        except OSError:
            return None
        return str(out.getsockname()[0])


def _host(listener: socket.socket) -> str:
    return str(listener.getsockname()[0])


def _bound(
    stack: ExitStack, family: socket.AddressFamily, kind: socket.SocketKind, address: str | tuple[str, int]
) -> socket.socket:
    made = stack.enter_context(socket.socket(family, kind))
    made.settimeout(0)
    made.bind(address)
    return made


@contextmanager
def _running(secret: str) -> Iterator[subprocess.Popen[bytes]]:
    command = ("/bin/sh", "-c", "read line", secret)
    with subprocess.Popen(command, env={"MLXK_CANARY": secret}, stdin=subprocess.PIPE) as process:
        yield process


def _of_home(visible: Sequence[Path]) -> tuple[str, ...]:
    """Entries of the user's home that no job has any business with."""
    home = user_home()
    if home is None or not home.is_dir():
        return ()
    shown = [path.resolve() for path in visible]
    found = [path.resolve() for path in sorted(home.iterdir())[:_MAX_HOME_ENTRIES]]
    return tuple(
        str(path)
        for path in found
        if not any(path.is_relative_to(seen) or seen.is_relative_to(path) for seen in shown)
        and path.is_relative_to(home.resolve())
    )


def _tokens() -> Iterator[str]:
    home = user_home()
    if home is not None:
        yield from (str(home / name) for name in _TOKENS)


def _has_received(where: socket.socket) -> bool:
    try:
        return bool(where.recv(1))
    except BlockingIOError:
        return False


def _is_untouched(path: Path) -> bool:
    same = path.read_bytes() == _PROTECTED and path.stat().st_mode & 0o777 == _PROTECTED_MODE
    return same and not (path.parent / "planted").exists()


def _is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
