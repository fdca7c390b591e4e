"""Quantize one model, as JOB.json says: `python convert.py JOB.json`.

Owns which library does it and how it is called. Stands alone in a project's interpreter: the standard library
and mlx-lm or mlx-vlm, and nothing of mlxlock. Exits 0 when the model is written, 1 on a failure, 3 without
the library.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

_LIBRARIES = {"text": ("mlx_lm", "mlx-lm"), "vision": ("mlx_vlm", "mlx-vlm")}


def convert(job: dict[str, Any]) -> dict[str, Any]:
    """Write the quantized model to `target`, which must not exist.

    Args:
        job: `kind`, `model`, `target`, `bits`, `group_size` (null is the library's own default) and
            `trust_remote_code`.

    Returns:
        `library` and its `version`.
    """
    name, package = _LIBRARIES[job["kind"]]
    arguments = {
        "mlx_path": job["target"],
        "quantize": True,
        "q_bits": job["bits"],
        "trust_remote_code": job["trust_remote_code"],
    }
    if job["group_size"] is not None:
        arguments["q_group_size"] = job["group_size"]
    if name == "mlx_lm":
        from mlx_lm.convert import convert as work
    else:
        from mlx_vlm.convert import convert as work
    work(job["model"], **arguments)
    return {"library": package, "version": importlib.metadata.version(package)}


def main(path: str) -> int:
    """Do the job in `path`; what came of it stands in the job's `output`."""
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    module, package = _LIBRARIES[job["kind"]]
    if importlib.util.find_spec("mlx") is None or importlib.util.find_spec(module) is None:
        message = f"{package} is not installed for {sys.executable}"
        _write(job, {"ok": False, "error": _error("missing-library", message)})
        return 3
    try:
        done = convert(job)
    except Exception as error:
        _write(job, {"ok": False, "error": _error(type(error).__name__, str(error))})
        raise
    _write(job, {"ok": True, "output": done})
    return 0


def _error(kind: str, message: str) -> dict[str, str]:
    return {"type": kind, "message": message, "phase": "convert"}


def _write(job: dict[str, Any], result: dict[str, Any]) -> None:
    Path(job["output"]).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
