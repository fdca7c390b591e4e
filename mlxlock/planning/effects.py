"""Joins what first runs left with what an entry has. Pure."""

from dataclasses import replace

from mlxlock.spec.digest import EMPTY_BLAKE3
from mlxlock.spec.effects import Effects
from mlxlock.spec.lockfile import LockedModel


def with_effects(model: LockedModel, effects: Effects) -> LockedModel:
    """The entry with all of these that it can still bring: a copy of a file that it lost is none any more."""
    sources = replace(model, effects=replace(effects, copies=(), unpacked=()))
    known = sources.contents()
    unpacked = tuple(each for each in effects.unpacked if each.archive in known)
    whole = replace(model, effects=replace(sources.effects, unpacked=unpacked))
    contents = {EMPTY_BLAKE3, *whole.contents()}
    copies = tuple(copy for copy in effects.copies if copy.blake3 in contents)
    return replace(whole, effects=replace(whole.effects, copies=copies))
