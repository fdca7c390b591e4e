"""Which part of a file a `Range` header asks for.

Owns that header's grammar. Pure. Several ranges at once, and other units, are ignored, as HTTP allows.
"""

import re
from typing import Final

_RANGE: Final = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})")


class UnsatisfiableError(ValueError):
    """The range lies behind the end of the file."""


def wanted_part(header: str | None, size_bytes: int) -> tuple[int, int] | None:
    """Start and end (exclusive) of what is asked for; None for the whole file.

    An empty file is always whole: clients probe it with `bytes=0-0`. So is what is open at its end: clients
    ask that way to complete bytes that they have, and nobody knows whether those are right.

    Raises:
        UnsatisfiableError: Nothing of the file is in the range.
    """
    found = _RANGE.fullmatch(header.replace(" ", "")) if header else None
    if found is None or size_bytes == 0 or not found[2]:
        return None
    if not found[1]:
        start, end = max(size_bytes - int(found[2]), 0), size_bytes
    else:
        start = int(found[1])
        end = min(int(found[2]) + 1, size_bytes)
        if int(found[2]) < start:
            return None
    if start >= size_bytes:
        raise UnsatisfiableError
    return start, end
