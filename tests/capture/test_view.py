"""Which mounts a job's paths become, in which order, and which paths are refused."""

import os
from pathlib import Path

import pytest

from mlxlock.capture.view import Mount, masks, mounts, user_home
from mlxlock.errors import SandboxError

HOME = Path("/home/ada")


def shown(*found: Mount) -> list[tuple[str, bool]]:
    return [(str(mount.target), mount.writable) for mount in found]


def test_directories_come_before_what_lies_in_them(tmp_path: Path) -> None:
    deep = tmp_path / "ws" / "cache" / "deep"
    deep.mkdir(parents=True)
    ws, cache = tmp_path / "ws", tmp_path / "ws" / "cache"
    found = mounts([deep, ws], [cache], home=HOME)
    assert shown(*found) == [(str(ws), False), (str(cache), True), (str(deep), False)]


def test_what_is_both_is_writable(tmp_path: Path) -> None:
    assert shown(*mounts([tmp_path], [tmp_path], home=HOME)) == [(str(tmp_path), True)]


def test_what_is_shown_already_needs_no_mount(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert shown(*mounts([tmp_path / "in", tmp_path, Path("/usr/lib")], [], home=HOME)) == [
        (str(tmp_path), False)
    ]


def test_a_path_behind_a_symlink_has_two_names(tmp_path: Path) -> None:
    (tmp_path / "real" / "ws").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    found = mounts([tmp_path / "link" / "ws"], [], home=HOME)
    assert {str(mount.target.relative_to(tmp_path)) for mount in found} == {"real/ws", "link/ws"}
    assert {mount.source for mount in found} == {tmp_path / "real" / "ws"}


def test_nothing_is_mounted_onto_a_symlink_that_is_shown(tmp_path: Path) -> None:
    (tmp_path / "ws").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "ws" / "models").symlink_to(tmp_path / "data")
    found = mounts([tmp_path / "ws"], [tmp_path / "ws" / "models"], home=HOME)
    assert shown(*found) == [(str(tmp_path / "ws"), False), (str(tmp_path / "data"), True)]


@pytest.mark.parametrize("path", ["/", "/home", "/home/ada", "/home/ada/x/..", "relative"])
def test_too_much_is_refused(tmp_path: Path, path: str) -> None:
    home = tmp_path / "home" / "ada"
    (home / "x").mkdir(parents=True)
    placed = Path(path) if path in {"/", "relative"} else tmp_path / path.lstrip("/")
    with pytest.raises(SandboxError, match=r"would open the whole|not an absolute path"):
        mounts([placed], [], home=home)


def test_a_symlink_to_too_much_is_refused(tmp_path: Path) -> None:
    (tmp_path / "innocent").symlink_to("/")
    with pytest.raises(SandboxError, match="would open the whole of `/`"):
        mounts([tmp_path / "innocent"], [], home=HOME)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="is not there"):
        mounts([tmp_path / "gone"], [], home=HOME)


def test_a_user_without_a_home_is_still_kept_from_the_whole_disk(tmp_path: Path) -> None:
    assert shown(*mounts([tmp_path], [], home=None)) == [(str(tmp_path), False)]
    with pytest.raises(SandboxError, match="would open the whole of `/`"):
        mounts([Path("/")], [], home=None)


def test_what_is_hidden_is_covered_under_each_of_its_names(tmp_path: Path) -> None:
    real = tmp_path / "real"
    (real / ".git").mkdir(parents=True)
    (real / "settings").touch()
    (real / ".env").symlink_to("settings")
    (tmp_path / "link").symlink_to("real")
    project = tmp_path / "link"
    found = masks([project / ".git", project / ".env", project / "absent"], mounts([project], [], home=HOME))
    assert {str(mask.target.relative_to(tmp_path)) for mask in found} == {
        *("link/.git", "real/.git", "link/settings", "real/settings"),
    }


def test_what_is_hidden_elsewhere_needs_no_mask(tmp_path: Path) -> None:
    (tmp_path / "shown").mkdir()
    (tmp_path / ".env").touch()
    assert masks([tmp_path / ".env"], mounts([tmp_path / "shown"], [], home=HOME)) == ()


@pytest.mark.parametrize(("home", "found"), [("/home/ada", Path("/home/ada")), ("/", None), ("", None)])
def test_a_home_is_a_directory_of_ones_own(home: str, found: Path | None) -> None:
    os.environ["HOME"] = home  # set back after the test, as all that is guarded
    assert user_home() == found
