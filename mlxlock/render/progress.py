"""What happens while it happens: steps, warnings and one bar, on stderr."""

import sys
from threading import Lock
from typing import TYPE_CHECKING, Final, Literal, NoReturn

from mlxlock.ports import Advanced, Event, Finished, Note, Started
from mlxlock.render.answers import say
from mlxlock.render.look import Look
from mlxlock.render.text import cut, is_terminal, painted, safe

if TYPE_CHECKING:
    from tqdm import tqdm


_FORMATS: Final = {
    "B": "{desc} {percentage:3.0f}% |{bar:-4}| {n_fmt}/{total_fmt} {rate_fmt} {remaining}",
    "files": "{desc} {percentage:3.0f}% |{bar:-4}| {n_fmt}/{total_fmt}",
}
"""Four columns narrower than the terminal: its echo of Ctrl-C must not wrap, or half a bar stays behind."""
_DELAY_S: Final = 0.1
"""What is over sooner gets no bar."""
_LABEL: Final = 32
"""The widest that what a bar stands for gets."""


class Progress:
    """Draws events on stderr: one bar for all that is under way on a terminal, and a line for each note."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._bars = look.progress and not look.json and not look.quiet and is_terminal(sys.stderr)
        self._bar: tqdm[NoReturn] | None = None
        self._open: dict[str, str] = {}
        self._started = 0
        self._lock = Lock()

    def __call__(self, event: Event) -> None:
        """Show one event; any thread may tell."""
        with self._lock:
            match event:
                case Note():
                    self._note(event)
                case Started() if self._bars:
                    self._start(event)
                case Advanced() if self._bar is not None and event.task in self._open:
                    self._bar.update(event.amount)
                case Finished() if self._bar is not None:
                    self._finish(event)
                case _:
                    pass

    def _start(self, event: Started) -> None:
        bar = self._bar or _bar(event.unit)
        self._bar = bar
        self._open[event.task] = event.label
        self._started += 1
        bar.total = (bar.total or 0) + event.total
        self._describe(bar)

    def _finish(self, event: Finished) -> None:
        self._open.pop(event.task, None)
        if self._bar is not None and self._open:
            self._describe(self._bar)
        else:
            self.close()

    def _describe(self, bar: "tqdm[NoReturn]") -> None:
        """Name what is under way: the one thing, or how many of how many are done."""
        (first, *_) = self._open.values()
        done = self._started - len(self._open)
        text = first if self._started == 1 else f"{done} of {self._started} files"
        bar.set_description_str(cut(safe(text), _LABEL), refresh=False)

    def _note(self, note: Note) -> None:
        if not self._wanted(note):
            return
        text = safe(note.text)
        if note.level == "warning":
            text = painted("warning: ", "warning", sys.stderr, self._look.color) + text
        elif note.level == "step":
            text = painted(text, "dim", sys.stderr, self._look.color)
        if self._bar is not None:
            self._bar.clear()
        say(sys.stderr, text + "\n")
        if self._bar is not None:
            self._bar.refresh()

    def _wanted(self, note: Note) -> bool:
        match note.level:
            case "step":
                return not self._look.quiet and not self._look.json
            case "detail":
                return bool(self._look.verbose) and not self._look.quiet
            case "warning":
                return self._look.quiet < 2

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
            self._open.clear()
            self._started = 0


def _bar(unit: Literal["B", "files"]) -> "tqdm[NoReturn]":
    from tqdm import tqdm  # noqa: PLC0415 - only a terminal needs it

    return tqdm(
        total=0,
        unit=unit,
        unit_scale=unit == "B",
        unit_divisor=1024,
        bar_format=_FORMATS[unit],
        dynamic_ncols=True,
        delay=_DELAY_S,
        leave=False,
        file=sys.stderr,
    )
