"""How the user asked to be answered."""

from dataclasses import dataclass

from mlxlock.render.text import Color


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How to show things.

    Attributes:
        json: One JSON object on stdout instead of text.
        quiet: 1 leaves out steps and bars, 2 leaves out everything but errors.
        verbose: Details too.
        progress: Whether bars may be drawn.
        color: When to use colours.
    """

    json: bool = False
    quiet: int = 0
    verbose: int = 0
    progress: bool = True
    color: Color = "auto"
