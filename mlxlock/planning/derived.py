"""Which files below `.hf_cache` are only derived: made again by whoever needs them, so never locked. Pure.

Owns the list. It is made of names that tools use for nothing else; everything that is not on it is somebody's
file, and has to be accounted for.
"""

from typing import Final

_DIRECTORIES: Final = frozenset({"__pycache__", ".locks"})
_SUFFIXES: Final = (".pyc", ".incomplete", ".nbi", ".nbc")
"""Python's and numba's compiled code, and what huggingface_hub had not finished."""
_NAMES: Final = frozenset({".agent_harnesses.json", "CACHEDIR.TAG", ".DS_Store"})
_OF_PIP: Final = frozenset({"INSTALLER", "RECORD", "REQUESTED", "direct_url.json"})
"""What pip writes of its own into a `.dist-info`: when, from where, and with which paths of this machine."""
_TOOLS: Final = frozenset(
    {"fontconfig", "matplotlib", "mesa_shader_cache", "mesa_shader_cache_db", "numba", "nvidia", "pip", "uv"}
)
"""Caches of tools, below a user's cache directory."""
_CACHES: Final = ("xdg", "home/.cache", "home/Library/Caches")
_PLACES: Final = (
    "python/bin",  # scripts by which pip starts what it installed; they name this machine's Python
    "hub/version.txt",
    "hub/blobs",
    "modules",
    "xet",
    "home/.config/matplotlib",
    "home/.matplotlib",
    "home/.nv",
    "home/.python_history",
    *(f"{cache}/{tool}" for cache in _CACHES for tool in sorted(_TOOLS)),
)


def is_derived(path: str, size_bytes: int) -> bool:
    """Whether a file needs no place in a lock.

    Args:
        path: Below `.hf_cache`.
        size_bytes: Lock files are empty; a file of that name with bytes is none.
    """
    *folders, name = path.split("/")
    if _DIRECTORIES.intersection(folders) or name in _NAMES or name.endswith(_SUFFIXES):
        return True
    if name.endswith(".lock") and size_bytes == 0:
        return True
    if name in _OF_PIP and folders and folders[-1].endswith(".dist-info"):
        return True
    if path.startswith("home/Library/Caches/com.apple."):
        return True
    return _is_of_hub_trees(folders) or any(
        path == place or path.startswith(f"{place}/") for place in _PLACES
    )


def _is_of_hub_trees(folders: list[str]) -> bool:
    """`hub/<repo>/trees`: what a repo's whole tree is, which a lock knows better."""
    return len(folders) > 2 and folders[0] == "hub" and folders[2] == "trees"
