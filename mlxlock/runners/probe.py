"""Say what an interpreter is and which model libraries it has, as JSON on stdout: `python probe.py`.

Stands alone: the standard library only. It never imports MLX, which would take a second and touch the GPU.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import sys
from pathlib import Path

_PACKAGES = (
    "huggingface-hub",
    "mistral-common",
    "mlx",
    "mlx-audio",
    "mlx-lm",
    "mlx-vlm",
    "numpy",
    "tokenizers",
    "torch",
    "transformers",
)


def probe() -> dict[str, object]:
    """Describe the running interpreter.

    Returns:
        `python` (major.minor), `platform`, `prefix` and `base_prefix`, `paths` that are imported from but lie
        outside both (editable installs, PYTHONPATH), and `packages` with their versions, by normalised name.
    """
    return {
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "platform": _platform(),
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
        "paths": _outside_paths(),
        "packages": _packages(),
    }


def _platform() -> str:
    """Name the system and the machine that this process runs as, in the words of Python's wheels."""
    system = {"darwin": "macosx"}.get(sys.platform, sys.platform)
    return f"{system}-{platform.machine().lower()}"


def _outside_paths() -> list[str]:
    here = Path(__file__).resolve().parent
    inside = [Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix)]
    return [
        path
        for path in dict.fromkeys(sys.path)
        if path and Path(path).exists() and not _is_below(Path(path).resolve(), [here, *inside])
    ]


def _is_below(path: Path, roots: list[Path]) -> bool:
    return any(path == root or root in path.parents for root in roots)


def _packages() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


if __name__ == "__main__":
    json.dump(probe(), sys.stdout)
    sys.stdout.write("\n")
