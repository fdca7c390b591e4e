"""How much memory a piece of work took at its peak.

`ru_maxrss` alone cannot tell: it only ever rises, and an exec hands it down from the process that forked, so
that a test in or below a large process would measure nothing.
"""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class Grown:
    """What the peak lay above the start; set when the `with` is left."""

    size_bytes: int = -1


@contextmanager
def peak_memory() -> Iterator[Grown]:
    """Measure this process for the length of a `with`."""
    grown = Grown()
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    before = _peak_bytes()
    yield grown
    grown.size_bytes = _peak_bytes() - before


def _peak_bytes() -> int:
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) << 10
