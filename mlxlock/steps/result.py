"""What a runner wrote to RESULT.json, read with care: the model's code could have written it too."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mlxlock.errors import RuntimeMissingError
from mlxlock.fs import open_regular
from mlxlock.planning.runtime import PACKAGES
from mlxlock.ports import Laboratory
from mlxlock.spec.toml_text import shown

MAX_RESULT_BYTES: Final = 1 << 20


def read_result(path: Path, *, most_bytes: int = MAX_RESULT_BYTES) -> dict[str, Any]:
    """What the runner wrote: no link is followed, no pipe waited for, and nesting without end is nothing."""
    try:
        with open_regular(path) as fd, open(fd, "rb", closefd=False) as file:
            text = file.read(most_bytes + 1)
        parsed = {} if len(text) > most_bytes else json.loads(text)
    except (OSError, ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def raise_missing(result: Mapping[str, Any], laboratory: Laboratory) -> None:
    """Raise when the runner says that its library is missing.

    Raises:
        RuntimeMissingError: It does.
    """
    error = result.get("error")
    if isinstance(error, dict) and error.get("type") == "missing-library":
        python, message = laboratory.interpreter().python, str(error.get("message"))
        named = message.partition(" ")[0]
        raise RuntimeMissingError(
            shown(message),
            hint=f"install it there (`{python} -m pip install {named if named in PACKAGES else '…'}`), "
            f'or name another interpreter: `[sandbox] python = "..."`',
        )
