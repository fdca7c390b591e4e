"""The runners need nothing of mlxlock and no newer Python than the projects they run in."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runners.driver import RUNNERS

_SCRIPTS = sorted(RUNNERS.glob("*.py"))


def _imports(tree: ast.AST) -> Iterator[str]:
    """Yield the modules imported at runtime: what is only for type checkers is left out."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                continue
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=module, level=level):
                yield "." * level + (module or "")
            case _:
                yield from _imports(node)


@pytest.mark.parametrize("script", _SCRIPTS, ids=lambda path: path.name)
def test_a_runner_imports_nothing_of_mlxlock(script: Path) -> None:
    tree = ast.parse(script.read_text(encoding="utf-8"), feature_version=(3, 9))
    imported = list(_imports(tree))
    assert imported or script.name == "__init__.py"
    assert not [name for name in imported if name.startswith(("mlxlock", "."))]
