"""What a first run asked for and did not get, by name, and whether the manifest accepts that. Pure.

Owns the names (`Denied.url`) and what an entry of `accept-denied` covers. A file that a commit does not have
is an answer, and no denial; a repo or revision that nobody finds is one: it may be private.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from mlxlock.spec.lockfile import Denied
from mlxlock.spec.names import RepoId, RepoPath, RepoType
from mlxlock.spec.record import CaptureRecord, Exchange

HUB: Final = "hf://"


def denials(record: CaptureRecord, accepted: Collection[str]) -> tuple[Denied, ...]:
    """Everything that a capture was refused, each once, sorted by name.

    Args:
        record: The capture.
        accepted: `accept-denied` of the model.
    """
    names = {name_of(exchange) for exchange in record.exchanges if is_refused(exchange)}
    names |= {f"tcp://{address}" for address in record.reached if not _is_mere_lookup(address, record)}
    return tuple(Denied(url=name, accepted=accepts(accepted, name)) for name in sorted(names))


def _is_mere_lookup(address: str, record: CaptureRecord) -> bool:
    """Whether only a host's name was looked up, and what was wanted of the host went through the proxy."""
    host, _, port = address.rpartition(":")
    if port != "None":
        return False
    return any(exchange.repo is None and _host(exchange.url) == host for exchange in record.exchanges)


def is_refused(exchange: Exchange) -> bool:
    """Whether the child did not get an answer about what it asked for."""
    unknown = exchange.repo is not None and exchange.commit is None and exchange.status >= 400
    return exchange.denied is not None or unknown


def name_of(exchange: Exchange) -> str:
    """How the lock calls what an exchange was about."""
    if exchange.repo is None:
        return exchange.url
    return hub_name(exchange.repo, exchange.repo_type, exchange.path)


def wanting(exchange: Exchange) -> str:
    """Of a refused exchange, the URL whose host would have to be allowed: where it was led, if it was."""
    return exchange.led_to or name_of(exchange)


def hub_name(repo: RepoId, repo_type: RepoType, path: RepoPath | None) -> str:
    """`hf://org/name/path`; without a path the repo as a whole, and `datasets/` or `spaces/` before one."""
    kind = "" if repo_type == "model" else f"{repo_type}s/"
    return f"{HUB}{kind}{repo}" + (f"/{path}" if path else "")


def accepts(entries: Collection[str], name: str) -> bool:
    """Whether an entry names this, what it is below, or the host of this address."""
    return any(_covers(entry, name) for entry in entries)


def _covers(entry: str, name: str) -> bool:
    spelled = entry if entry.startswith("/") or "://" in entry else f"{HUB}{entry}"
    below = name.startswith(spelled if spelled.endswith("/") else f"{spelled}/")
    return name == spelled or below or _same_host(spelled, name)


def _same_host(entry: str, name: str) -> bool:
    """A URL covers the bare address that a program without our proxy tried for it."""
    if not name.startswith("tcp://") or entry.startswith((HUB, "/")):
        return False
    return _host(entry) == _host(name)


def _host(url: str) -> str:
    place = url.partition("://")[2].partition("/")[0]
    host, colon, port = place.rpartition(":")
    return host if colon and port.isdigit() else place


def allow_hosts_hint(allowed: Collection[str], urls: Iterable[str]) -> str | None:
    """The line that lets a first run ask these URLs, ready to be pasted; None when none is a URL.

    Args:
        allowed: What the manifest allows already.
        urls: What was refused, by name.
    """
    hosts = {_host(url) for url in urls if url.startswith(("http://", "https://"))} - {*allowed}
    if not hosts:
        return None
    listed = ", ".join(f'"{host}"' for host in sorted({*allowed, *hosts}))
    return f"to let it, say `allow-hosts = [{listed}]` in `[sandbox]`"


def unaccepted(denied: Collection[Denied]) -> Iterator[Denied]:
    """Those that keep a capture from being whole."""
    return (entry for entry in denied if not entry.accepted)
