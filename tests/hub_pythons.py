"""Interpreters with the versions of huggingface_hub that the suite is held against.

Owns small virtual environments below `MLXK_TEST_CACHE` (default `.cache/tests`), made once. The interpreter
that runs the suite stands for its own version. `python -m tests.hub_pythons` makes them ahead of time.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

REQUIREMENTS: Final = {"1.33": "huggingface_hub==1.33.*", "2": "huggingface_hub>=2,<3"}
_REPO: Final = Path(__file__).resolve().parent.parent
_INSTALL_TIMEOUT_S: Final = 400


def cache_dir(environment: Mapping[str, str]) -> Path:
    """Return where the suite keeps what is worth making only once."""
    return Path(environment.get("MLXK_TEST_CACHE") or _REPO / ".cache" / "tests")


def ensure_hub_pythons(cache: Path, environment: Mapping[str, str]) -> dict[str, Path]:
    """Return an interpreter for every version, making those that are missing.

    Args:
        cache: Where the virtual environments stand.
        environment: Of the installer; it needs the owner's real one, with the package index set up.

    Raises:
        CalledProcessError: A package could not be installed.
    """
    return {name: _ensure(name, cache, environment) for name in REQUIREMENTS}


def _ensure(name: str, cache: Path, environment: Mapping[str, str]) -> Path:
    requirement = REQUIREMENTS[name]
    if Requirement(requirement).specifier.contains(version("huggingface_hub")):
        return Path(sys.executable)
    folder = cache / f"huggingface_hub-{name}"
    stamp, expected = folder / ".complete", f"{requirement}\n{sys.version}\n"
    with _locked(cache / f"{folder.name}.lock"):
        if not stamp.is_file() or stamp.read_text(encoding="utf-8") != expected:
            _install(folder, requirement, environment)
            stamp.write_text(expected, encoding="utf-8")
    return folder / "bin" / "python"


def _install(folder: Path, requirement: str, environment: Mapping[str, str]) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    python = str(folder / "bin" / "python")
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement],
    ):
        subprocess.run(command, check=True, env=dict(environment), timeout=_INSTALL_TIMEOUT_S)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the only lock of its name, so that parallel workers make one environment together."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    for made in ensure_hub_pythons(cache_dir(os.environ), os.environ).values():
        sys.stdout.write(f"{made}\n")
