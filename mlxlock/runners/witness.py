"""Notes what a run asks for and cannot have: put as `sitecustomize.py` on a child's `PYTHONPATH`.

Owns the lines of the file that `MLXK_WITNESS` names, one JSON object each: `started` by every Python,
`missed` for what huggingface_hub was asked for and could neither find nor fetch, `asked` for a URL that
somebody asks for or tells another program of, `reached` for an address that somebody tried. Also tells the
mirror who asks, by a header. Changes no answer; where a library is not what it was written for, it says less.
Stands alone: the standard library, and nothing of mlxlock.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from importlib.machinery import ModuleSpec
    from types import FrameType, ModuleType

_LOG = "MLXK_WITNESS"
_ASKED_BY = "x-mlxk-asked-by"
_IMPORTING = "x-mlxk-importing"
_URL = re.compile(r"Cannot reach (\S+): offline mode")
_MISSES = ("OfflineModeIsEnabled", "LocalEntryNotFoundError", "RevisionResolutionError")
_LOOPBACK = re.compile(r"127\.\d+\.\d+\.\d+|::1|localhost|0\.0\.0\.0|::|")
_BETWEEN = frozenset({
    "httpcore", "httpcore2", "httpx", "httpx2", "huggingface_hub", "requests", "sitecustomize", "tqdm",
    "transformers", "urllib3", *getattr(sys, "stdlib_module_names", ("socket", "threading", "urllib")),
}) - {"__main__"}  # fmt: skip
_LONGEST = 300
_REQUEST = re.compile(rb"([A-Z]{3,10}) (\S+) HTTP/1\.[01]\r\n")
_HOST = re.compile(rb"\r\nhost: *(\S+)\r\n", re.IGNORECASE)
_TOLD_URL = re.compile(r"https?://([^\s'\"<>/?#]+)[^\s'\"<>]*")
_REACHING = frozenset({
    "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendmsg", "socket.sendto"
})  # fmt: skip
_ASKING = frozenset({"http.client.send", "os.system", "subprocess.Popen"})
_HTTPS = 443
_LONGEST_URL = 1000
_MOST_URLS = 1000


class Witness:
    """What one process notes.

    Args:
        path: The file that every process of a run appends to.

    Attributes:
        importing: Whether who asked last did so while a module was imported.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._asker: str | None = None
        self._asked: set[str] = set()
        self.importing = False

    def note(self, event: str, **told: object) -> None:
        """Append a line; `O_APPEND` keeps those of several processes apart."""
        line = json.dumps({"event": event, **told}) + "\n"
        log = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(log, line.encode())
        finally:
            os.close(log)

    def missed(self, error: BaseException) -> None:
        """Note that huggingface_hub gave up on something, and what that was as far as its callers know."""
        url = _URL.search(str(error))
        self.note(
            "missed",
            kind=type(error).__name__,
            url=url.group(1) if url else None,
            by=self.asker(),
            **_subject(sys._getframe(2)),  # noqa: SLF001 - nothing lighter knows the caller
        )

    def asked(self, url: str) -> None:
        """Note who asks for a URL, once for each: a program may ask for more than anybody reads."""
        found = _TOLD_URL.match(url)
        if found is None or _is_own(found.group(1)) or url in self._asked or len(self._asked) >= _MOST_URLS:
            return
        self._asked.add(url)
        by = self.asker()
        self.note("asked", url=url[:_LONGEST_URL], by=by, importing=self.importing)

    def heard(self, event: str, values: tuple[Any, ...]) -> None:
        """Take part in Python's own audit: who is asked to be connected to, written to, or looked up."""
        if event in _ASKING:
            for url in _urls(event, values):
                self.asked(url)
        if event not in _REACHING:
            return
        if event.startswith("socket.get"):
            host, port = values[0], values[1] if len(values) > 1 else None
        elif isinstance(values[1], tuple):
            host, port = values[1][:2]
        else:
            return
        host = host.decode("latin-1") if isinstance(host, bytes) else str(host or "")
        if not _LOOPBACK.fullmatch(host) and host != os.uname().nodename:
            self.note("reached", host=host[:_LONGEST], port=str(port)[:10], by=self.asker())

    def asker(self) -> str | None:
        """Return `module:qualname` of the nearest caller that is no mere carrier.

        A download's worker thread has no such caller; it works for whoever asked last.
        """
        for frame in _frames(sys._getframe(1)):  # noqa: SLF001 - as above
            module = str(frame.f_globals.get("__name__", ""))
            if module and module.partition(".")[0] not in _BETWEEN and "._vendor." not in module:
                code = frame.f_code
                self._asker = f"{module}:{getattr(code, 'co_qualname', code.co_name)}"[:_LONGEST]
                self.importing = any(map(_is_import, _frames(frame)))
                break
        return self._asker


def _urls(event: str, values: tuple[Any, ...]) -> Iterator[str]:
    """Tell each URL that a request of `http.client` is for, or that stands in another program's arguments."""
    if event == "http.client.send":
        url = _requested(values[1], secure=getattr(values[0], "default_port", None) == _HTTPS)
        if url is not None:
            yield url
        return
    words = values[1] if event == "subprocess.Popen" else values[0]
    for word in words if isinstance(words, (list, tuple)) else [words]:
        text = word.decode("latin-1") if isinstance(word, bytes) else word
        if isinstance(text, str):
            yield from (found.group() for found in _TOLD_URL.finditer(text))


def _requested(data: Any, *, secure: bool) -> str | None:
    """Tell the URL of a request's head, through a proxy or not; None for what is no head."""
    found = _REQUEST.match(data) if isinstance(data, bytes) else None
    if found is None:
        return None
    method, target = (part.decode("latin-1") for part in found.groups())
    if method == "CONNECT":
        return f"https://{target.removesuffix(f':{_HTTPS}')}/"
    if not target.startswith("/"):
        return target
    host = _HOST.search(data)
    if host is None:
        return None
    return f"{'https' if secure else 'http'}://{host.group(1).decode('latin-1')}{target}"


def _is_own(place: str) -> bool:
    """Whether this is the mirror, or something else of this machine."""
    host = place.rpartition("@")[2]
    return bool(_LOOPBACK.fullmatch((host.rpartition(":")[0] or host).strip("[]")))


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_import(frame: FrameType) -> bool:
    """Whether this runs a module's own lines, other than those of the program."""
    return frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") != "__main__"


def _subject(frame: FrameType | None) -> dict[str, str | None]:
    """Tell what the nearest function of huggingface_hub was called for."""
    for each in _frames(frame):
        names = each.f_locals
        if str(each.f_globals.get("__name__", "")).startswith("huggingface_hub") and names.get("repo_id"):
            asked = {"repo": "repo_id", "type": "repo_type", "revision": "revision", "path": "filename"}
            return {key: _text(names.get(name)) for key, name in asked.items()}
    return {}


def _text(value: object) -> str | None:
    return None if value is None else str(value)[:_LONGEST]


class _Finder(importlib.abc.MetaPathFinder):
    """Lets the modules that matter be imported as ever, and touches them right after."""

    def __init__(self, witness: Witness) -> None:
        self._after: dict[str, Callable[[ModuleType], None]] = {
            "huggingface_hub.errors": lambda module: _watch_errors(module, witness),
            "huggingface_hub.utils._http": lambda module: _name_asker(module, witness),
            "httpx._client": lambda module: _watch_clients(module, witness),
            "httpx2._client": lambda module: _watch_clients(module, witness),
        }

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Find what the path holds, with a loader that calls back."""
        after = self._after.pop(name, None)
        if after is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, after)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, inner: Any, after: Callable[[ModuleType], None]) -> None:
        self._inner = inner
        self._after = after

    def create_module(self, spec: ModuleSpec) -> Any:
        return self._inner.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._inner.exec_module(module)
        self._after(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _watch_errors(module: ModuleType, witness: Witness) -> None:
    for name in _MISSES:
        error = getattr(module, name, None)
        if error is not None:
            error.__init__ = _noting(error.__init__, witness)


def _noting(init: Callable[..., None], witness: Witness) -> Callable[..., None]:
    def noted(self: BaseException, *args: object, **named: object) -> None:
        init(self, *args, **named)
        witness.missed(self)

    return noted


def _name_asker(module: ModuleType, witness: Witness) -> None:
    """Let each request of huggingface_hub say who wants it."""
    hook = getattr(module, "hf_request_event_hook", None)
    if hook is None:
        return

    def named(request: Any) -> Any:
        asker = witness.asker()
        if asker is not None:
            request.headers[_ASKED_BY] = asker
        if witness.importing:
            request.headers[_IMPORTING] = "1"
        return hook(request)

    module.hf_request_event_hook = named  # type: ignore[attr-defined]


def _watch_clients(module: ModuleType, witness: Witness) -> None:
    """Hear what httpx is asked for: it has its own sockets, and Python's audit nothing of its requests."""
    for name in ("Client", "AsyncClient"):
        client: Any = getattr(module, name, None)
        if hasattr(client, "send"):
            client.send = _telling(client.send, witness)


def _telling(send: Callable[..., Any], witness: Witness) -> Callable[..., Any]:
    @functools.wraps(send)
    def told(self: Any, *args: Any, **named: Any) -> Any:
        request = args[0] if args else named.get("request")
        witness.asked(str(getattr(request, "url", "")))
        return send(self, *args, **named)

    return told


def _run_the_other() -> None:
    """Run the `sitecustomize` that this one stands before, as Python would have."""
    here = __file__.rpartition(os.sep)[0]
    elsewhere = [entry for entry in sys.path if entry != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", elsewhere)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def install(path: str) -> None:
    """Begin to note."""
    witness = Witness(path)
    witness.note("started", program=_text(sys.argv[0] if hasattr(sys, "argv") and sys.argv else None))
    sys.meta_path.insert(0, _Finder(witness))
    sys.addaudithook(witness.heard)


if __name__ == "sitecustomize":
    if os.environ.get(_LOG):
        install(os.environ[_LOG])
    _run_the_other()
