"""Reading a cache that a stranger's code wrote: all that belongs, nothing else, and nothing outside."""

import os
from pathlib import Path

import pytest

from mlxlock.capture.listing import list_cache
from mlxlock.ports import Event, Note
from mlxlock.spec.names import CommitHash, RepoPath
from mlxlock.spec.record import CachedRepo

A, B = CommitHash("a" * 40), CommitHash("b" * 40)


def write(root: Path, path: str, text: str = "") -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="ascii")
    return file


def listed(hub: Path) -> tuple[tuple[CachedRepo, ...], list[str]]:
    """The repos, and what was told."""
    told: list[Event] = []
    repos = list_cache(hub, told.append)
    assert all(isinstance(event, Note) and event.level == "warning" for event in told)
    return repos, [event.text for event in told if isinstance(event, Note)]


def test_a_cache_as_the_library_writes_it(tmp_path: Path) -> None:
    model = "models--org--model"
    write(tmp_path, "CACHEDIR.TAG")
    write(tmp_path, f".locks/{model}/etag.lock")
    write(tmp_path, f"{model}/blobs/etag", "bytes")
    write(tmp_path, f"{model}/trees/{A}.json")
    write(tmp_path, f"{model}/refs/main", A)
    write(tmp_path, f"{model}/refs/refs/pr/1", B)
    write(tmp_path, f"{model}/.no_exist/{A}/added_tokens.json")
    write(tmp_path, f"{model}/snapshots/{B}/plain.txt")
    link = tmp_path / model / "snapshots" / A / "sub" / "config.json"
    link.parent.mkdir(parents=True)
    link.symlink_to("../../../blobs/etag")
    write(tmp_path, f"datasets--squad/snapshots/{A}/x")
    repos, told = listed(tmp_path)
    assert told == []
    assert repos == (
        CachedRepo(repo=repos[0].repo, repo_type="dataset", refs={}, files={A: (RepoPath("x"),)}, absent={}),
        CachedRepo(
            repo=repos[1].repo,
            repo_type="model",
            refs={"main": A, "refs/pr/1": B},
            files={A: (RepoPath("sub/config.json"),), B: (RepoPath("plain.txt"),)},
            absent={A: (RepoPath("added_tokens.json"),)},
        ),
    )
    assert [repo.repo for repo in repos] == ["squad", "org/model"]


def test_no_cache_is_an_empty_one(tmp_path: Path) -> None:
    assert listed(tmp_path / "hub") == ((), [])


@pytest.mark.parametrize(
    "place",
    [
        "",
        "models--org--model",
        "models--org--model/refs",
        "models--org--model/snapshots",
        f"models--org--model/snapshots/{A}",
    ],
)
def test_no_symlink_is_followed(tmp_path: Path, place: str) -> None:
    outside = tmp_path / "outside"
    write(outside, "main", A)
    write(outside, f"{A}/secret")
    write(outside, f"models--org--model/snapshots/{A}/secret")
    planted = tmp_path / "hub" / place
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.symlink_to(outside)
    repos, told = listed(tmp_path / "hub")
    assert "secret" not in str(repos)
    assert all(not repo.refs for repo in repos)
    assert len(told) == 1


def test_a_ref_that_is_a_symlink_is_not_read(tmp_path: Path) -> None:
    secret = write(tmp_path, "secret", A)
    ref = tmp_path / "hub/models--org--model/refs/main"
    ref.parent.mkdir(parents=True)
    ref.symlink_to(secret)
    repos, told = listed(tmp_path / "hub")
    assert repos[0].refs == {}
    assert len(told) == 1


@pytest.mark.parametrize(
    "path",
    [
        "models--..--etc/refs/main",
        "models--a--b--c/refs/main",
        "unknown--a--b/refs/main",
        "models--org--model/refs/-x..y",
        "models--org--model/snapshots/main/config.json",
        f"models--org--model/snapshots/{A}/.git/config",
        f"models--org--model/snapshots/{A}/a\nb",
        f"models--org--model/.no_exist/{A}/a\\b",
    ],
)
def test_names_that_cannot_be_are_told_and_left_out(tmp_path: Path, path: str) -> None:
    write(tmp_path, path, A)
    repos, told = listed(tmp_path)
    left = [(dict(repo.refs), [*repo.files.values(), *repo.absent.values()]) for repo in repos]
    assert left in ([], [({}, [])], [({}, [()])])
    assert told
    assert all(text.isprintable() for text in told)


@pytest.mark.parametrize("text", [f"{A}\n", "main", "", "A" * 40, "é" * 40])
def test_a_ref_is_forty_hex_digits_and_nothing_else(tmp_path: Path, text: str) -> None:
    ref = tmp_path / "models--org--model/refs/main"
    ref.parent.mkdir(parents=True)
    ref.write_text(text, encoding="utf-8")
    repos, told = listed(tmp_path)
    assert repos[0].refs == {}
    assert len(told) == 1


def test_pipes_and_closed_directories_do_not_hold_us_up(tmp_path: Path) -> None:
    folder = tmp_path / f"models--org--model/snapshots/{A}"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "pipe")
    (tmp_path / "models--org--model/refs").mkdir()
    os.mkfifo(tmp_path / "models--org--model/refs/main")
    repos, told = listed(tmp_path)
    assert repos[0].files == {A: ()}
    assert len(told) == 2


def test_depth_and_number_are_no_danger(tmp_path: Path) -> None:
    folder = tmp_path / f"models--org--model/snapshots/{A}"
    folder.mkdir(parents=True)
    for number in range(200):
        write(folder, f"bad{number}.")
    here = os.open(folder, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("deeper", dir_fd=here)
        below = os.open("deeper", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    repos, told = listed(tmp_path)
    assert repos[0].files == {A: ()}
    assert len(told) == 21
    assert "more such files" in told[-1]
    _remove_deep(folder / "deeper")


def _remove_deep(folder: Path) -> None:
    """Flatten what is deeper than a path can be long: pytest could not remove it."""
    flat = folder.parent / "flat"
    for _ in range(1500):
        inner = folder / "deeper"
        if inner.exists():
            inner.rename(flat)
        folder.rmdir()
        if not flat.exists():
            return
        flat.rename(folder)
