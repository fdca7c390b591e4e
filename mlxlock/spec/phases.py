"""What a first run is doing when it asks for something. Owns the words, which the runners write."""

from typing import Final, Literal

Phase = Literal["import", "load", "generate"]
PHASES: Final[tuple[Phase, ...]] = ("import", "load", "generate")
