"""Where a user keeps workspaces. Pure functions of an environment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mlxlock.fs import named_directories, named_directory

HOME_VARIABLE: Final = "MLXK_WORKSPACE_HOME"
PATH_VARIABLE: Final = "MLXK_MODEL_PATH"


def workspace_home(env: Mapping[str, str], home: Path) -> Path | None:
    """The directory that `MLXK_WORKSPACE_HOME` names: where `clone` puts models; None when it is unset."""
    return named_directory(env, HOME_VARIABLE, home)


def workspace_roots(env: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    """Each directory that is searched for workspaces: the home, then each of `MLXK_MODEL_PATH`, once."""
    first = workspace_home(env, home)
    roots = (*(() if first is None else (first,)), *named_directories(env, PATH_VARIABLE, home))
    return tuple(dict.fromkeys(roots))
