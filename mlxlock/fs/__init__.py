"""Effects on a filesystem, each safe to be killed in: atomic writes, locks, clones, hashes, open-below-root.

Owns how bytes get to a disk and how its refusals become a `DiskError`. Knows no store and no workspace.
For Linux and macOS.
"""

from mlxlock.fs.atomic import write_all, write_atomic
from mlxlock.fs.below import Root
from mlxlock.fs.copying import clone, copy_hashed, hardlink
from mlxlock.fs.hashing import (
    ALGORITHMS,
    CHUNK_BYTES,
    Algorithm,
    Digests,
    Hasher,
    hash_file,
    open_regular,
    read_chunks,
)
from mlxlock.fs.listing import files_below
from mlxlock.fs.locks import locked, locked_file
from mlxlock.fs.places import expanded, named_directories, named_directory
from mlxlock.fs.refusals import disk_errors, free_bytes, same_filesystem
from mlxlock.fs.removing import remove_tree
from mlxlock.fs.scratch import scratch_directory, temporary_directory

__all__ = [
    "ALGORITHMS",
    "CHUNK_BYTES",
    "Algorithm",
    "Digests",
    "Hasher",
    "Root",
    "clone",
    "copy_hashed",
    "disk_errors",
    "expanded",
    "files_below",
    "free_bytes",
    "hardlink",
    "hash_file",
    "locked",
    "locked_file",
    "named_directories",
    "named_directory",
    "open_regular",
    "read_chunks",
    "remove_tree",
    "same_filesystem",
    "scratch_directory",
    "temporary_directory",
    "write_all",
    "write_atomic",
]
