"""What a shell may offer for a word: names from the project that is here. Never fails, never writes.

A project whose files cannot be read offers nothing; the command that runs then will say why.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from mlxlock.cli.options import given_to
from mlxlock.errors import MlxlockError


def model_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of models in models.toml and models.lock; a path is completed as one."""
    del param
    if incomplete.startswith((".", "/", "~")):
        return [CompletionItem(incomplete, type="file")]
    return _offered(_names(_start(ctx)), incomplete)


def repo_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Every repo that models.lock names."""
    del param
    return _offered(_repos(_start(ctx)), incomplete)


def _start(ctx: click.Context) -> Path:
    found: Path = given_to(ctx).get("project") or Path.cwd()
    return found.absolute()


def _offered(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in sorted(set(names)) if name.startswith(incomplete)]


def _names(start: Path) -> Iterator[str]:
    from mlxlock.commands.project import find_project, read_lockfile, read_manifest

    with suppress(MlxlockError):
        project = find_project(start)
        with suppress(MlxlockError):
            yield from (model.name for model in read_manifest(project).models)
        yield from (model.name for model in read_lockfile(project).models)


def _repos(start: Path) -> Iterator[str]:
    from mlxlock.commands.project import find_project, read_lockfile

    with suppress(MlxlockError):
        for model in read_lockfile(find_project(start)).models:
            yield model.repo
            yield from (artifact.repo for artifact in model.artifacts)
