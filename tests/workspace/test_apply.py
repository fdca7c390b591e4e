"""Building a workspace: what was planned is there, nothing else is touched, and one error says why not."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlxlock.errors import DiskError, DriftError, MismatchError, OfflineMissingError
from mlxlock.planning.layout import FileNode, Node, TextNode, Tree
from mlxlock.planning.plan import make_plan
from mlxlock.ports import LinkMode, Note
from mlxlock.spec.names import RepoPath
from mlxlock.workspace.index import load_index
from mlxlock.workspace.ownership import finished, format_ownership
from tests.workspace.no_links import SYMLINKS
from tests.workspace.support import (
    CONFIG,
    LINK,
    REF,
    SENTINEL,
    WEIGHTS,
    Bench,
    DirectoryStore,
    a_model,
    make_bench,
    picture,
    sentinel,
    tree_of,
)

LIST = ".hf_cache/.mlxk_files"
STAGE = ".hf_cache/.mlxk_stage"
QUARANTINE = ".hf_cache/.mlxk_quarantine"
needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or sys.platform != "linux", reason="only root can mount a disk"
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return make_bench(tmp_path)


def _without(tree: Tree, *paths: str) -> Tree:
    return tree_of({path: node for path, node in tree.nodes.items() if path not in paths})


def _with(tree: Tree, nodes: dict[str, Node]) -> Tree:
    return Tree(nodes={**tree.nodes, **tree_of(nodes).nodes})


# --- what is built ------------------------------------------------------------------------------------------


def test_everything_planned_is_there_and_nothing_more(bench: Bench) -> None:
    tree = a_model(bench)
    bench.sync(tree)
    files = {path for path, (kind, _, _) in picture(bench.root).items() if kind != "directory"}
    assert files == {*tree.nodes, LIST}
    assert bench.path(CONFIG).read_bytes() == b'{"model_type": "llama"}'
    assert bench.path(LINK).resolve() == bench.path(WEIGHTS)
    assert bench.path(REF).read_bytes() == b"d149729398750b98c0af14eb82c78cfe92750796"
    document = json.loads(bench.path(SENTINEL).read_text())
    assert document["mlxk_version"] == "1.2.3"
    assert document["created_at"] == document["hash_computed_at"] == "2026-02-03T04:05:06Z"


def test_the_ownership_list_follows_from_the_plan_alone(bench: Bench) -> None:
    plan = bench.sync(a_model(bench))
    assert bench.path(LIST).read_bytes() == format_ownership(finished(plan.owned))


def test_the_plan_after_an_apply_is_empty_and_a_second_sync_changes_no_byte(bench: Bench) -> None:
    tree = a_model(bench)
    bench.sync(tree)
    before = picture(bench.root)
    stats = {path: (bench.path(path).lstat().st_ino, bench.path(path).lstat().st_mtime_ns) for path in before}
    assert bench.plan(tree).is_empty
    assert bench.sync(tree).is_empty
    assert picture(bench.root) == before
    assert stats == {
        path: (bench.path(path).lstat().st_ino, bench.path(path).lstat().st_mtime_ns) for path in before
    }


def test_large_files_are_linked_and_small_ones_are_private_copies(bench: Bench) -> None:
    bench.sync(a_model(bench))
    assert bench.path(WEIGHTS).stat().st_nlink == 2
    assert bench.path(WEIGHTS).stat().st_mode & 0o777 == 0o444
    assert bench.path(CONFIG).stat().st_nlink == 1


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_copies_obey_the_umask(bench: Bench, umask: int) -> None:
    before = os.umask(umask)
    try:
        bench.sync(a_model(bench))
    finally:
        os.umask(before)
    for path in (CONFIG, REF, SENTINEL):
        assert bench.path(path).stat().st_mode & 0o777 == 0o644 & ~umask
    assert bench.path("m").stat().st_mode & 0o777 == 0o777 & ~umask


def test_paths_bytes_and_targets_do_not_depend_on_the_link_mode(tmp_path: Path) -> None:
    modes: tuple[LinkMode, ...] = ("auto", "hardlink", "copy")
    pictures = []
    for mode in modes:
        bench = make_bench(tmp_path / mode, mode)
        bench.base.mkdir()
        bench.sync(a_model(bench))
        pictures.append(picture(bench.root, modes=False))
        nlink = {path: bench.path(path).stat().st_nlink for path in (CONFIG, WEIGHTS)}
        assert nlink == {"auto": {CONFIG: 1, WEIGHTS: 2}, "hardlink": {CONFIG: 2, WEIGHTS: 2}}.get(
            mode, {CONFIG: 1, WEIGHTS: 1}
        )
    assert pictures[0] == pictures[1] == pictures[2]


def test_a_new_commit_replaces_what_changed_and_removes_what_went(bench: Bench) -> None:
    bench.sync(_with(a_model(bench), {"m/extra/deep/a.txt": bench.file(b"extra"), "n/b": bench.file(b"b")}))
    tree = a_model(bench, config=b"{}", weights=b"new")
    bench.sync(tree)
    assert bench.path(CONFIG).read_bytes() == b"{}"
    assert bench.path(WEIGHTS).read_bytes() == b"new"
    assert not bench.path("m/extra").exists()
    assert not bench.path("n").exists()
    assert bench.plan(tree).is_empty


def test_what_mlxk_did_not_write_stays(bench: Bench) -> None:
    tree = a_model(bench)
    bench.sync(tree)
    bench.path("m/notes").mkdir()
    bench.path("m/notes/mine.txt").write_text("mine")
    bench.path("m/mine.txt").write_text("mine")
    bench.sync(tree_of({".hf_cache/hub/CACHEDIR.TAG": TextNode(content=b"Signature: 1\n")}))
    left = {path for path, (kind, _, _) in picture(bench.root).items() if kind == "file"}
    assert left == {"m/mine.txt", "m/notes/mine.txt", LIST, ".hf_cache/hub/CACHEDIR.TAG"}


def test_an_edited_file_that_nothing_needs_any_more_stays(bench: Bench) -> None:
    tree = a_model(bench)
    bench.sync(tree)
    bench.path(CONFIG).write_text("mine")
    plan = bench.sync(_without(tree, CONFIG))
    assert plan.kept == (CONFIG,)
    assert bench.path(CONFIG).read_text() == "mine"


def test_the_index_knows_what_is_there_and_nothing_that_is_racy(bench: Bench) -> None:
    tree = a_model(bench)
    bench.sync(tree)
    bench.path(WEIGHTS).unlink()
    bench.path(CONFIG).write_text("mine")
    os.utime(bench.path(CONFIG), (2**32, 2**32))
    bench.sync(_without(tree, REF))
    files = {path for path in tree.nodes if bench.path(path).is_file() and not bench.path(path).is_symlink()}
    assert files - {CONFIG} == set(load_index(bench.index).entries)


# --- quarantine ---------------------------------------------------------------------------------------------


def test_repair_moves_an_edited_file_aside_and_never_overwrites_one_there(bench: Bench) -> None:
    tree = a_model(bench)
    bench.sync(tree)
    for edit in ("first", "second"):
        bench.path(CONFIG).write_text(edit)
        assert [change.path for change in bench.plan(tree).changed] == [CONFIG]
        bench.sync(tree, repair=True)
        assert bench.plan(tree).is_empty
    assert bench.path(f"{QUARANTINE}/1/{CONFIG}").read_text() == "first"
    assert bench.path(f"{QUARANTINE}/2/{CONFIG}").read_text() == "second"
    assert [event.text for event in bench.events if isinstance(event, Note)] == [
        f"moved `{CONFIG}` to `{bench.root}/{QUARANTINE}/{number}/{CONFIG}`" for number in (1, 2)
    ]


def test_repair_moves_a_link_in_place_of_a_directory_and_leaves_its_target_alone(
    bench: Bench, tmp_path: Path
) -> None:
    tree = a_model(bench)
    bench.sync(tree)
    shutil.move(bench.path("m"), tmp_path / "elsewhere")
    bench.path("m").symlink_to(tmp_path / "elsewhere")
    before = picture(tmp_path / "elsewhere")
    bench.sync(tree, repair=True)
    assert picture(tmp_path / "elsewhere") == before
    assert not bench.path("m").is_symlink()
    assert bench.path(f"{QUARANTINE}/1/m").readlink() == tmp_path / "elsewhere"
    assert bench.plan(tree).is_empty


@pytest.mark.parametrize("what", ["directory", "file in place of a directory"])
def test_repair_moves_whatever_is_in_the_way(bench: Bench, what: str) -> None:
    tree = a_model(bench)
    bench.sync(tree)
    if what == "directory":
        bench.path(CONFIG).unlink()
        (bench.path(CONFIG) / "deep").mkdir(parents=True)
    else:
        shutil.rmtree(bench.path("m"))
        bench.path("m").write_text("a file")
    assert bench.plan(tree).changed
    bench.sync(tree, repair=True)
    assert bench.plan(tree).is_empty


def test_repair_when_a_file_became_a_directory_upstream(bench: Bench) -> None:
    bench.sync(tree_of({"m/a": bench.file(b"1"), "m/b/c": bench.file(b"2")}))
    tree = tree_of({"m/a/x": bench.file(b"3"), "m/b": bench.file(b"4")})
    bench.sync(tree, repair=True)
    assert bench.path("m/a/x").read_bytes() == b"3"
    assert bench.path("m/b").read_bytes() == b"4"
    assert bench.plan(tree).is_empty


# --- refusals -----------------------------------------------------------------------------------------------


def test_a_directory_that_became_a_link_since_the_scan_is_refused(bench: Bench, tmp_path: Path) -> None:
    tree = a_model(bench)
    workspace = bench.workspace()
    plan = make_plan(tree, workspace.scan(tree))
    (tmp_path / "elsewhere").mkdir()
    bench.root.mkdir()
    bench.path("m").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DiskError, match="symlink"):
        workspace.apply(plan, bench.store)
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("link", [".hf_cache", STAGE, LIST])
def test_links_in_the_cache_are_not_followed(bench: Bench, tmp_path: Path, link: str) -> None:
    target = tmp_path / "elsewhere"
    target.mkdir()
    (target / "kept").write_text("kept")
    bench.path(link).parent.mkdir(parents=True)
    bench.path(link).symlink_to(target / "kept" if link == LIST else target)
    if link == LIST:
        bench.sync(a_model(bench))
        assert not bench.path(LIST).is_symlink()
    else:
        with pytest.raises(DiskError, match="symlink"):
            bench.workspace().apply(
                make_plan(a_model(bench), bench.workspace().scan(tree_of({}))), bench.store
            )
    assert picture(target) == {"kept": ("file", 0o644, b"kept")}


@pytest.mark.parametrize("path", [CONFIG, LINK])
def test_an_edit_since_the_scan_is_not_overwritten(bench: Bench, path: RepoPath) -> None:
    tree = a_model(bench)
    bench.sync(tree)
    workspace = bench.workspace()
    plan = make_plan(a_model(bench, config=b"{}", weights=b"new"), workspace.scan(tree))
    if path == LINK:
        bench.path(LINK).unlink()
        plan = make_plan(tree, workspace.scan(tree))
    else:
        bench.path(path).unlink()
    bench.path(path).write_text("mine")
    with pytest.raises(DriftError, match=path.rpartition("/")[2]):
        workspace.apply(plan, bench.store)
    assert bench.path(path).read_text() == "mine"


def test_an_edit_since_the_scan_is_not_removed(bench: Bench) -> None:
    tree = a_model(bench)
    bench.sync(tree)
    workspace = bench.workspace()
    smaller = _without(tree, CONFIG)
    plan = make_plan(smaller, workspace.scan(smaller))
    assert plan.remove == (CONFIG,)
    bench.path(CONFIG).write_text("mine")
    with pytest.raises(DriftError, match="changed"):
        workspace.apply(plan, bench.store)
    assert bench.path(CONFIG).read_text() == "mine"


def test_two_builds_of_one_workspace_at_once_both_succeed(bench: Bench) -> None:
    tree = a_model(bench)
    one, other = bench.workspace(), bench.workspace()
    plans = [(each, make_plan(tree, each.scan(tree))) for each in (one, other)]
    for each, plan in plans:
        each.apply(plan, bench.store)
    assert bench.plan(tree).is_empty


def test_a_blob_that_the_store_lost_changes_nothing(bench: Bench) -> None:
    tree = a_model(bench)
    next(path for path in bench.store.directory.iterdir() if path.stat().st_size == 100_000).unlink()
    with pytest.raises(OfflineMissingError, match=r"has lost `f` of `m`"):
        bench.sync(tree)
    assert [path.name for path in bench.root.rglob("*") if path.is_file()] == []


def test_a_blob_that_rotted_never_gets_a_name(bench: Bench) -> None:
    tree = a_model(bench)
    config = tree.nodes[CONFIG]
    assert isinstance(config, FileNode)
    blob = bench.store.directory / config.identity
    blob.chmod(0o644)
    blob.write_bytes(b"x" * config.file.size_bytes)
    with pytest.raises(MismatchError, match=config.identity):
        bench.sync(tree)
    assert [path.name for path in bench.root.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("mode", ["clone", "hardlink"])
def test_a_link_mode_that_cannot_be_had_is_told(tmp_path: Path, mode: LinkMode) -> None:
    other_disk = Path("/dev/shm")  # noqa: S108 - a second filesystem, which is what this test is about
    if not other_disk.is_dir() or other_disk.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second filesystem here")
    store = other_disk / f"mlxlock-test-{os.getpid()}"
    bench = Bench(base=tmp_path, store=DirectoryStore(directory=store), link_mode=mode)
    try:
        tree = a_model(bench)
        with pytest.raises(DiskError, match=r"these disks do not allow it") as caught:
            bench.sync(tree)
        assert caught.value.hint is not None
        assert "--link-mode=copy" in caught.value.hint
        bench.link_mode = "auto"
        bench.sync(tree)
        assert bench.path(WEIGHTS).stat().st_nlink == 1
    finally:
        shutil.rmtree(store, ignore_errors=True)


def test_what_a_killed_run_left_on_the_stage_is_gone(bench: Bench) -> None:
    bench.path(STAGE).mkdir(parents=True)
    bench.path(f"{STAGE}/0").write_text("left over")
    bench.path(f"{STAGE}/other").symlink_to("/etc/passwd")
    bench.sync(a_model(bench))
    assert not bench.path(STAGE).exists()


# --- disks that refuse --------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=True, timeout=60)
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True, timeout=60)


@needs_root
def test_too_little_space_is_told_before_the_first_byte(tmp_path: Path, small_disk: Path) -> None:
    bench = make_bench(small_disk)
    bench.store = DirectoryStore(directory=tmp_path / "blobs")
    with pytest.raises(DiskError, match=r"needs 5\.0 MB, and `.*` has 1\.0 MB free") as caught:
        bench.sync(a_model(bench, weights=b"w" * 5_000_000))
    assert "free some space" in (caught.value.hint or "")
    assert [path.name for path in bench.root.rglob("*") if path.is_file()] == []


@needs_root
def test_a_disk_that_fills_up_meanwhile_shows_nothing_half_done(tmp_path: Path, small_disk: Path) -> None:
    bench = make_bench(small_disk)
    bench.store = DirectoryStore(directory=tmp_path / "blobs")
    bench.sync(a_model(bench))
    before = picture(bench.root)
    texts: dict[str, Node] = {f"m/{number}": TextNode(content=b"t" * 100_000) for number in range(12)}
    tree = _with(a_model(bench, config=b"new"), texts)
    with pytest.raises(DiskError, match="no space left"):
        bench.sync(tree)
    assert picture(bench.root) == before
    shutil.rmtree(tmp_path / "x", ignore_errors=True)
    bench.sync(a_model(bench, config=b"new"))
    assert bench.path(CONFIG).read_bytes() == b"new"


@needs_root
def test_a_read_only_workspace_is_one_error_and_a_no_op_none(tmp_path: Path, small_disk: Path) -> None:
    bench = make_bench(small_disk)
    bench.store = DirectoryStore(directory=tmp_path / "blobs")
    tree = a_model(bench)
    bench.sync(tree)
    index = bench.index.read_bytes()
    bench.base = tmp_path
    bench.index.parent.mkdir(parents=True)
    bench.index.write_bytes(index)
    bench.root.symlink_to(small_disk / "models")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True, timeout=60)
    bench.sync(tree)
    with pytest.raises(DiskError, match="read-only"):
        bench.sync(a_model(bench, config=b"new"))


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")
@pytest.mark.parametrize("links", ["hard", "none"])
def test_a_filesystem_without_symlinks_gets_hard_links_or_copies(tmp_path: Path, links: str) -> None:
    if os.uname().machine not in SYMLINKS:
        pytest.skip(f"no system call numbers for {os.uname().machine}")
    command = [sys.executable, "-m", "tests.workspace.no_links", str(tmp_path), links]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    bench = make_bench(tmp_path)
    assert not bench.path(LINK).is_symlink()
    assert bench.path(LINK).read_bytes() == bench.path(WEIGHTS).read_bytes()
    assert bench.path(LINK).samefile(bench.path(WEIGHTS)) is (links == "hard")
    bench.sync(tree_of({"m/other": sentinel()}))
    left = {path for path, (kind, _, _) in picture(bench.root).items() if kind == "file"}
    assert left == {"m/other", LIST}
