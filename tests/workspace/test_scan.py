"""Looking at a workspace: everything is told apart, nothing is followed, nothing unchanged is read."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlxlock.errors import DiskError
from mlxlock.planning.layout import LinkNode, SentinelNode
from mlxlock.planning.plan import FoundFile, FoundLink, FoundOther, content_of
from mlxlock.ports import Advanced, Finished, Note, Started
from mlxlock.spec.names import RepoPath
from mlxlock.workspace import contents
from mlxlock.workspace.contents import sentinel_identity
from tests.workspace.support import (
    CONFIG,
    LINK,
    SENTINEL,
    WEIGHTS,
    Bench,
    a_model,
    make_bench,
    picture,
    tree_of,
)

LIST = ".hf_cache/.mlxk_files"
_opened: list[str] = []
_listening = False


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if not _listening or event != "open":
        return
    path, _, flags = arguments
    if not isinstance(path, int) and not (isinstance(flags, int) and flags & os.O_DIRECTORY):
        _opened.append(os.path.basename(os.fsdecode(path)))  # type: ignore[arg-type]  # noqa: PTH119 - it may be relative to a descriptor


sys.addaudithook(_hear)


@contextmanager
def opened_files() -> Iterator[list[str]]:
    """The names of all files that are opened meanwhile, directories left out."""
    global _listening  # noqa: PLW0603 - an audit hook cannot be taken away again
    _opened.clear()
    _listening = True
    try:
        yield _opened
    finally:
        _listening = False


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return make_bench(tmp_path)


def test_a_workspace_that_does_not_exist_is_empty_and_is_not_made(bench: Bench) -> None:
    inventory = bench.workspace().scan(a_model(bench))
    assert not inventory.found
    assert not inventory.owned
    assert not bench.root.exists()


def test_what_was_built_is_found(bench: Bench) -> None:
    tree = a_model(bench)
    bench.sync(tree)
    inventory = bench.workspace().scan(tree)
    assert dict(inventory.owned) == {path: content_of(node) for path, node in tree.nodes.items()}
    assert inventory.found[LINK] == FoundLink(target="../../../../../m/w.safetensors")
    assert inventory.found[WEIGHTS] == FoundFile(identity=tree.nodes[WEIGHTS].identity, size_bytes=100_000)  # type: ignore[union-attr]
    assert set(inventory.found) == set(tree.nodes)


def test_an_unchanged_workspace_is_not_read(bench: Bench) -> None:
    tree = a_model(bench)
    bench.sync(tree)
    with opened_files() as opened:
        bench.workspace().scan(tree)
    assert sorted(opened) == [".mlxk_files", "w.index"]


def test_content_reads_everything_though_nothing_seems_to_have_changed(bench: Bench) -> None:
    tree = a_model(bench)
    bench.sync(tree)
    status = bench.path(WEIGHTS).stat()
    blob = bytearray(bench.path(WEIGHTS).read_bytes())
    blob[7] ^= 1
    bench.path(WEIGHTS).chmod(0o644)
    bench.path(WEIGHTS).write_bytes(blob)
    os.utime(bench.path(WEIGHTS), ns=(status.st_atime_ns, status.st_mtime_ns))
    assert bench.plan(tree).is_empty
    found = bench.workspace().scan(tree, content=True).found[WEIGHTS]
    assert isinstance(found, FoundFile)
    assert found.identity != content_of(tree.nodes[WEIGHTS])


def test_a_scan_writes_nothing_at_all(bench: Bench) -> None:
    tree = a_model(bench)
    bench.sync(tree)
    bench.path(CONFIG).write_text("edited")
    before = picture(bench.base)
    for content in (False, True):
        bench.workspace().scan(tree, content=content)
    assert picture(bench.base) == before


def test_what_had_to_be_read_once_is_remembered_when_asked_to(bench: Bench) -> None:
    tree = a_model(bench)
    bench.sync(tree)
    bench.index.unlink()
    bench.path(CONFIG).write_text("edited")
    os.utime(bench.path(CONFIG), (1, 1))
    workspace = bench.workspace()
    workspace.remember(workspace.scan(tree))
    with opened_files() as opened:
        changed = bench.plan(tree).changed
    assert sorted(opened) == [".mlxk_files", "w.index"]
    assert [change.path for change in changed] == [CONFIG]


def test_an_edit_through_a_hard_link_is_seen(bench: Bench) -> None:
    tree = a_model(bench)
    bench.sync(tree)
    assert bench.path(WEIGHTS).stat().st_nlink == 2
    bench.path(WEIGHTS).chmod(0o644)
    with bench.path(WEIGHTS).open("r+b") as stream:
        stream.write(b"x")
    assert [change.path for change in bench.plan(tree).changed] == [WEIGHTS]


@pytest.mark.parametrize(
    ("put", "expected"),
    [
        (lambda path: path.mkdir(), FoundOther(kind="directory")),
        (os.mkfifo, FoundOther(kind="special")),
        (lambda path: path.symlink_to("/etc/passwd"), FoundLink(target="/etc/passwd")),
        (lambda path: path.symlink_to("nowhere"), FoundLink(target="nowhere")),
    ],
)
def test_what_is_in_the_way_is_told_apart(
    bench: Bench, put: Callable[[Path], None], expected: object
) -> None:
    tree = a_model(bench)
    bench.sync(tree)
    bench.path(CONFIG).unlink()
    put(bench.path(CONFIG))
    assert bench.workspace().scan(tree).found[CONFIG] == expected


def test_a_model_directory_that_became_a_link_is_not_entered(bench: Bench, tmp_path: Path) -> None:
    tree = a_model(bench)
    bench.sync(tree)
    shutil.move(bench.path("m"), tmp_path / "elsewhere")
    bench.path("m").symlink_to(tmp_path / "elsewhere")
    found = bench.workspace().scan(tree).found
    assert {found[path] for path in (CONFIG, WEIGHTS, SENTINEL)} == {
        FoundOther(kind="parent-is-link", at="m")
    }


def test_a_parent_that_became_a_file_is_named_once_it_is_in_the_way(bench: Bench) -> None:
    tree = a_model(bench)
    bench.sync(tree)
    shutil.rmtree(bench.path(".hf_cache/hub/models--org--m/snapshots"))
    bench.path(".hf_cache/hub/models--org--m/snapshots").write_text("a file")
    found = bench.workspace().scan(tree).found
    assert found[LINK] == FoundOther(kind="parent-is-file", at=".hf_cache/hub/models--org--m/snapshots")


def test_a_directory_that_is_gone_is_simply_missing(bench: Bench) -> None:
    tree = a_model(bench)
    bench.sync(tree)
    shutil.rmtree(bench.path("m"))
    assert not {CONFIG, WEIGHTS, SENTINEL} & set(bench.workspace().scan(tree).found)


@pytest.mark.parametrize("text", ["nonsense", f"{'a' * 64}  ../../etc/passwd\n", "\xff"])
def test_a_broken_ownership_list_owns_nothing_and_is_told(bench: Bench, text: str) -> None:
    tree = a_model(bench)
    bench.sync(tree)
    bench.path(LIST).write_text(text, encoding="latin-1")
    bench.events.clear()
    inventory = bench.workspace().scan(tree)
    assert not inventory.owned
    assert set(inventory.found) == set(tree.nodes)
    assert [event.level for event in bench.events if isinstance(event, Note)] == ["warning"]


def test_a_root_that_is_a_file_is_told(bench: Bench) -> None:
    bench.root.write_text("a file")
    with pytest.raises(DiskError, match="models"):
        bench.workspace().scan(a_model(bench))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_may_not_be_read_is_told_apart(bench: Bench) -> None:
    tree = a_model(bench)
    bench.sync(tree)
    bench.index.unlink()
    bench.path(CONFIG).chmod(0)
    for parent in [bench.base, *bench.base.parents]:
        if parent.stat().st_uid == 0 and parent.name.startswith(("pytest", "popen", "test")):
            parent.chmod(0o755)
    os.seteuid(65534)
    try:
        assert bench.workspace().scan(tree).found[CONFIG] == FoundOther(kind="unreadable")
    finally:
        os.seteuid(0)


# --- sentinels, progress and stand-ins ----------------------------------------------------------------------


def test_a_sentinel_is_the_same_whenever_and_by_whichever_version_it_was_written(bench: Bench) -> None:
    node = a_model(bench).nodes[SENTINEL]
    assert isinstance(node, SentinelNode)
    for version, now in (("1.0", "2026-01-01T00:00:00Z"), ("9.9", "2036-01-01T00:00:00Z")):
        written = json.dumps(node.sentinel.written(version=version, now=now)).encode()
        assert sentinel_identity(written) == node.identity
    other = json.dumps(
        {**node.sentinel.written(version="1.0", now="x"), "source_revision": "0" * 40}
    ).encode()
    assert sentinel_identity(other) != node.identity


@pytest.mark.parametrize(
    "packed", [b"", b"[]", b"\xff", b"[" * 30_000, b'"\\ud800"', b'{"a": "\\ud800"}', b"{" * 9]
)
def test_no_sentinel_text_does_harm(packed: bytes) -> None:
    assert len(sentinel_identity(packed)) == 64


def test_an_edited_sentinel_is_a_change(bench: Bench) -> None:
    tree = a_model(bench)
    bench.sync(tree)
    document = json.loads(bench.path(SENTINEL).read_text())
    bench.path(SENTINEL).write_text(json.dumps({**document, "created_at": "yesterday"}))
    assert bench.plan(tree).is_empty
    bench.path(SENTINEL).write_text(json.dumps({**document, "source_repo": "evil/m"}))
    assert [change.path for change in bench.plan(tree).changed] == [SENTINEL]


def test_reading_much_shows_how_far_it_got(bench: Bench) -> None:
    size = contents._TOLD_BYTES
    tree = tree_of({"m/a": bench.file(b"\0" * (size // 2)), "m/b": bench.file(b"\1" * (size // 2))})
    bench.sync(tree)
    bench.events.clear()
    bench.workspace().scan(tree, content=True)
    first, *between, last = bench.events
    assert isinstance(first, Started)
    assert first.total == size
    assert sum(event.amount for event in between if isinstance(event, Advanced)) == size
    assert isinstance(last, Finished)


def test_a_file_with_the_targets_bytes_stands_for_a_link(bench: Bench) -> None:
    tree = a_model(bench)
    bench.sync(tree)
    bench.path(LINK).unlink()
    shutil.copy(bench.path(WEIGHTS), bench.path(LINK))
    assert bench.plan(tree).is_empty
    gone = tree_of({path: node for path, node in tree.nodes.items() if not isinstance(node, LinkNode)})
    assert LINK in bench.plan(gone).remove
    bench.path(LINK).chmod(0o644)
    bench.path(LINK).write_bytes(b"other")
    assert [change.path for change in bench.plan(tree).changed] == [LINK]


def test_a_link_that_leads_out_of_the_workspace_has_no_stand_in(bench: Bench) -> None:
    tree = tree_of({"m/a": LinkNode(target="../../../etc/hostname")})
    bench.path("m").mkdir(parents=True)
    bench.path("m/a").write_text("x")
    assert isinstance(bench.workspace().scan(tree).found[RepoPath("m/a")], FoundFile)
