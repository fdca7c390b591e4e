"""Whether an interpreter has what a model needs to run, by the names of its packages alone. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlxlock.planning.description import Description
    from mlxlock.spec.manifest import Kind

LIBRARY: Final[Mapping[Kind, str]] = {
    "text": "mlx-lm",
    "vision": "mlx-vlm",
    "stt": "mlx-audio",
    "tts": "mlx-audio",
    "sts": "mlx-audio",
    "vad": "mlx-audio",
    "codec": "mlx-audio",
    "lid": "mlx-audio",
    "music": "mlx-audio",
    "embedding": "mlx-vlm",
}
"""The library that runs a kind."""
BACKENDS: Final[Mapping[str, tuple[str, ...]]] = {
    "darwin": ("mlx-metal",),
    "linux": ("mlx-cpu", "mlx-cuda-12", "mlx-cuda-13", "mlx-cuda"),
}
"""What `mlx` computes with, by `sys.platform`: on Linux it comes without any."""
PACKAGES: Final = (
    "mlx",
    *sorted({*LIBRARY.values(), *(name for names in BACKENDS.values() for name in names)}),
)


def runtime_problem(description: Description, packages: Mapping[str, str], platform: str) -> str | None:
    """Why a model does not run there; None when it should.

    Args:
        description: The model.
        packages: Versions by name, of those in `PACKAGES`.
        platform: As `sys.platform` says it.
    """
    if description.framework == "GGUF":
        return "MLX libraries do not run GGUF files"
    if description.kind is None:
        return "its kind cannot be told"
    library = LIBRARY[description.kind]
    for name in ("mlx", library):
        if name not in packages:
            return f"`{name}` is not installed"
    backends = BACKENDS.get(platform, ())
    if not any(name in packages for name in backends):
        return "`mlx` has no backend there: install `mlx[cpu]`" if backends else "MLX does not run here"
    return None
