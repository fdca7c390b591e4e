"""What a sandbox holds: a program that tries to escape is run in it, with the view of a real first run.

Owns the run of that program and the grade that follows from what it reached. A backend claims a level; this
is how it gets one.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mlxlock.capture.canaries import Answer, Canaries, canaries
from mlxlock.capture.candidate import Candidate, Level
from mlxlock.capture.diagnosis import WITHOUT
from mlxlock.errors import SandboxError
from mlxlock.ports import Job, Outcome, Sandbox, Service

ESCAPE: Final = Path(__file__).with_name("escape.py")
_TIMEOUT_S: Final = 60.0
_DETAIL_LINES: Final = 5

TOLERATED: Final = frozenset({"addresses", "hidden-names", "signals", "survivors"})
"""What a sandbox of level `partial` may let through: nothing of it leaves the machine or reads a file."""


def measure(candidate: Candidate) -> Level:
    """Run the escape probe in it, and say which level it gets here.

    Raises:
        SandboxError: It does not start, or does not hold even what `partial` promises.
    """
    with canaries((*candidate.visible, ESCAPE)) as placed:
        placed.write_order(service=candidate.networked)
        outcome = candidate.sandbox.run(_job(candidate, placed))
        reached = {**_answers(candidate.sandbox, outcome), **placed.reached()}
    level = grade(candidate.claims, reached)
    if level is None:
        raise _refused(candidate.sandbox, reached)
    return level


def grade(claims: Level, reached: Mapping[str, Answer]) -> Level | None:
    """The level that follows from what an escape probe reached; None for less than `partial`.

    Args:
        claims: The most that it can be.
        reached: By attempt, whether it succeeded; None when it could not be made, which lowers by one level.
    """
    strict = [answer for name, answer in reached.items() if name not in TOLERATED]
    if True in strict or (None in strict and claims == "partial"):
        return None
    held = all(answer is False for answer in reached.values())
    return claims if held else "partial"


def _refused(sandbox: Sandbox, reached: Mapping[str, Answer]) -> SandboxError:
    escaped = sorted(
        name for name, answer in reached.items() if answer is not False and name not in TOLERATED
    )
    return SandboxError(
        f"`{sandbox.name}` does not hold what it promises",
        hint=WITHOUT,
        details=(f"what its escape probe got through to: {', '.join(escaped)}",),
    )


def _job(candidate: Candidate, placed: Canaries) -> Job:
    service = {"service": Service(port=placed.port, serve=placed.beside)} if candidate.networked else {}
    return Job(
        argv=(str(candidate.python), "-I", "-S", str(ESCAPE), str(placed.order_file)),
        env={"MLXK_SERVICE": "{service}" if service else "1"},
        cwd=placed.project,
        readable=(placed.project, ESCAPE),
        writable=(placed.scratch,),
        hidden=(placed.hidden,),
        timeout_s=_TIMEOUT_S,
        services=service,
    )


def _answers(sandbox: Sandbox, outcome: Outcome) -> dict[str, Answer]:
    try:
        answered = json.loads(outcome.stdout)
    except ValueError as error:
        said = tuple(outcome.stderr.strip().splitlines()[-_DETAIL_LINES:])
        raise SandboxError(
            f"the escape probe does not run in `{sandbox.name}`", hint=WITHOUT, details=said
        ) from error
    return {str(name): bool(answer) for name, answer in answered.items()}
