"""The Seatbelt profile of one job, as text for `sandbox-exec -f`. Pure.

Owns what programs need of macOS to start and to compute with Metal, and the order of the rules: the last one
that matches wins. Paths have to be canonical (`/private/tmp`, not `/tmp`). There is never a rule with
`(local ip …)`, which would open every way out, and never one for the system's resolver, which would let names
carry data. Source: the profiles that macOS, Chromium and Bazel ship, and public measurements of MLX under
them; none was run by us, which is why the level is measured on each machine.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_READABLE: Final = (
    *("/System", "/usr", "/bin", "/sbin", "/Library", "/opt/homebrew", "/nix/store", "/private/etc"),
    *("/private/var/db/dyld", "/private/var/db/timezone", "/private/var/select"),
)
_DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_CLOSED: Final = ("/Users", "/private/var/root", "/Library/Keychains")
_SERVICES: Final = ("com.apple.system.opendirectoryd.libinfo", "com.apple.PowerManagement.control")
_GPU: Final = ("AGXDeviceUserClient", "IOSurfaceRootUserClient", "AppleParavirtDeviceUserClient")
"""The last one is the GPU of a virtual machine, as GitHub's runners are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Below:
    """A canonical path with everything below it, and whether it may be written."""

    path: str
    writable: bool


def seatbelt_profile(
    shown: Sequence[Below], *, hidden: Iterable[str], ports: Iterable[int], home: str | None, mark: str
) -> str:
    """The profile.

    Args:
        shown: What the job may read or write, outermost first.
        hidden: What it may not although it lies in there; canonical.
        ports: The loopback ports it may connect to; without any it has no network.
        home: The user's home directory, canonical.
        mark: A name of this run alone; whoever may look it up, and not its neighbour, is of this run.
    """
    rules = [
        "(version 1)",
        f'(deny default (with message "{mark}"))',
        '(import "system.sb")',
        *_processes(mark),
        *_system(),
        *_metal(),
        _rule("deny", "file-read*", map(_subpath, (*_CLOSED, *([home] if home else [])))),
        "(allow file-read-metadata)",
        *_shown(shown),
        *(f"(deny file-read* file-write* {_subpath(path)})" for path in hidden),
        "(deny network*)",
        *(f'(allow network-outbound (remote ip "localhost:{port}"))' for port in ports),
    ]
    return "\n".join(rules) + "\n"


def absent_mark(mark: str) -> str:
    """The neighbour of a mark: what nobody of this run may look up."""
    return f"{mark}.absent"


def _processes(mark: str) -> Iterator[str]:
    yield from ("(allow process-fork)", "(allow process-exec*)")
    yield from ("(allow signal (target same-sandbox))", "(allow process-info* (target same-sandbox))")
    yield "(allow sysctl-read)"
    # Through this name, macOS tells the arguments and the environment of any process of the user.
    yield '(deny sysctl-read (sysctl-name-prefix "kern.procargs"))'
    yield from ("(deny file-write-setugid)", "(allow ipc-posix-sem)", "(allow ipc-posix-shm*)")
    names = (f"(global-name {_quoted(name)})" for name in (*_SERVICES, mark))
    yield _rule("allow", "mach-lookup", names)


def _system() -> Iterator[str]:
    readable = (
        *map(_subpath, _READABLE),
        '(literal "/")',
        *(f"(literal {_quoted(name)})" for name in _DEVICES),
    )
    yield _rule("allow", "file-read*", readable)
    yield '(allow file-write* (literal "/dev/null") (literal "/dev/zero") (literal "/dev/dtracehelper"))'


def _metal() -> Iterator[str]:
    for filter_name in ("iokit-registry-entry-class", "iokit-user-client-class"):
        yield _rule("allow", "iokit-open", (f"({filter_name} {_quoted(name)})" for name in _GPU))
    yield '(allow mach-lookup (xpc-service-name "com.apple.MTLCompilerService"))'


def _shown(shown: Sequence[Below]) -> Iterator[str]:
    for below in shown:
        if below.writable:
            yield f"(allow file-read* file-write* {_subpath(below.path)})"
        else:
            yield f"(allow file-read* {_subpath(below.path)})"
            yield f"(deny file-write* {_subpath(below.path)})"


def _rule(action: str, operation: str, filters: Iterable[str]) -> str:
    return f"({action} {operation}" + "".join(f"\n  {text}" for text in filters) + ")"


def _subpath(path: str) -> str:
    return f"(subpath {_quoted(path)})"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
