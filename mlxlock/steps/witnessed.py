"""Puts the witness (`runners/witness.py`) into every Python of a child, before anything else is imported.

A step of `lock` and `run`. Owns where it stands and which variables tell it what to do; what it wrote is
`testimony`'s.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from mlxlock.ports import Laboratory


def witnessed(
    variables: Mapping[str, str], laboratory: Laboratory, scratch: Path, testimony: Path
) -> dict[str, str]:
    """The environment in which every Python tells what it asks for.

    Args:
        variables: The child's environment.
        laboratory: Has the script.
        scratch: Where the child can read it.
        testimony: Where it writes.
    """
    place = scratch / "witness"
    place.mkdir(exist_ok=True)
    shutil.copyfile(laboratory.runners / "witness.py", place / "sitecustomize.py")
    path = os.pathsep.join(filter(None, [str(place), variables.get("PYTHONPATH")]))
    return {**variables, "PYTHONPATH": path, "MLXK_WITNESS": str(testimony)}
