"""Reports, errors and progress on a terminal or as JSON: the one place that knows colour, width and bars.

Results go to stdout, everything else to stderr. Colour is never load-bearing, and no text of unknown origin
can move a terminal's cursor. `progress` is imported where something runs: help and errors have none.
"""

from mlxlock.render.answers import OutputLostError, listened_to, show_error, show_report
from mlxlock.render.look import Look
from mlxlock.render.text import Color, safe

__all__ = ["Color", "Look", "OutputLostError", "listened_to", "safe", "show_error", "show_report"]
