"""A first run as the manifest declares it: what the sandboxed run of a model exercises.

Owns the value and the names of its keys; `manifest` and `lockfile_reader` both read it through here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Compare = Literal["output", "none"]

TEXT_KEYS: Final = (
    "prompt",
    "image",
    "audio",
    "text",
    "language",
    "voice",
    "ref-audio",
    "ref-text",
    "system",
)
"""Keys whose value is a text (paths are relative to the project), in canonical order."""
INT_KEYS: Final = ("max-tokens", "seed")
FLAG_KEYS: Final = ("vad",)
KEYS: Final = ("name", "command", *TEXT_KEYS, *INT_KEYS, *FLAG_KEYS, "timeout-s", "compare")
DEFAULT_TIMEOUT_S: Final = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRun:
    """One named run.

    Attributes:
        name: How the lock's proofs call it.
        command: A project's own program instead of the built-in runner.
        options: The other keys that were given, as given (`prompt`, `audio`, ...).
        timeout_s: Seconds after which it is killed; None for the default.
        compare: `none` for output that cannot be compared; None for the default (`output`).
    """

    name: str
    command: tuple[str, ...] | None = None
    options: Mapping[str, str | int | bool] = field(default_factory=dict)
    timeout_s: int | None = None
    compare: Compare | None = None
