"""Where the store is, and where the user's own Hugging Face caches are. Pure functions of an environment."""

from collections.abc import Mapping
from pathlib import Path


def default_store_dir(env: Mapping[str, str], platform: str, home: Path) -> Path:
    """The store's directory: `MLXK_STORE_DIR`, else `mlxlock` in the user's cache directory.

    An empty variable counts as unset, a relative path is taken from the current directory.
    """
    if env.get("MLXK_STORE_DIR"):
        return Path(env["MLXK_STORE_DIR"]).absolute()
    if platform == "darwin":
        return home / "Library" / "Caches" / "mlxlock"
    return _cache_home(env, home) / "mlxlock"


def default_hf_caches(env: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    """The hub cache that huggingface_hub would use, found by its own rules."""
    named = env.get("HF_HUB_CACHE") or env.get("HUGGINGFACE_HUB_CACHE")
    if named:
        return (Path(named).absolute(),)
    hf_home = env.get("HF_HOME")
    base = Path(hf_home).absolute() if hf_home else _cache_home(env, home) / "huggingface"
    return (base / "hub",)


def _cache_home(env: Mapping[str, str], home: Path) -> Path:
    named = env.get("XDG_CACHE_HOME")
    return Path(named).absolute() if named else home / ".cache"
