"""Starts a child in the user's terminal and gives back its exit code.

A step of `run` and `exec`. Owns signals: Ctrl-C reaches the child first, and its own code is what counts.
"""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from mlxlock.errors import UsageError


def run_child(
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    cwd: Path | None = None,
    stdout: IO[bytes] | None = None,
    stderr: IO[bytes] | None = None,
) -> int:
    """Run it to its end with our own standard streams, but for those that are given.

    Returns:
        Its exit code; 128 + N for signal N, as shells say it.

    Raises:
        UsageError: There is no such program.
    """
    try:
        child = subprocess.Popen(argv, env=dict(env), cwd=cwd, stdout=stdout, stderr=stderr)
    except FileNotFoundError as error:
        raise UsageError(f"no program `{argv[0]}`", hint="check its name and your PATH") from error
    except PermissionError as error:
        raise UsageError(f"`{argv[0]}` is no program that may be run") from error
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code = child.wait()
    finally:
        signal.signal(signal.SIGINT, previous)
    return code if code >= 0 else 128 - code
