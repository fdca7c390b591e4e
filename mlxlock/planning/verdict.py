"""Judges what a scan found against the lock. A negative verdict is an answer, not an exception."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal, assert_never

from mlxlock.planning.layout import FileNode, Tree
from mlxlock.planning.plan import (
    Found,
    FoundFile,
    FoundLink,
    FoundOther,
    Inventory,
    content_of,
    found_content,
    holds,
)
from mlxlock.spec.toml_text import shown

Problem = Literal["missing", "changed", "obstructed", "foreign"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One path that is not as the lock says.

    Attributes:
        path: Safe to show.
        expected: `blake3:<hex>` or `-> target`; None for what the lock does not have.
        actual: The same of what is there, or what stands in the way; None when nothing is there, or when
            nobody looked into it.
        source: Which model (and artifact) needs it; empty for paths that belong to the workspace.
    """

    path: str
    problem: Problem
    expected: str | None
    actual: str | None
    source: str = ""

    def __str__(self) -> str:
        """What is wrong, in a few words."""
        what = "not in the lock" if self.problem == "foreign" else self.problem
        return f"{what}: `{self.path}`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the workspace is what the lock says.

    Attributes:
        findings: Everything that is not, by path.
        files: How many paths were compared.
        size_bytes: How many bytes they hold together, when all is well.
    """

    findings: tuple[Finding, ...]
    files: int
    size_bytes: int

    @property
    def clean(self) -> bool:
        """Whether everything is there, and nothing differs, and nothing else is."""
        return not self.findings


def judge(tree: Tree, inventory: Inventory) -> Verdict:
    """Compare every path of the tree with what was found, and hold what else is there against it."""
    return Verdict(
        findings=(*_findings(tree, inventory), *map(_foreign, inventory.strays)),
        files=len(tree.nodes),
        size_bytes=sum(node.file.size_bytes for _, node in tree.files()),
    )


def cure_of(problems: Collection[str], sync: str) -> str:
    """What to do about them, where `sync` says what mends all but what is foreign."""
    away = "move what is not in the lock out of the model's directory"
    if "foreign" not in problems:
        return sync
    return away if set(problems) == {"foreign"} else f"{away}, and {sync}"


def _findings(tree: Tree, inventory: Inventory) -> Iterator[Finding]:
    for path, node in tree.nodes.items():
        found = inventory.found.get(path)
        if holds(node, found):
            continue
        yield Finding(
            path=path,
            problem=_problem(found),
            expected=_spelled(content_of(node)),
            actual=None if found is None else _spelled(found_content(found)),
            source=node.source if isinstance(node, FileNode) else "",
        )


def _foreign(stray: str) -> Finding:
    return Finding(path=shown(stray), problem="foreign", expected=None, actual=None)


def _problem(found: Found | None) -> Problem:
    match found:
        case None:
            return "missing"
        case FoundFile() | FoundLink():
            return "changed"
        case FoundOther():
            return "obstructed"
        case _:
            assert_never(found)


def _spelled(content: str) -> str:
    return content if content.startswith(("-> ", "(")) else f"blake3:{content}"
