"""From what a sandbox writes to stderr to one cause and one cure.

Owns the known ways in which bubblewrap, or the stub that does without it, fails to start. Reads two kernel
switches; changes nothing.
Source: the runs and reports in bubblewrap's, Codex's and srt's trackers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlxlock.errors import SandboxError

WITHOUT: Final = "run without a sandbox, which the lock then records: `--no-sandbox`"
_CONTAINER: Final = (
    "start the container with `--security-opt seccomp=unconfined --security-opt systempaths=unconfined`"
)
_NO_APPARMOR: Final = "start the container with `--security-opt apparmor=unconfined`"
_TOO_DEEP: Final = "too many sandboxes are stacked around this one"
_PROC_SYS: Final = Path("/proc/sys")
_DETAIL_LINES: Final = 5


class NoProgramError(SandboxError):
    """The program that a backend needs is not installed."""


class NoLandlockError(SandboxError):
    """The kernel cannot do what a backend needs no program for."""


def _always(_proc_sys: Path) -> bool:
    return True


def _is_zero(switch: str) -> Callable[[Path], bool]:
    def check(proc_sys: Path) -> bool:
        path = proc_sys / switch
        return path.is_file() and path.read_text(encoding="ascii").strip() == "0"

    return check


def _apparmor_alone(proc_sys: Path) -> bool:
    """Whether Ubuntu's switch is on, and no filter of a container's is in front of it."""
    switch = proc_sys / "kernel/apparmor_restrict_unprivileged_userns"
    status = proc_sys.parent / "self/status"
    filtered = status.is_file() and "\nSeccomp:\t0" not in status.read_text(
        encoding="ascii", errors="replace"
    )
    return switch.is_file() and switch.read_text(encoding="ascii").strip() == "1" and not filtered


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
    _Known(said="No permissions to creat", cause=_APPARMOR, cure=_APPARMOR_CURE, when=_apparmor_alone),
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


_NO_NAMESPACES: Final = "mlxk: unshare: Operation not permitted"
_NO_LANDLOCK: Final = (
    "use a kernel from 5.13 on (6.7 for first runs), with `landlock` in its boot parameter `lsm=`"
)
_KNOWN_OF_KERNEL: Final = (
    _Known(said="mlxk: uid map: ", cause=_APPARMOR, cure=_APPARMOR_CURE),
    _Known(said="mlxk: loopback: ", cause=_APPARMOR, cure=_APPARMOR_CURE),
    _Known(said=_NO_NAMESPACES, cause=_APPARMOR, cure=_APPARMOR_CURE, when=_apparmor_alone),
    _Known(
        said=_NO_NAMESPACES,
        cause="the kernel forbids unprivileged user namespaces",
        cure="allow them: `sudo sysctl -w kernel.unprivileged_userns_clone=1`",
        when=_is_zero("kernel/unprivileged_userns_clone"),
    ),
    _Known(
        said=_NO_NAMESPACES,
        cause="a container's seccomp profile, or another sandbox, forbids user namespaces",
        cure=_CONTAINER,
    ),
    _Known(
        said="mlxk: unshare: No space left on device",
        cause="user namespaces are switched off",
        cure="allow them: `sudo sysctl -w user.max_user_namespaces=15000`",
        when=_is_zero("user/max_user_namespaces"),
    ),
    _Known(
        said="mlxk: unshare: No space left on device",
        cause="another sandbox around this one forbids user namespaces",
        cure="run `mlxk` outside of it",
    ),
    _Known(said="mlxk: mount proc: ", cause="a container masks parts of `/proc`", cure=_CONTAINER),
    _Known(said="mlxk: mount: ", cause="a container's AppArmor profile forbids mounts", cure=_NO_APPARMOR),
    _Known(said="mlxk: landlock: Argument list too long", cause=_TOO_DEEP, cure="run `mlxk` outside of them"),
    _Known(said="mlxk: seccomp: ", cause="the kernel has no system call filters", cure=WITHOUT),
)


def without_landlock() -> NoLandlockError:
    """What there is to say when the kernel has no Landlock."""
    return NoLandlockError("this kernel has no Landlock, or it is switched off", hint=_NO_LANDLOCK)


def explain_kernel(said: str, *, proc_sys: Path = _PROC_SYS) -> SandboxError:
    """Name the cause of what the stub said when the kernel refused a step, and exactly one cure.

    Args:
        said: Its stderr.
        proc_sys: Where the kernel's switches are read.
    """
    return _explained("the kernel's own sandbox", _KNOWN_OF_KERNEL, said, proc_sys)


_KNOWN_OF_SEATBELT: Final = (
    _Known(
        said="sandbox_apply: Operation not permitted",
        cause="another sandbox around this one forbids it",
        cure="run `mlxk` outside of it",
    ),
    _Known(
        said="execvp() of",
        cause="the program of the first run cannot be started in it",
        cure="check its name in `models.toml`",
    ),
)


def explain_seatbelt(said: str) -> SandboxError:
    """Name the cause of what `sandbox-exec` said, and exactly one cure."""
    return _explained("`sandbox-exec`", _KNOWN_OF_SEATBELT, said, _PROC_SYS)


def explain_bwrap(said: str, *, proc_sys: Path = _PROC_SYS) -> SandboxError:
    """Name the cause of what bubblewrap said, and exactly one cure.

    Args:
        said: Its stderr.
        proc_sys: Where the kernel's switches are read.
    """
    return _explained("bubblewrap", _KNOWN, said, proc_sys)


def _explained(what: str, table: Sequence[_Known], said: str, proc_sys: Path) -> SandboxError:
    for known in table:
        if known.said in said and known.when(proc_sys):
            return SandboxError(
                f"{what} does not work here: {known.cause}", hint=known.cure, details=_details(said)
            )
    return SandboxError(f"{what} does not work here", hint=WITHOUT, details=_details(said))


def _details(said: str) -> tuple[str, ...]:
    return tuple(line for line in said.splitlines() if line.strip())[-_DETAIL_LINES:]


def explain_bare(said: str) -> SandboxError:
    """What there is to say when not even the bare interpreter became ready."""
    return SandboxError("the interpreter does not start", details=_details(said))
