"""Which model a path or a name means, over real directories and a real lock."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from mlxlock.errors import UsageError
from mlxlock.ports import LocalModel, Ports
from mlxlock.spec.lockfile import Lockfile
from mlxlock.spec.lockfile_writer import format_lockfile
from mlxlock.steps.locate import locate
from mlxlock.steps.project import Project
from mlxlock.workspace.library import DirectoryLibrary
from tests.planning import locks
from tests.workspace.test_library import NEW, OLD, make, make_snapshot

Find = Callable[[str], LocalModel]


def never() -> None:
    raise AssertionError("locating needs nothing but the library")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "project"
    root.mkdir()
    (root / "models.toml").write_text('[models.chat]\nrepo = "org/tiny"\n')
    (root / "models.lock").write_text(
        format_lockfile(Lockfile(models=(locks.model("chat", repo="org/tiny"),)))
    )
    return Project(root=root)


@pytest.fixture
def find(tmp_path: Path, project: Project) -> Find:
    library = DirectoryLibrary(
        roots=[tmp_path / "home", tmp_path / "more"],
        caches=[tmp_path / "hub"],
        home=tmp_path,
        records=tmp_path / "records",
    )
    unused: dict[str, Any] = {field.name: never for field in fields(Ports) if field.name != "on_event"}
    ports = Ports(**{**unused, "library": lambda: library})
    return lambda text: locate(text, ports, project)


def test_the_order_is_lock_then_home_then_each_path_then_cache(tmp_path: Path, find: Find) -> None:
    make_snapshot(tmp_path / "hub", "org/tiny", OLD, "main")
    in_cache = make_snapshot(tmp_path / "hub", "org/small", OLD, "main")
    make(tmp_path / "home" / "tiny")
    in_home = make(tmp_path / "home" / "small2")
    make(tmp_path / "more" / "small2")
    in_more = make(tmp_path / "more" / "small3")
    locked = find("tiny")
    assert (locked.where, locked.name, locked.directory) == (
        "lock",
        "chat",
        tmp_path / "project" / "models" / "tiny",
    )
    assert (find("small2").directory, find("small3").directory) == (in_home, in_more)
    found = find("small")
    assert (found.where, found.directory, found.refs) == ("cache", in_cache, ("main",))


def test_the_projects_workspace_is_searched_after_its_lock(tmp_path: Path, find: Find) -> None:
    make(tmp_path / "home" / "own")
    own = make(tmp_path / "project" / "models" / "own")
    assert (find("own").where, find("own").directory) == ("workspace", own)
    make(
        tmp_path / "project" / "models" / "tiny", f'{{"source_repo": "org/tiny", "source_revision": "{OLD}"}}'
    )
    locked = find("chat")
    assert locked.where == "lock"
    assert locked.sentinel is not None


def test_an_ambiguous_name_lists_what_it_could_mean(tmp_path: Path, find: Find) -> None:
    make_snapshot(tmp_path / "hub", "a/voice", OLD, "main")
    make_snapshot(tmp_path / "hub", "b/voice", NEW, "main")
    with pytest.raises(UsageError, match="could mean 2 models") as told:
        find("voice")
    assert [f"{repo}/voice@" in detail for repo, detail in zip("ab", told.value.details, strict=True)] == [
        True,
        True,
    ]
    assert find("b/voice").revision == NEW
    assert find(f"voice@{OLD[:7]}").repo == "a/voice"


def test_what_is_not_here_is_an_error_that_says_what_is_near(tmp_path: Path, find: Find) -> None:
    make(tmp_path / "home" / "whisper")
    with pytest.raises(UsageError, match=r"no model `wispher`.*did you mean.*whisper"):
        find("wispher")
    with pytest.raises(UsageError, match="`chat` is not here at `v9`"):
        find("chat@v9")
    with pytest.raises(UsageError, match="no name of a model"):
        find("")
    with pytest.raises(UsageError, match=r"no model at `.*nowhere`"):
        find("./nowhere")


def test_a_directory_of_models_is_none_itself(tmp_path: Path, find: Find) -> None:
    make(tmp_path / "home" / "whisper")
    with pytest.raises(UsageError, match="holds models") as told:
        find(str(tmp_path / "home"))
    assert str(tmp_path / "home" / "whisper") in str(told.value.hint)
