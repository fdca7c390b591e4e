"""What a command line says about how to answer, read before it is understood.

Owns that an error looks as it was asked to look, also when the command line itself is the error.
"""

import re
from collections.abc import Iterator, Sequence

from mlxlock.cli.verbs import VERBS
from mlxlock.render import Color, Look

_QUIET_OR_VERBOSE = re.compile(r"-[qv]*v[qv]*|--verbose")
_COLORS: dict[str, Color] = {"always": "always", "never": "never"}


def verb_of(argv: Sequence[str]) -> str | None:
    """The verb of a command line, if it has one."""
    return next((argument for argument in argv if argument in VERBS), None)


def look_of(argv: Sequence[str]) -> Look:
    """How the answer must look."""
    ours = list(_ours(argv))
    colors = [_COLORS[word] for word in _values(ours, "--color") if word in _COLORS]
    return Look(
        json="--json" in ours,
        verbose=any(map(_QUIET_OR_VERBOSE.fullmatch, ours)),
        color=colors[-1] if colors else "auto",
    )


def _ours(argv: Sequence[str]) -> Iterator[str]:
    """The arguments that are for us: not those of a child, which follow `--` or the first word of `exec`."""
    verb = None
    for argument in argv:
        word = not argument.startswith("-")
        if argument == "--" or (verb == "exec" and word):
            return
        if word and verb is None and argument in VERBS:
            verb = argument
        yield argument


def _values(arguments: Sequence[str], option: str) -> Iterator[str]:
    for this, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if this == option:
            yield following
        elif this.startswith(f"{option}="):
            yield this.removeprefix(f"{option}=")
