"""Brings an older lock's raw table to today's form, one version at a time, before it is read into values.

Each upgrade takes the parsed document of its version and returns that of the next. The table is empty today:
version 1 is the first. Source of the idea: npins' `versions.rs`.
"""

from collections.abc import Callable, Mapping
from typing import Final

from mlxlock.errors import LockfileError, LockNewerError
from mlxlock.spec.lockfile import VERSION

Document = Mapping[str, object]
Upgrade = Callable[[Document], Document]

UPGRADES: Final[Mapping[int, Upgrade]] = {}
"""The upgrade *from* each version."""


def upgrade(
    document: Document,
    name: str,
    *,
    upgrades: Mapping[int, Upgrade] = UPGRADES,
    current: int = VERSION,
) -> Document:
    """The document as version `current` writes it.

    Args:
        document: What `tomllib` gave.
        name: The file's name, for messages.
        upgrades: The upgrade from each older version.
        current: The version to reach.

    Raises:
        LockfileError: It has no version, or one that never existed.
        LockNewerError: It is of a later version than this mlxlock knows.
    """
    version = document.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise LockfileError(f"`{name}` does not say its `version`")
    if version > current:
        raise LockNewerError(
            f"`{name}` has version {version}, and this mlxlock reads up to {current}",
            hint="upgrade mlxlock",
        )
    for step in range(version, current):
        document = {**upgrades[step](document), "version": step + 1}
    return document
