"""Runs inside a client's own interpreter: one call of huggingface_hub for each line of standard input.

Stands alone, for that interpreter knows nothing of this project. A line is `[name, arguments]`, the answer
`{"value": ...}` or `{"error": [class names, text]}`.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

import huggingface_hub


def main() -> None:
    """Answer until the input ends."""
    for line in sys.stdin:
        name, arguments = json.loads(line)
        sys.stdout.write(json.dumps(_answer(name, arguments)) + "\n")
        sys.stdout.flush()


def _answer(name: str, arguments: dict[str, object]) -> dict[str, object]:
    call = getattr(huggingface_hub, name)
    try:
        return {"value": _plain(call(**arguments))}
    except (OSError, ValueError, RuntimeError) as error:
        return {"error": [[kind.__name__ for kind in type(error).__mro__], str(error)]}


def _plain(value: object) -> object:
    """Turn whatever the library returns into JSON."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, datetime | Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Iterable):
        return [_plain(item) for item in value]
    return {key: _plain(item) for key, item in vars(value).items()}


if __name__ == "__main__":
    main()
