"""A build that is killed before any one of its changes to the disk is finished by the next one."""

import os
import shutil
import signal
import sys
import traceback
from pathlib import Path

import pytest

from mlxlock.planning.layout import Tree
from mlxlock.planning.plan import holds
from tests.workspace.support import (
    CONFIG,
    SENTINEL,
    Bench,
    a_model,
    make_bench,
    picture,
    sentinel,
    tree_of,
)

CHANGING = frozenset({"os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink"})
QUARANTINE = ".hf_cache/.mlxk_quarantine/"
ENOUGH = 400


def _tree(bench: Bench, *, new: bool) -> Tree:
    version = b"new" if new else b"old"
    model = a_model(bench, config=version, weights=version * 1000)
    model = Tree(nodes={**model.nodes, SENTINEL: sentinel(f"sha256:{version.decode()}")})
    more = {f"{version.decode()}/deep/file": bench.file(version), f"m/{version.decode()}": bench.file(b"x")}
    return Tree(nodes={**model.nodes, **tree_of(more).nodes})


def _template(base: Path) -> Bench:
    """The old tree, one of its files edited, and the store with all that the new one needs."""
    bench = make_bench(base)
    base.mkdir()
    bench.sync(_tree(bench, new=False))
    bench.path(CONFIG).write_text("mine")
    _tree(bench, new=True)
    return bench


def _killed_at(bench: Bench, tree: Tree, count: int) -> bool:
    """Sync in a child that dies instead of making its `count`-th change; whether it got so far."""
    child = os.fork()
    if child == 0:
        left = [count]

        def die_in_time(event: str, arguments: tuple[object, ...]) -> None:
            made = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
            if made or event in CHANGING:
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(die_in_time)
        try:
            bench.sync(tree, repair=True)
        except BaseException:  # noqa: BLE001 - a forked test must not go on as a second pytest
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.waitstatus_to_exitcode(status) in {0, -signal.SIGKILL}
    return os.WIFSIGNALED(status)


def _kept(bench: Bench) -> list[str]:
    files = (path for path in bench.root.rglob("*") if path.is_file() and not path.is_symlink())
    return [path.name for path in files if path.read_bytes() == b"mine"]


def _shown(bench: Bench) -> dict[str, tuple[str, int, bytes]]:
    return {path: seen for path, seen in picture(bench.root).items() if not path.startswith(QUARANTINE)}


def _copy(bench: Bench, base: Path) -> Bench:
    shutil.copytree(bench.base, base, symlinks=True)
    return make_bench(base)


def _synced(bench: Bench, tree: Tree) -> Bench:
    bench.sync(tree, repair=True)
    return bench


def _never_lies(bench: Bench, tree: Tree) -> None:
    """The new sentinel is there only when everything else is, and what a person wrote is somewhere."""
    found = bench.workspace().scan(tree).found
    if holds(tree.nodes[SENTINEL], found.get(SENTINEL)):
        assert all(holds(node, found.get(path)) for path, node in tree.nodes.items())
    assert len(_kept(bench)) == 1


@pytest.mark.skipif(
    sys.platform == "darwin", reason="forking a process that has used its frameworks is not safe"
)
def test_whenever_a_build_is_killed_the_next_one_finishes_it(tmp_path: Path) -> None:
    template = _template(tmp_path / "template")
    trees = {new: _tree(template, new=new) for new in (False, True)}
    whole = {new: _shown(_synced(_copy(template, tmp_path / f"whole-{new}"), trees[new])) for new in trees}
    counts = 0
    for count in range(1, ENOUGH):
        killed = _copy(template, tmp_path / str(count))
        died = _killed_at(killed, trees[True], count)
        _never_lies(killed, trees[True])
        for new, tree in trees.items():
            # Onwards, or back to the lock from before: both find nothing in their way but the real edit.
            bench = _copy(killed, tmp_path / f"{count}-{new}")
            assert {change.path for change in bench.plan(tree).changed} <= {CONFIG}
            assert _shown(_synced(bench, tree)) == whole[new]
            assert bench.plan(tree).is_empty
            assert len(_kept(bench)) == 1
        if not died:
            break
        counts = count
    assert 30 < counts < ENOUGH - 1
