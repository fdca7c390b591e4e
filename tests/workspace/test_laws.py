"""Laws of building, for any tree and any edit: it converges, is idempotent and takes only what is ours."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mlxlock.planning.layout import LinkNode, Node, TextNode, Tree
from mlxlock.ports import LinkMode
from mlxlock.spec.sentinel import SENTINEL_NAME
from tests.workspace.support import Bench, make_bench, picture, sentinel, tree_of

names = st.sampled_from(["a", "b", "weights", "A b", "é", ".x"])
directories = st.lists(st.sampled_from(["d", "e", ".hf_cache"]), max_size=3)
# Files end in `.f` and directories never do, so that no path is both.
paths = st.builds(lambda above, name: "/".join([*above, f"{name}.f"]), directories, names)
kinds = st.sampled_from(["large", "small", "text", "ref", "link", "sentinel"])
trees = st.dictionaries(paths, st.tuples(kinds, st.binary(max_size=3)), max_size=8)
edits = st.lists(
    st.tuples(st.integers(0, 20), st.sampled_from(["write", "remove", "link", "directory", "mode"]))
)
modes: st.SearchStrategy[LinkMode] = st.sampled_from(["auto", "hardlink", "copy"])
laws = settings(max_examples=60, deadline=None)


@contextmanager
def benches() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as base:
        yield make_bench(Path(base))


def _tree(bench: Bench, drawn: dict[str, tuple[str, bytes]]) -> Tree:
    return tree_of({_path(path, kind): _node(bench, kind, data) for path, (kind, data) in drawn.items()})


def _path(path: str, kind: str) -> str:
    return f"{path.replace('/', '-')}.d/{SENTINEL_NAME}" if kind == "sentinel" else path


def _node(bench: Bench, kind: str, data: bytes) -> Node:
    match kind:
        case "large" | "small":
            return bench.file(data, large=kind == "large")
        case "text" | "ref":
            return TextNode(content=data, ref=kind == "ref")
        case "link":
            return LinkNode(target=f"../{data.hex() or 'x'}")
        case _:
            return sentinel(data.hex())


def _edit(bench: Bench, at: int, how: str) -> None:
    files = sorted(
        path
        for path in [*bench.root.rglob("*.f"), *bench.root.rglob(SENTINEL_NAME)]
        if not path.is_dir() or path.is_symlink()
    )
    if not files:
        return
    path = files[at % len(files)]
    if how == "mode":
        if not path.is_symlink():
            path.chmod(0o640)
        return
    path.unlink()
    match how:
        case "write":
            path.write_text("edited")
        case "link":
            path.symlink_to("/nowhere")
        case "directory":
            path.mkdir()
        case _:
            assert how == "remove"


@laws
@given(trees, trees, edits, modes)
def test_a_repaired_workspace_is_as_the_tree_says(
    old: dict[str, tuple[str, bytes]],
    new: dict[str, tuple[str, bytes]],
    made: list[tuple[int, str]],
    mode: LinkMode,
) -> None:
    with benches() as bench:
        bench.link_mode = mode
        bench.sync(_tree(bench, old))
        for edit in made:
            _edit(bench, *edit)
        tree = _tree(bench, new)
        bench.sync(tree, repair=True)
        assert bench.plan(tree).is_empty
        assert not bench.workspace().scan(tree, content=True).found.keys() ^ tree.nodes.keys()
        before = picture(bench.root)
        assert bench.sync(tree).is_empty
        assert picture(bench.root) == before


@laws
@given(trees, trees, edits)
def test_without_repair_no_edit_is_lost(
    old: dict[str, tuple[str, bytes]], new: dict[str, tuple[str, bytes]], made: list[tuple[int, str]]
) -> None:
    with benches() as bench:
        bench.sync(_tree(bench, old))
        for edit in made:
            _edit(bench, *edit)
        mine = {
            path: seen for path, seen in picture(bench.root).items() if seen[2] in {b"edited", b"/nowhere"}
        }
        bench.sync(_tree(bench, new))
        assert mine.items() <= picture(bench.root).items()


@laws
@given(trees, trees)
def test_without_edits_old_and_new_never_clash_and_nothing_is_left_over(
    old: dict[str, tuple[str, bytes]], new: dict[str, tuple[str, bytes]]
) -> None:
    with benches() as bench:
        bench.sync(_tree(bench, old))
        plan = bench.sync(_tree(bench, new))
        assert not plan.changed
        once = picture(bench.root, modes=False)
        shutil.rmtree(bench.root)
        bench.sync(_tree(bench, new))
        assert picture(bench.root, modes=False) == once


@laws
@given(trees)
def test_the_index_only_saves_time(drawn: dict[str, tuple[str, bytes]]) -> None:
    with benches() as bench:
        tree = _tree(bench, drawn)
        bench.sync(tree)
        trusted = bench.workspace().scan(tree)
        bench.index.unlink()
        assert bench.workspace().scan(tree) == trusted
        assert bench.workspace().scan(tree, content=True) == trusted
