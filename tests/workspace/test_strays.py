"""Strays: whatever a model's library could pick up beside the locked files, and nothing else."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from mlxlock.planning.layout import Tree
from mlxlock.planning.plan import make_plan
from tests.workspace.support import WEIGHTS, Bench, a_model, make_bench, picture, tree_of


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return make_bench(tmp_path)


def closed_model(bench: Bench) -> Tree:
    tree = a_model(bench)
    more = tree_of({"m/sub/deep/vocab.txt": bench.file(b"v")})
    return Tree(nodes={**tree.nodes, **more.nodes}, closed=("m",))


def strays(bench: Bench, tree: Tree) -> tuple[str, ...]:
    return bench.workspace().scan(tree).strays


def test_what_was_built_holds_no_strays(bench: Bench) -> None:
    tree = closed_model(bench)
    assert strays(bench, tree) == ()
    bench.sync(tree)
    assert strays(bench, tree) == ()


def test_files_links_and_directories_at_any_depth_are_strays_and_stay(bench: Bench) -> None:
    tree = closed_model(bench)
    bench.sync(tree)
    for path in ("model-zzz.safetensors", "modeling_x.py", "sub/deep/a", "x.log.py", "new\nline"):
        bench.path(f"m/{path}").write_bytes(b"mine")
    bench.path("m/link.safetensors").symlink_to("nothing")
    bench.path("m/extra/below").mkdir(parents=True)
    (bench.path("m/extra/below") / "f").write_bytes(b"mine")
    before = picture(bench.root)
    assert set(strays(bench, tree)) == {
        "m/extra/",
        "m/link.safetensors",
        "m/model-zzz.safetensors",
        "m/modeling_x.py",
        "m/new\nline",
        "m/sub/deep/a",
        "m/x.log.py",
    }
    bench.sync(tree, repair=True)
    assert picture(bench.root) == before


@pytest.mark.skipif(os.uname().sysname == "Darwin", reason="APFS has no name that is not UTF-8")
def test_a_name_that_is_no_text_is_a_stray(bench: Bench) -> None:
    tree = closed_model(bench)
    bench.sync(tree)
    Path(os.fsdecode(b"%b/m/\xff" % os.fsencode(bench.root))).write_bytes(b"mine")
    assert strays(bench, tree) == ("m/\udcff",)


def test_what_no_content_hash_covers_is_none(bench: Bench) -> None:
    tree = closed_model(bench)
    bench.sync(tree)
    for path in (".DS_Store", "run.log", "sub/x.tmp"):
        bench.path(f"m/{path}").write_bytes(b"mine")
    for path in ("__pycache__", "sub/__pycache__", ".git", ".hf_cache"):
        bench.path(f"m/{path}").mkdir()
        (bench.path(f"m/{path}") / "x.py").write_bytes(b"mine")
    bench.path("beside.safetensors").write_bytes(b"not of this model")
    bench.path("m2").mkdir()
    assert strays(bench, tree) == ()


def test_what_an_earlier_sync_wrote_is_removed_and_no_stray(bench: Bench) -> None:
    tree = closed_model(bench)
    bench.sync(tree)
    less = replace(tree, nodes={path: node for path, node in tree.nodes.items() if "vocab" not in path})
    inventory = bench.workspace().scan(less)
    assert inventory.strays == ()
    assert "m/sub/deep/vocab.txt" in make_plan(less, inventory).remove


def test_no_link_in_a_directorys_place_is_followed(bench: Bench, tmp_path: Path) -> None:
    tree = closed_model(bench)
    bench.sync(tree)
    bench.path("m/sub").rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/secret").write_bytes(b"theirs")
    bench.path("m/sub").symlink_to(tmp_path / "elsewhere")
    assert strays(bench, tree) == ()
    assert WEIGHTS in bench.workspace().scan(tree).found
