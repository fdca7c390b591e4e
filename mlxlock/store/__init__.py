"""EFFECT: the user's blobs on disk. Content-addressed, verified once, shared by all projects."""

from mlxlock.store.blobs import DirectoryStore
from mlxlock.store.gc import Pruned
from mlxlock.store.locations import default_hf_caches, default_store_dir

__all__ = ["DirectoryStore", "Pruned", "default_hf_caches", "default_store_dir"]
