"""The sandbox that works here: the first of the table that is strong enough and passes its probe.

Owns the choice, which fails closed: without a working backend there is an error, never a weaker sandbox than
was asked for, and never none.
"""

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from mlxlock.capture.backends import BACKENDS, Backend
from mlxlock.capture.diagnosis import WITHOUT
from mlxlock.capture.search import Search
from mlxlock.errors import SandboxError
from mlxlock.ports import Sandbox


def _which(name: str, search_path: str) -> str | None:
    return shutil.which(name, path=search_path)


def choose(
    require: Literal["full", "partial"],
    *,
    project: Path | None,
    python: Path = Path(sys.executable),
    which: Callable[[str, str], str | None] = _which,
    backends: Sequence[Backend] = BACKENDS,
) -> Sandbox:
    """Find a sandbox of at least this level; it has already run something.

    Args:
        require: `full` also isolates the network by address, `partial` may not.
        project: Programs below it are ignored.
        python: The interpreter that the jobs will use; every job may read what it consists of.
        which: Finds a program's name in a search path.
        backends: What there is to choose from.

    Raises:
        SandboxError: Nothing works here; it names the cause and one cure.
    """
    search = Search(
        which=which, search_path=os.environ.get("PATH", os.defpath), project=project, python=python
    )
    refusals = list[SandboxError]()
    for backend in backends:
        if backend.platform != sys.platform or (require == "full" and backend.level != "full"):
            continue
        try:
            return backend.find(search)
        except SandboxError as error:
            refusals.append(error)
    if not refusals:
        raise SandboxError(f"there is no sandbox of level `{require}` for `{sys.platform}`", hint=WITHOUT)
    raise refusals[0]
