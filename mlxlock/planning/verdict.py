"""Judges what a scan found against the lock. A negative verdict is an answer, not an exception."""

from collections.abc import Iterator
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
from mlxlock.spec.names import RepoPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One path that is not as the lock says.

    Attributes:
        expected: `blake3:<hex>` or `-> target`.
        actual: The same of what is there, or what stands in the way; None when nothing is there.
        source: Which model (and artifact) needs it; empty for paths that belong to the workspace.
    """

    path: RepoPath
    problem: Literal["missing", "changed", "obstructed"]
    expected: str
    actual: str | None
    source: str = ""


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
        """Whether everything is there, and nothing differs."""
        return not self.findings


def judge(tree: Tree, inventory: Inventory) -> Verdict:
    """Compare every path of the tree with what was found."""
    return Verdict(
        findings=tuple(_findings(tree, inventory)),
        files=len(tree.nodes),
        size_bytes=sum(node.file.size_bytes for _, node in tree.files()),
    )


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


def _problem(found: Found | None) -> Literal["missing", "changed", "obstructed"]:
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
