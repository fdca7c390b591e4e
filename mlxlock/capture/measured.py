"""What was measured on an earlier day: a sandbox's level, for as long as nothing it rests on has changed.

Owns the key: the operating system's build, the switches and confinements that this process is under, the
backend, the interpreter, mlxlock itself. A file that cannot be read or says nonsense is measured again; a
refusal is never remembered.
"""

import hashlib
import json
import os
import platform
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from mlxlock import __version__
from mlxlock.capture.candidate import Candidate, Level
from mlxlock.errors import DiskError
from mlxlock.fs import disk_errors, write_atomic

_SWITCHES: Final = (
    "/proc/sys/user/max_user_namespaces",
    "/proc/sys/kernel/unprivileged_userns_clone",
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
    "/proc/self/attr/current",
)
_NAMESPACES: Final = ("user", "mnt", "pid", "net")
_CODE: Final = ("stub.py", "kernel.py", "escape.py", "seccomp.py", "confinement.py", "seatbelt_profile.py")


def known_level(candidate: Candidate, memory: Path) -> Level | None:
    """The level that was measured when all was as it is now.

    Args:
        candidate: A sandbox.
        memory: The directory of measured levels.
    """
    key = _key(candidate)
    try:
        said = json.loads(_file(key, memory).read_bytes())
    except (OSError, ValueError):
        return None
    for level in ("full", "partial"):
        if said == {"key": key, "level": level}:
            return level
    return None


def remember(candidate: Candidate, level: Level, memory: Path) -> None:
    """Keep a measured level; where the disk refuses, the next run measures again."""
    key = _key(candidate)
    text = json.dumps({"key": key, "level": level}, indent=1, sort_keys=True) + "\n"
    with suppress(DiskError):
        with disk_errors(memory):
            memory.mkdir(parents=True, exist_ok=True)
        write_atomic(_file(key, memory), text.encode())


def _file(key: Mapping[str, str], memory: Path) -> Path:
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return memory / f"{name[:32]}.json"


def _key(candidate: Candidate) -> dict[str, str]:
    return {
        "system": f"{sys.platform} {platform.release()} {platform.version()} {platform.mac_ver()[0]}",
        "user": f"{os.geteuid()} {Path('~').expanduser()}",
        "mlxlock": f"{__version__} {_code()}",
        "backend": candidate.sandbox.name,
        "claims": candidate.claims,
        "interpreter": identity_of(candidate.python),
        **{name: _read(name) for name in _SWITCHES},
        **{f"{name} namespace": _linked(f"/proc/self/ns/{name}") for name in _NAMESPACES},
        "confined": _confined(),
        **candidate.identity,
    }


def identity_of(program: Path) -> str:
    """A program's path, where it leads, and the size and time of what is there."""
    found = program.resolve()
    stat = found.stat()
    return f"{program} {found} {stat.st_size} {stat.st_mtime_ns}"


def _code() -> str:
    here = Path(__file__).parent
    return hashlib.sha256(b"".join((here / name).read_bytes() for name in _CODE)).hexdigest()[:16]


def _confined() -> str:
    """Which filters and privileges this process has itself: a sandbox around it changes what works in it."""
    lines = _read("/proc/self/status").splitlines()
    return " ".join(line for line in lines if line.startswith(("CapEff", "NoNewPrivs", "Seccomp")))


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip("\0\n")
    except OSError:
        return ""


def _linked(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""
