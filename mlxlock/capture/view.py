"""What a job sees of the filesystem: an ordered list of mounts on top of the system's own directories.

Owns which system paths are needed at all, the order (a directory before what lies in it) and the refusal of
paths that would open too much. Never `/`: a read-only bind of it would still let sockets be connected to.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlxlock.errors import SandboxError

SYSTEM_DIRECTORIES: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
SYSTEM_FILES: Final = tuple(
    f"/etc/{name}"
    for name in (
        "alternatives",
        "ca-certificates",
        "ca-certificates.conf",
        "debian_version",
        "fonts",
        "group",
        "host.conf",
        "ld.so.cache",
        "ld.so.conf",
        "ld.so.conf.d",
        "locale.alias",
        "localtime",
        "mime.types",
        "nsswitch.conf",
        "os-release",
        "passwd",
        "pki/ca-trust",
        "pki/tls/certs",
        "protocols",
        "services",
        "ssl/certs",
        "ssl/openssl.cnf",
        "timezone",
    )
)
"""What programs look up in `/etc`, without the host's secrets, names and addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One host path that appears inside.

    Attributes:
        source: What it is outside, free of symlinks.
        target: Where it appears.
        writable: Whether it may be written.
    """

    source: Path
    target: Path
    writable: bool


def mounts(readable: Iterable[Path], writable: Iterable[Path], *, home: Path | None) -> tuple[Mount, ...]:
    """Every path as a mount, outermost first; what is both readable and writable is writable.

    A path that leads through symlinks appears under its own name and under the one it leads to, because
    programs ask for either.

    Args:
        readable: Host paths, with everything below them.
        writable: The same, to be written.
        home: The user's home directory, which no mount may open as a whole; None when there is none.

    Raises:
        SandboxError: A path is not there, not absolute, or would open the whole disk or home.
    """
    by_target: dict[Path, Mount] = {}
    for paths, may_write in ((readable, False), (writable, True)):
        for path in paths:
            _check(path, home)
            for mount in _named(path, writable=may_write):
                by_target[mount.target] = mount
    wanted = [mount for mount in by_target.values() if not _is_shown(mount, by_target)]
    return tuple(sorted(wanted, key=lambda mount: len(mount.target.parts)))


def masks(hidden: Iterable[Path], shown: Iterable[Mount]) -> tuple[Mount, ...]:
    """What has to be covered, under every name that it has inside; a symlink counts as what it leads to.

    Args:
        hidden: Host paths; what is not there is ignored.
        shown: The mounts that may show them.
    """
    sources = [path.resolve() for path in hidden if path.exists()]
    found = {
        mount.target / source.relative_to(mount.source): source
        for mount in shown
        for source in sources
        if source.is_relative_to(mount.source)
    }
    return tuple(Mount(source=source, target=target, writable=False) for target, source in found.items())


def _named(path: Path, *, writable: bool) -> Iterator[Mount]:
    source = path.resolve()
    for target in dict.fromkeys((source, path)):
        if not _is_system(target) or (writable and target == source):
            yield Mount(source=source, target=target, writable=writable)


def _is_shown(mount: Mount, by_target: Mapping[Path, Mount]) -> bool:
    """Whether the nearest mount above shows it already, or a symlink, onto which nothing can be mounted."""
    for parent in mount.target.parents:
        if parent in by_target:
            above = by_target[parent]
            shown = above.source / mount.target.relative_to(parent)
            return shown.resolve() != shown or above.writable == mount.writable
    return False


def _is_system(path: Path) -> bool:
    return any(path.is_relative_to(directory) for directory in SYSTEM_DIRECTORIES)


def _check(path: Path, home: Path | None) -> None:
    if not path.is_absolute() or ".." in path.parts:
        raise SandboxError(f"`{path}` is not an absolute path")
    if not path.exists():
        raise SandboxError(f"`{path}` should be visible in the sandbox, and is not there")
    opened = path.resolve()
    if opened == Path("/") or (home is not None and home.resolve().is_relative_to(opened)):
        raise SandboxError(
            f"`{path}` would open the whole of `{opened}` to code of strangers",
            hint="move the project and its interpreter into a directory of their own",
        )


def user_home() -> Path | None:
    """The user's home directory; None for a user that has none, or `/`, as containers give them."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home if home.is_absolute() and home != home.parent else None
