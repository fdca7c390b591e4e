"""What the interpreter that would run models has installed, by its packages' metadata. Starts nothing."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from mlxlock.cli.interpreter import find_python
from mlxlock.errors import RuntimeMissingError
from mlxlock.planning.runtime import PACKAGES
from mlxlock.ports import Installed

_PLACES: Final = (
    "lib/python3*/site-packages",
    "lib/python3*/dist-packages",
    "local/lib/python3*/dist-packages",
)
# Not by importlib.metadata, which takes longer to import than a listing takes.
_METADATA: Final = re.compile(r"(?P<name>[A-Za-z0-9._]+)-(?P<version>[^-]+)\.dist-info")


def installed(declared: str | None, project: Path, env: Mapping[str, str]) -> Installed:
    """The packages of the Python that `run` would use.

    Args:
        declared: `[sandbox] python` of the manifest.
        project: The project's directory, or the current one.
        env: The process's environment.
    """
    try:
        python = find_python(declared, project, env)
    except RuntimeMissingError as error:
        return Installed(problem=error.reason)
    prefix = python.absolute().parent.parent
    return Installed(packages=dict(_found(path for place in _PLACES for path in prefix.glob(place))))


def _found(directories: Iterator[Path]) -> Iterator[tuple[str, str]]:
    for directory in directories:
        for entry in directory.iterdir():
            metadata = _METADATA.fullmatch(entry.name)
            if metadata is not None:
                name = re.sub(r"[._]+", "-", metadata["name"]).lower()
                if name in PACKAGES:
                    yield name, metadata["version"]
