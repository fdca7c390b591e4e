"""What a `.hf_cache` is told to hold: declared models, what runs brought, and what is broken."""

from pathlib import Path

import pytest

from mlxlock.ports import Artifact
from mlxlock.workspace.artifacts import list_artifacts

COMMIT = "1" * 40


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "models" / ".hf_cache"


def blob(cache: Path, folder: str, name: str, data: bytes, path: str = "config.json") -> Path:
    """A file of a cached repo: a blob, a link to it, and a ref to its commit."""
    home = cache / "hub" / folder
    for directory in ("blobs", "refs", f"snapshots/{COMMIT}"):
        (home / directory).mkdir(parents=True, exist_ok=True)
    (home / "blobs" / name).write_bytes(data)
    (home / "snapshots" / COMMIT / path).symlink_to(f"../../blobs/{name}")
    (home / "refs" / "main").write_text(COMMIT)
    return home


def test_no_cache_holds_nothing(cache: Path) -> None:
    assert list_artifacts(cache) == ()
    (cache / "hub").mkdir(parents=True)
    (cache / "hub" / "CACHEDIR.TAG").write_text("")
    (cache / ".mlxk_files").write_text("")
    (cache / "xet").mkdir()
    assert list_artifacts(cache) == ()


def test_what_a_run_brought_is_complete(cache: Path) -> None:
    blob(cache, "models--Qwen--Qwen2.5-7B", "a", b"12345")
    blob(cache, "datasets--org--d", "b", b"1")
    assert [
        (each.name, each.repo_type, each.state, each.files, each.commits, each.refs)
        for each in list_artifacts(cache)
    ] == [
        ("org/d", "dataset", "complete", 1, (COMMIT,), ("main",)),
        ("Qwen/Qwen2.5-7B", "model", "complete", 1, (COMMIT,), ("main",)),
    ]
    assert list_artifacts(cache)[1].size_bytes == 5 + len(COMMIT)


def test_a_model_beside_the_cache_is_declared_and_takes_no_space(cache: Path) -> None:
    model = cache.parent / "m"
    model.mkdir(parents=True)
    (model / "config.json").write_bytes(b"{}" * 1000)
    snapshot = cache / "hub" / "models--org--m" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").symlink_to("../../../../../m/config.json")
    (found,) = list_artifacts(cache)
    assert (found.name, found.state, found.size_bytes) == ("org/m", "declared", 0)


def only(cache: Path) -> Artifact:
    (found,) = list_artifacts(cache)
    return found


def test_what_is_broken_is_incomplete_and_says_why(cache: Path) -> None:
    home = blob(cache, "models--org--m", "a", b"1")
    blob(cache, "models--org--m", "b", b"1", "vocab.txt")
    (home / "blobs" / "b").unlink()
    assert only(cache).state == "incomplete"
    assert "1 of 2 files are links to nothing" in only(cache).problems[0]
    (home / "blobs" / "b").write_bytes(b"1")
    (home / "blobs" / "c.incomplete").write_bytes(b"1")
    assert only(cache).problems == ("1 downloads were broken off",)
    (home / "blobs" / "c.incomplete").unlink()
    (home / "refs" / "v1").write_text("2" * 40)
    assert only(cache).problems == ("`refs/v1` means a commit that is not there",)


def test_a_repo_without_files_is_incomplete(cache: Path) -> None:
    (cache / "hub" / "models--org--m" / "refs").mkdir(parents=True)
    assert (only(cache).state, only(cache).problems) == ("incomplete", ("it has no file",))


def test_whatever_else_a_run_left_is_listed(cache: Path) -> None:
    (cache / "nltk_data" / "corpora").mkdir(parents=True)
    (cache / "nltk_data" / "corpora" / "x").write_bytes(b"123")
    (cache / "hub").mkdir()
    (cache / "hub" / "version.txt").write_bytes(b"1")
    assert [(each.name, each.repo_type, each.files, each.size_bytes) for each in list_artifacts(cache)] == [
        ("hub/version.txt", None, 1, 1),
        ("nltk_data", None, 1, 3),
    ]
