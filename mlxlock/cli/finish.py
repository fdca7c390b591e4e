"""Runs one command with wired ports and shows what it answers, after the bars are taken away."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from mlxlock.cli.options import Common, common
from mlxlock.cli.wiring import Choices, wire
from mlxlock.ports import Ports
from mlxlock.render import show_report
from mlxlock.render.progress import Progress
from mlxlock.steps.project import Project
from mlxlock.steps.report import Report

Run = Callable[[Ports, Project], Report]
RunAnywhere = Callable[[Ports, Project | None], Report]


def finish(run: Run, choices: Choices | None = None, *, silent: bool = False) -> int:
    """Wire, run, show, in the project that this is about.

    Args:
        run: The command.
        choices: What its flags decide about adapters.
        silent: Show nothing but the exit code: the child's output was the answer. With `--json` that output
            goes to stderr, so that the envelope stands alone on stdout.

    Returns:
        The exit code.
    """
    options = common()
    project = options.find_project()
    return _finish(options, lambda ports: run(ports, project), choices, project.root, silent=silent)


def finish_anywhere(run: RunAnywhere, choices: Choices | None = None, *, silent: bool = False) -> int:
    """As `finish`, for commands that need no project; they get the one that is here, or None."""
    options = common()
    project = options.find_project_if_any()
    root = Path.cwd() if project is None else project.root
    return _finish(options, lambda ports: run(ports, project), choices, root, silent=silent)


def _finish(
    options: Common, run: Callable[[Ports], Report], choices: Choices | None, root: Path, *, silent: bool
) -> int:
    progress = Progress(options.look)
    try:
        with stdout_to_stderr() if silent and options.look.json else nullcontext():
            report = run(wire(options, progress, choices, project=root))
    finally:
        progress.close()
    return report.exit_code if silent and not options.look.json else show_report(report, options.look)


@contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Let children write to stderr what they write to stdout."""
    sys.stdout.flush()
    ours = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(ours, 1)
        os.close(ours)
