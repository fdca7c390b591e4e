"""From what a sandbox writes to stderr to one cause and one cure.

Owns the known ways in which bubblewrap fails to start. Reads two kernel switches; changes nothing.
Source: the runs and reports in bubblewrap's, Codex's and srt's trackers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlxlock.errors import SandboxError

WITHOUT: Final = "run without a sandbox, which the lock then records: `--no-sandbox`"
_CONTAINER: Final = (
    "start the container with `--security-opt seccomp=unconfined --security-opt systempaths=unconfined`"
)
_PROC_SYS: Final = Path("/proc/sys")
_DETAIL_LINES: Final = 5


def _always(_proc_sys: Path) -> bool:
    return True


def _is_zero(switch: str) -> Callable[[Path], bool]:
    def check(proc_sys: Path) -> bool:
        path = proc_sys / switch
        return path.is_file() and path.read_text(encoding="ascii").strip() == "0"

    return check


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    said: str
    cause: str
    cure: str
    when: Callable[[Path], bool] = _always


_APPARMOR: Final = "AppArmor forbids unprivileged user namespaces here"
_APPARMOR_CURE: Final = "allow them: `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`"
_KNOWN: Final = (
    _Known(said="setting up uid map: Permission denied", cause=_APPARMOR, cure=_APPARMOR_CURE),
    _Known(said="loopback: Failed RTM_NEWADDR", cause=_APPARMOR, cure=_APPARMOR_CURE),
    _Known(
        said="No permissions to creat",  # "create new namespace", and "creating" in newer versions
        cause="the kernel forbids unprivileged user namespaces",
        cure="allow them: `sudo sysctl -w kernel.unprivileged_userns_clone=1`",
        when=_is_zero("kernel/unprivileged_userns_clone"),
    ),
    _Known(
        said="No permissions to creat",
        cause="a container's seccomp profile forbids user namespaces",
        cure=_CONTAINER,
    ),
    _Known(
        said="Creating new namespace failed: Operation not permitted",
        cause="a container's seccomp profile forbids user namespaces",
        cure=_CONTAINER,
    ),
    _Known(
        said="nesting depth or /proc/sys/user/max_",
        cause="user namespaces are switched off",
        cure="allow them: `sudo sysctl -w user.max_user_namespaces=15000`",
        when=_is_zero("user/max_user_namespaces"),
    ),
    _Known(
        said="nesting depth or /proc/sys/user/max_",
        cause="another sandbox around this one forbids user namespaces",
        cure="run `mlxk` outside of it",
    ),
    _Known(
        said="Can't mount proc",
        cause="a container masks parts of `/proc`",
        cure=_CONTAINER,
    ),
    _Known(
        said="pivot_root: Operation not permitted",
        cause="a container forbids `pivot_root`",
        cure=_CONTAINER,
    ),
)


def explain_bwrap(said: str, *, proc_sys: Path = _PROC_SYS) -> SandboxError:
    """Name the cause of what bubblewrap said, and exactly one cure.

    Args:
        said: Its stderr.
        proc_sys: Where the kernel's switches are read.
    """
    for known in _KNOWN:
        if known.said in said and known.when(proc_sys):
            return SandboxError(
                f"bubblewrap does not work here: {known.cause}", hint=known.cure, details=_details(said)
            )
    return SandboxError("bubblewrap does not work here", hint=WITHOUT, details=_details(said))


def _details(said: str) -> tuple[str, ...]:
    return tuple(line for line in said.splitlines() if line.strip())[-_DETAIL_LINES:]


def explain_bare(said: str) -> SandboxError:
    """What there is to say when not even the bare interpreter became ready."""
    return SandboxError("the interpreter does not start", details=_details(said))
