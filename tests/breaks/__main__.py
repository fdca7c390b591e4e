"""`python -m tests.breaks [WORD...]`: break each promise whose row holds every word, and see its test go red.

Edits the working tree, one file at a time, and puts it back; a file with uncommitted changes is left alone.
Exits with 1 when a test stays green under its break, or is red without it.
"""

import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from tests.breaks.table import ROOT, Promise, broken, promises

RED: Final = 1
"""pytest's exit code when tests ran and some failed: anything else is no answer."""
TIMEOUT_S: Final = 600


def main(words: Sequence[str]) -> int:
    """Try every row that holds all words."""
    chosen = [promise for promise in promises() if all(word in repr(promise) for word in words)]
    problems = 0
    for number, promise in enumerate(chosen, 1):
        verdict = _verdict(promise)
        problems += verdict != "red"
        sys.stdout.write(f"[{number}/{len(chosen)}] {verdict:<8} {promise.source}: {promise.says}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(chosen) - problems} of {len(chosen)} breaks were noticed\n")
    return 1 if problems or not chosen else 0


def _verdict(promise: Promise) -> str:
    if _git("status", "--porcelain", "--", promise.file):
        return "DIRTY"
    with broken(promise):
        return {0: "GREEN", RED: "red"}.get(_pytest(promise.test), "NO RUN")


def _pytest(node: str) -> int:
    argv = (sys.executable, "-Im", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header", node)
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, timeout=TIMEOUT_S, check=False)
    return done.returncode


def _git(*arguments: str) -> str:
    done = subprocess.run(("git", *arguments), cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
