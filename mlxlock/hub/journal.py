"""What a mirror writes down: each exchange, with the phase that the runner says it is in, and how it ended.

Owns order, the phase file and the headers by which a child names who asked, and whether a module did so while
it was imported; all come from a stranger's code, so they are read with care and believed to nobody's harm.
Writes no file.
"""

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from mlxlock.fs import open_regular
from mlxlock.spec.names import printable
from mlxlock.spec.phases import PHASES, Phase
from mlxlock.spec.record import Exchange

ASKED_BY: Final = "x-mlxk-asked-by"
IMPORTING: Final = "x-mlxk-importing"
_MAX_EXCHANGES: Final = 100_000
_MAX_ASKED_BY: Final = 300
_MAX_PHASE_BYTES: Final = 64


Settle = Callable[[Exchange], Exchange]
"""Says of an exchange how its answer ended."""


class Journal:
    """The exchanges of one mirror.

    Args:
        phase_file: Where the runner writes its phase; None when nobody does.
        limit: How many exchanges are kept; more than that no honest program has.
    """

    def __init__(self, phase_file: Path | None, *, limit: int = _MAX_EXCHANGES) -> None:
        self._phase_file = phase_file
        self._limit = limit
        self._exchanges: list[tuple[Exchange, Settle | None]] = []
        self._lock = threading.Lock()

    @property
    def is_full(self) -> bool:
        """Whether nothing more can be written down, and so nothing more may be answered."""
        return len(self._exchanges) >= self._limit

    def note(self, exchange: Exchange, headers: Mapping[str, str], settle: Settle | None = None) -> None:
        """Write an exchange down, with what the child says about itself.

        Args:
            exchange: Without phase and asker.
            headers: The request's, by lower-case name.
            settle: Asked again whenever somebody reads, for an answer that is not over yet.
        """
        phase = "import" if IMPORTING in headers else read_phase(self._phase_file)
        told = replace(exchange, phase=phase, asked_by=_asker(headers.get(ASKED_BY)))
        with self._lock:
            self._exchanges.append((told, settle))

    def exchanges(self) -> tuple[Exchange, ...]:
        """Every exchange so far, in the order of the answers."""
        with self._lock:
            noted = tuple(self._exchanges)
        return tuple(exchange if settle is None else settle(exchange) for exchange, settle in noted)


def read_phase(file: Path | None) -> Phase | None:
    """What the runner says it is doing; None when it says nothing, or nobody does."""
    if file is None:
        return None
    try:
        with open_regular(file) as fd:
            said = os.read(fd, _MAX_PHASE_BYTES).decode("ascii", "replace").strip()
    except OSError:
        return None  # not written yet, or not a file at all
    return next((phase for phase in PHASES if phase == said), None)


def _asker(said: str | None) -> str | None:
    if not said or len(said) > _MAX_ASKED_BY or not printable(said):
        return None
    return said
