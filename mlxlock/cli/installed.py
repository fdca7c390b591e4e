"""What the interpreter that would run models has installed, by its packages' metadata. Starts nothing."""

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path

from mlxlock.cli.interpreter import find_python
from mlxlock.errors import RuntimeMissingError
from mlxlock.planning.runtime import PACKAGES
from mlxlock.ports import Installed


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
    patterns = (
        "lib/python3*/site-packages",
        "lib/python3*/dist-packages",
        "local/lib/python3*/dist-packages",
    )
    paths = [str(path) for pattern in patterns for path in sorted(prefix.glob(pattern))]
    found = {name: _version(name, paths) for name in PACKAGES}
    return Installed(packages={name: version for name, version in found.items() if version is not None})


def _version(name: str, paths: list[str]) -> str | None:
    found = importlib.metadata.distributions(name=name, path=paths)
    return next((each.version for each in found), None)
