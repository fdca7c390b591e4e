"""Runs one command with wired ports and shows what it answers, after the bars are taken away."""

from collections.abc import Callable

from mlxlock.cli.options import common
from mlxlock.cli.wiring import Choices, wire
from mlxlock.commands.project import Project
from mlxlock.commands.report import Report
from mlxlock.ports import Ports
from mlxlock.render import Progress, show_report

Run = Callable[[Ports, Project], Report]


def finish(run: Run, choices: Choices | None = None, *, silent: bool = False) -> int:
    """Wire, run, show.

    Args:
        run: The command.
        choices: What its flags decide about adapters.
        silent: Show nothing but the exit code: the child's output was the answer.

    Returns:
        The exit code.
    """
    options = common()
    project = options.find_project()
    progress = Progress(options.look)
    try:
        report = run(wire(options, progress, choices, project=project.root), project)
    finally:
        progress.close()
    return report.exit_code if silent else show_report(report, options.look)
