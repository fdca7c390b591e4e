"""What a command line says about how to answer, read before it is understood.

Owns that an error looks as it was asked to look, also when the command line itself is the error.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from mlxlock.cli.verbs import VERBS
from mlxlock.render import Color, Look

_QUIET_OR_VERBOSE: Final = re.compile(r"-[qv]*v[qv]*|--verbose")
_VALUED: Final = frozenset({"--project", "--color", "-j", "--jobs"})
_COLORS: Final[dict[str, Color]] = {"always": "always", "never": "never"}


def verb_of(argv: Sequence[str]) -> str | None:
    """The verb of a command line, if it has one."""
    return next((word for word in _words(argv) if word in VERBS), None)


def look_of(argv: Sequence[str]) -> Look:
    """How the answer must look."""
    ours = _ours(argv)
    colors = [_COLORS[word] for word in _values(ours, "--color") if word in _COLORS]
    return Look(
        json="--json" in ours,
        verbose=any(map(_QUIET_OR_VERBOSE.fullmatch, ours)),
        color=colors[-1] if colors else "auto",
    )


def _ours(argv: Sequence[str]) -> Sequence[str]:
    """The arguments that are for us: not those of a child, which follow `--` or the first word of `exec`."""
    words = list(_words(argv))
    ours = argv[: argv.index("--")] if "--" in argv else argv
    if words[:1] == ["exec"] and words[1:] and words[1] in ours:
        return ours[: ours.index(words[1])]
    return ours


def _words(argv: Sequence[str]) -> Iterator[str]:
    """What is neither an option nor, for those that verbs have in common, an option's value."""
    for before, argument in zip(["", *argv], argv, strict=False):
        if not argument.startswith("-") and before not in _VALUED:
            yield argument


def _values(arguments: Sequence[str], option: str) -> Iterator[str]:
    for this, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if this == option:
            yield following
        elif this.startswith(f"{option}="):
            yield this.removeprefix(f"{option}=")
