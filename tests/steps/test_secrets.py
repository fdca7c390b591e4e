"""Which `.git` and `.env*` are kept from first runs, and what only looks like one."""

from pathlib import Path

from mlxlock.steps.secrets import secrets_below


def made(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def found(root: Path, project: Path | None, *needed: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in secrets_below(project, needed))


def test_all_of_a_project_are_found(tmp_path: Path) -> None:
    made(tmp_path, ".git/config", ".env", ".env.local", "app.py", "sub/.envrc", "sub/.git", "sub/env")
    assert found(tmp_path, tmp_path) == [".env", ".env.local", ".git", "sub/.envrc", "sub/.git"]


def test_an_environment_that_is_named_so_is_none(tmp_path: Path) -> None:
    made(tmp_path, ".env/pyvenv.cfg", ".env/lib/site.py", ".env.local")
    assert found(tmp_path, tmp_path, tmp_path / ".env", tmp_path / ".env" / "lib") == [".env.local"]


def test_an_editable_install_shows_its_directory_but_not_its_secrets(tmp_path: Path) -> None:
    made(tmp_path, "work/.env", "work/.git/config", "work/src/package.py", "other/.env", "unseen/.env")
    made(tmp_path, "venv/pyvenv.cfg", "venv/lib/site-packages/.env")
    needed = [tmp_path / name for name in ("venv", "venv/lib/site-packages", "work", "work/src", "other")]
    assert found(tmp_path, None, *needed) == ["other/.env", "work/.env", "work/.git"]


def test_what_nobody_sees_is_not_looked_for(tmp_path: Path) -> None:
    made(tmp_path, ".env")
    assert found(tmp_path, None) == []
