"""The JSON files of a model that may name code: each file is searched, and only those are read.

A step of `lock` and `run`. Owns that no file is skipped for its size or its place, in bounded memory.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from mlxlock.errors import PolicyError
from mlxlock.fs import CHUNK_BYTES, disk_errors
from mlxlock.spec.inspection import CONFIG, decoded, may_name_code
from mlxlock.spec.toml_text import shown

MAX_BYTES: Final = 64 << 20
"""More than this is no configuration: large files of JSON are tokenizers and indexes, and name no code."""
_OVERLAP: Final = 64


def json_texts(files: Iterable[tuple[str, Path]]) -> dict[str, str]:
    """The text of `config.json`, and of every JSON file that may name code; what is left out names none.

    Args:
        files: Each file's path in the model, and where it is.

    Raises:
        PolicyError: One may name code and is too large to be read.
        DiskError: One cannot be read.
    """
    texts: dict[str, str] = {}
    for name, path in files:
        if not name.lower().endswith(".json"):
            continue
        with disk_errors(path, doing="read"):
            if name == CONFIG or _may_name_code(path):
                texts[name] = decoded(_whole(name, path))
    return texts


def _may_name_code(path: Path) -> bool:
    with path.open("rb") as file:
        tail = b""
        while chunk := file.read(CHUNK_BYTES):
            if may_name_code(tail + chunk):
                return True
            tail = chunk[-_OVERLAP:]
    return False


def _whole(name: str, path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise PolicyError(
            f"`{shown(name)}` may name code that would be executed, and is too large to tell",
            hint="`exclude` it in `models.toml`, or choose another model",
        )
    return data
