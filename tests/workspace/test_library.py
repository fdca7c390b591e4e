"""What is found on a machine: workspaces, snapshots of a cache, and what is broken among them."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mlxlock.spec.names import RepoId
from mlxlock.spec.sentinel import SENTINEL_NAME
from mlxlock.workspace.homes import workspace_home, workspace_roots
from mlxlock.workspace.library import DirectoryLibrary

OLD, NEW = "1" * 40, "2" * 40


def make(directory: Path, sentinel: str | None = None) -> Path:
    directory.mkdir(parents=True)
    (directory / "config.json").write_text("{}")
    if sentinel is not None:
        (directory / SENTINEL_NAME).write_text(sentinel)
    return directory


def make_snapshot(cache: Path, repo: str, commit: str, *refs: str) -> Path:
    folder = cache / f"models--{repo.replace('/', '--')}"
    for ref in refs:
        path = folder / "refs" / ref
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(commit)
    return make(folder / "snapshots" / commit)


def library(tmp_path: Path) -> DirectoryLibrary:
    return DirectoryLibrary(
        roots=[tmp_path / "home", tmp_path / "more"],
        caches=[tmp_path / "hub"],
        home=tmp_path / "user",
        records=tmp_path / "records",
    )


def test_shelves_come_in_the_order_of_the_search(tmp_path: Path) -> None:
    make(tmp_path / "home" / "b", f'{{"source_repo": "org/b", "source_revision": "{OLD}"}}')
    make(tmp_path / "home" / "a")
    make(tmp_path / "more" / "c")
    make_snapshot(tmp_path / "hub", "org/d", OLD, "main", "refs/pr/1")
    home, more, cache = library(tmp_path).shelves()
    assert [(each.where, each.root) for each in (home, more, cache)] == [
        ("workspace", tmp_path / "home"),
        ("workspace", tmp_path / "more"),
        ("cache", tmp_path / "hub"),
    ]
    assert [(model.name, model.repo, model.revision) for model in home.models] == [
        ("a", None, None),
        ("b", "org/b", OLD),
    ]
    assert [model.name for model in more.models] == ["c"]
    (cached,) = cache.models
    assert (cached.name, cached.repo, cached.revision, sorted(cached.refs)) == (
        "org/d",
        RepoId("org/d"),
        OLD,
        ["main", "refs/pr/1"],
    )


def test_each_snapshot_of_a_cache_is_a_model_and_dataset_folders_are_none(tmp_path: Path) -> None:
    make_snapshot(tmp_path / "hub", "org/d", OLD)
    make_snapshot(tmp_path / "hub", "org/d", NEW, "main")
    make_snapshot(tmp_path / "hub", "gpt2", NEW)
    make(tmp_path / "hub" / "datasets--org--d" / "snapshots" / OLD)
    make(tmp_path / "hub" / "models--a--b--c" / "snapshots" / OLD)
    make(tmp_path / "hub" / "models--org--e" / "snapshots" / "main")
    cache = library(tmp_path).shelves()[-1]
    assert [(model.name, model.revision, model.refs) for model in cache.models] == [
        ("gpt2", NEW, ()),
        ("org/d", OLD, ()),
        ("org/d", NEW, ("main",)),
    ]


BROKEN: Mapping[str, Callable[[Path], object]] = {
    "list": lambda path: path.write_text("[1]"),
    "text": lambda path: path.write_text("not json"),
    "binary": lambda path: path.write_bytes(bytes(range(256))),
    "deep": lambda path: path.write_text("[" * 100_000),
    "huge": lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_RDWR), 1 << 34),
    "fifo": os.mkfifo,
    "link": lambda path: path.symlink_to("/etc/passwd"),
    "dangling": lambda path: path.symlink_to("nowhere"),
    "directory": lambda path: path.mkdir(),
    "empty": lambda path: path.write_text(""),
}


def test_no_broken_sentinel_hides_a_neighbour(tmp_path: Path) -> None:
    for name, spoil in BROKEN.items():
        spoil(make(tmp_path / "home" / name) / SENTINEL_NAME)
    make(tmp_path / "home" / "whole", f'{{"source_repo": "org/b", "source_revision": "{OLD}"}}')
    home = library(tmp_path).shelves()[0]
    problems = {model.name: model.sentinel_problem for model in home.models}
    assert problems.pop("whole") is None
    assert problems.keys() == BROKEN.keys()
    assert all(problems.values())


def test_only_what_holds_a_model_is_one(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "notes").mkdir(parents=True)
    (home / "notes" / "readme.md").write_text("")
    (home / "file.safetensors").write_text("")
    make(home / ".hidden")
    make(home / "hub")
    (home / "weights").mkdir()
    (home / "weights" / "model.GGUF").write_text("")
    elsewhere = make(tmp_path / "elsewhere")
    (home / "linked").symlink_to(elsewhere)
    (home / "dangling").symlink_to("nowhere")
    assert [model.name for model in library(tmp_path).shelves()[0].models] == ["linked", "weights"]


def test_a_shelf_that_is_missing_is_empty_and_one_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "more").write_text("a file")
    home, more, cache = library(tmp_path).shelves()
    assert (home.models, home.problem) == ((), None)
    assert (more.models, cache.models, cache.problem) == ((), (), None)
    assert more.problem is not None
    assert "more" in more.problem


def test_every_spelling_of_a_path_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make(tmp_path / "here" / "m")
    (tmp_path / "here" / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    found = library(tmp_path)
    for text in ("./m", "m/", "m", "../here/m", str(model), f"{model}/", "./x/../m"):
        assert found.path(text) == model, text
    assert found.path("~/m") == tmp_path / "user" / "m"
    assert found.path("./nowhere") == tmp_path / "here" / "nowhere"
    assert found.path("nowhere") is None
    assert found.path("empty") is None
    assert found.path("org/m") is None


def test_a_path_into_a_cache_is_of_the_cache(tmp_path: Path) -> None:
    directory = make_snapshot(tmp_path / "hub", "org/d", OLD, "main")
    found = library(tmp_path).model(directory)
    assert found is not None
    assert (found.where, found.name, found.revision, found.refs) == ("cache", "org/d", OLD, ("main",))


@pytest.mark.parametrize("unset", [{}, {"MLXK_WORKSPACE_HOME": "", "MLXK_MODEL_PATH": ":"}])
def test_unset_and_empty_variables_name_no_root(unset: dict[str, str]) -> None:
    assert workspace_home(unset, Path("/u")) is None
    assert workspace_roots(unset, Path("/u")) == ()


def test_the_home_comes_before_each_path_and_nothing_twice() -> None:
    env = {"MLXK_WORKSPACE_HOME": "~/models", "MLXK_MODEL_PATH": "/a:~/models:/b"}
    assert workspace_roots(env, Path("/u")) == (Path("/u/models"), Path("/a"), Path("/b"))
