"""Lists what stands in a tree's closed directories beside the tree itself. Reads names, never contents.

Owns what counts: everything but the content hash's exclude list. A directory that leads to nothing of ours is
one stray, unlisted, however much it holds.
"""

from collections.abc import Iterable, Iterator

from mlxlock.errors import DiskError
from mlxlock.fs import Root
from mlxlock.planning.layout import Tree
from mlxlock.spec.names import RepoPath
from mlxlock.spec.sentinel import is_hashed
from mlxlock.workspace.ownership import Claims


def find_strays(root: Root, tree: Tree, claims: Claims) -> Iterator[str]:
    """What a closed directory holds that is neither the tree's nor an earlier sync's; directories end in `/`.

    Args:
        root: The workspace.
        tree: What should be there.
        claims: What earlier syncs wrote: theirs to remove.

    Raises:
        DiskError: A directory cannot be listed.
    """
    closed = tuple(f"{directory}/" for directory in tree.closed)
    known: set[str] = {*tree.nodes, *claims} if closed else set()
    directories = _directories(known)
    known |= directories
    for directory in sorted(directories):
        if f"{directory}/".startswith(closed):
            yield from _beside(root, directory, known)


def _directories(paths: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        head = path.rpartition("/")[0]
        while head and head not in found:
            found.add(head)
            head = head.rpartition("/")[0]
    return found


def _beside(root: Root, directory: str, known: set[str]) -> Iterator[str]:
    try:
        opened = root.below(RepoPath(directory))
    except DiskError:  # the look at what should be in it has told, or raised
        return
    with opened:
        for entry in opened.entries():
            path = f"{directory}/{entry.name}"
            if path in known:
                continue
            inside = f"{path}/" if entry.is_dir(follow_symlinks=False) else path
            if is_hashed(inside):
                yield inside
