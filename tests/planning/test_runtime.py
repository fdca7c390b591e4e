"""Whether an interpreter has what a model needs, by the names of its packages."""

import pytest

from mlxlock.planning.description import describe
from mlxlock.planning.runtime import PACKAGES, runtime_problem
from mlxlock.spec.model_facts import ModelFacts
from tests.planning.model_facts import facts

TEXT, STT = facts({"model_type": "llama"}), facts({"model_type": "whisper"})


@pytest.mark.parametrize(
    ("found", "packages", "platform", "problem"),
    [
        (TEXT, "mlx mlx-lm mlx-metal", "darwin", None),
        (TEXT, "mlx mlx-lm mlx-cpu", "linux", None),
        (TEXT, "mlx mlx-lm mlx-cuda-12", "linux", None),
        (TEXT, "", "darwin", "`mlx` is not installed"),
        (TEXT, "mlx mlx-metal", "darwin", "`mlx-lm` is not installed"),
        (STT, "mlx mlx-lm mlx-metal", "darwin", "`mlx-audio` is not installed"),
        (TEXT, "mlx mlx-lm", "linux", "`mlx` has no backend there: install `mlx[cpu]`"),
        (TEXT, "mlx mlx-lm mlx-cpu", "win32", "MLX does not run here"),
        (facts({"model_type": "unheard-of"}), "mlx mlx-lm mlx-metal", "darwin", "its kind cannot be told"),
        (facts(None, {"m.gguf": None}), "mlx mlx-metal", "darwin", "MLX libraries do not run GGUF files"),
    ],
)
def test_what_is_missing_is_said(
    found: ModelFacts, packages: str, platform: str, problem: str | None
) -> None:
    installed = dict.fromkeys(packages.split(), "1")
    assert installed.keys() <= set(PACKAGES)
    assert runtime_problem(describe(found, None), installed, platform) == problem
