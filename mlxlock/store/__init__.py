"""EFFECT: the user's blobs on disk. Content-addressed, verified once, shared by all projects.

Its parts are imported when they are asked for: `list` and `show` only need to know where things are.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mlxlock.store.blobs import DirectoryStore
    from mlxlock.store.gc import Pruned
    from mlxlock.store.locations import default_hf_caches, default_store_dir

__all__ = ["DirectoryStore", "Pruned", "default_hf_caches", "default_store_dir"]

_HOMES: Final = {
    "DirectoryStore": "mlxlock.store.blobs",
    "Pruned": "mlxlock.store.gc",
    "default_hf_caches": "mlxlock.store.locations",
    "default_store_dir": "mlxlock.store.locations",
}


def __getattr__(name: str) -> object:
    """Import the module that has it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
