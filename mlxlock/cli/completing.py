"""What a shell may offer for a word: names from the project and the machine. Never fails, never writes.

A project whose files cannot be read offers nothing; the command that runs then will say why.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from mlxlock.cli.options import Common, given_to
from mlxlock.errors import MlxlockError
from mlxlock.render import Look


def model_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of models in models.toml and models.lock."""
    del param
    return _offered(_names(_start(ctx)), incomplete)


def local_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Those, and every model of a workspace home or a Hugging Face cache; a path is completed as one."""
    del param
    if incomplete.startswith((".", "/", "~")):
        return [CompletionItem(incomplete, type="file")]
    start = _start(ctx)
    return _offered([*_names(start), *_shelved(start)], incomplete)


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
    from mlxlock.steps.project import find_project, read_lockfile, read_manifest

    with suppress(MlxlockError):
        project = find_project(start)
        with suppress(MlxlockError):
            yield from (model.name for model in read_manifest(project).models)
        yield from (model.name for model in read_lockfile(project).models)


def _shelved(start: Path) -> Iterator[str]:
    from mlxlock.cli.wiring import wire
    from mlxlock.ports import ignore

    common = Common(look=Look(), project=start, named_project=False, offline="completion", jobs=1)
    with suppress(MlxlockError):
        for shelf in wire(common, ignore, project=start).library().shelves():
            yield from (model.name for model in shelf.models)


def _repos(start: Path) -> Iterator[str]:
    from mlxlock.steps.project import find_project, read_lockfile

    with suppress(MlxlockError):
        for model in read_lockfile(find_project(start)).models:
            yield model.repo
            yield from (artifact.repo for artifact in model.artifacts)
