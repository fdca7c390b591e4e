"""Where an interpreter keeps itself: what has to be readable for it to run, and nothing around it.

Asks the interpreter, isolated from the caller's environment and directory. It runs the project's own site
configuration, as every run of the project does; it never runs a model's code.
"""

import json
import subprocess
from pathlib import Path
from typing import Final

from mlxlock.errors import SandboxError

_ASK: Final = "import json, sys; print(json.dumps([sys.prefix, sys.base_prefix, *sys.path]))"
_TIMEOUT_S: Final = 60
_HINT: Final = 'name a working interpreter: `[sandbox] python = ".venv/bin/python"` in `models.toml`'


def interpreter_paths(python: Path) -> tuple[Path, ...]:
    """The prefix, the base prefix and every further entry of `sys.path` that exists.

    Raises:
        SandboxError: The interpreter does not run.
    """
    try:
        answer = subprocess.run(
            (python, "-I", "-c", _ASK), env={}, capture_output=True, timeout=_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise SandboxError(f"the interpreter `{python}` does not run", hint=_HINT) from error
    named = [Path(entry) for entry in json.loads(answer.stdout) if entry]
    return tuple(dict.fromkeys(path for path in named if path.is_absolute() and path.exists()))
