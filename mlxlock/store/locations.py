"""Where the store is, and where the user's own Hugging Face caches are. Pure functions of an environment.

An empty variable counts as unset, `~/` is the user's home, a relative path is below the current directory.
"""

from collections.abc import Mapping
from pathlib import Path

from mlxlock.fs import named_directory


def default_store_dir(env: Mapping[str, str], platform: str, home: Path) -> Path:
    """The store's directory: `MLXK_STORE_DIR`, else `mlxlock` in the user's cache directory.

    Args:
        env: The process's environment.
        platform: As `sys.platform` says it.
        home: The user's home directory.
    """
    named = named_directory(env, "MLXK_STORE_DIR", home)
    if named is not None:
        return named
    if platform == "darwin":
        return home / "Library" / "Caches" / "mlxlock"
    return _cache_home(env, home) / "mlxlock"


def default_hf_caches(env: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    """The hub cache, which holds the `models--…` folders: the one that huggingface_hub would use."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        named = named_directory(env, name, home)
        if named is not None:
            return (named,)
    base = named_directory(env, "HF_HOME", home) or _cache_home(env, home) / "huggingface"
    return (base / "hub",)


def _cache_home(env: Mapping[str, str], home: Path) -> Path:
    return named_directory(env, "XDG_CACHE_HOME", home) or home / ".cache"
