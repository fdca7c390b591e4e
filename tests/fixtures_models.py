"""A session fixture that gives tests real models: built once, kept between sessions, never changed."""

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[1]
_LIBRARIES = ("mlx", "mlx-lm", "mlx-vlm", "mlx-audio")


@pytest.fixture(scope="session")
def tiny_models() -> Path:
    """Return the tree of all tiny models, `<org>/<name>/...`; copy what you want to change.

    It is kept in `$MLXK_TEST_CACHE`, or in `.cache/tests` of the checkout, under a name that follows from the
    libraries' versions and from the source of `tests.tinymodels`.
    """
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name.replace("-", "_")) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")
    cache = Path(os.environ.get("MLXK_TEST_CACHE") or _ROOT / ".cache" / "tests")
    cache.mkdir(parents=True, exist_ok=True)
    tree = cache / f"tinymodels-{_key()}"
    with (cache / "tinymodels.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.is_dir():
            _build(tree)
    return tree


def _key() -> str:
    versions = "".join(f"{name} {importlib.metadata.version(name)}\n" for name in _LIBRARIES)
    sources = sorted((_ROOT / "tests" / "tinymodels").glob("*.py"))
    content = b"".join(path.name.encode() + path.read_bytes() for path in sources if not _is_test(path))
    return hashlib.sha256(versions.encode() + content).hexdigest()[:16]


def _is_test(path: Path) -> bool:
    return path.name.startswith("test_")


def _build(tree: Path) -> None:
    """Build in another process: MLX patches transformers as it is imported, and warns."""
    with tempfile.TemporaryDirectory(dir=tree.parent) as scratch:
        made = Path(scratch) / "tree"
        command = [sys.executable, "-m", "tests.tinymodels", str(made)]
        subprocess.run(command, cwd=_ROOT, check=True, capture_output=True, timeout=240)
        made.rename(tree)
