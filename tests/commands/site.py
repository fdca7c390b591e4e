"""A project and a way to call `mlxk` in it, as a user's shell would: another process, its own environment."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 240
SENTINEL = ".mlxk_workspace.json"


class Site:
    """A project; several may share a store."""

    def __init__(self, root: Path, endpoint: str, *, store: Path | None = None) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self.store = store or root.parent / f"{root.name}-store"
        self.env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(root.parent / "home"),
            "HF_ENDPOINT": endpoint,
            "HF_HUB_CACHE": str(root.parent / "no-cache"),
            "MLXK_STORE_DIR": str(self.store),
        }

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def lock_path(self) -> Path:
        return self.root / "models.lock"

    @property
    def locked(self) -> dict[str, Any]:
        """The lock's entries, by name."""
        return {model["name"]: model for model in tomllib.loads(self.lock_path.read_text()).get("model", [])}

    def write(self, manifest: str) -> None:
        (self.root / "models.toml").write_text(manifest)

    def command(self, *argv: str) -> list[str]:
        return [sys.executable, "-m", "mlxlock", *argv]

    def run(
        self,
        *argv: str,
        before: tuple[str, ...] = (),
        umask: int = -1,
        more: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*before, *self.command(*argv)],
            cwd=self.root,
            env={**self.env, **(more or {})},
            umask=umask,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    def mlxk(self, *argv: str, before: tuple[str, ...] = (), umask: int = -1) -> str:
        """What a call that succeeds says on stdout."""
        done = self.run(*argv, before=before, umask=umask)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refusal(self, *argv: str, more: Mapping[str, str] | None = None) -> tuple[int, str, str]:
        """The exit code of a call that fails, the error's stable code, and all that the error says."""
        done = self.run(*argv, "--json", more=more)
        assert done.returncode != 0, done.stdout
        assert "Traceback" not in done.stderr
        error = json.loads(done.stdout)["error"]
        return done.returncode, error["code"], json.dumps(error, ensure_ascii=False)

    def data(self, *argv: str) -> dict[str, Any]:
        """`data` of a call that succeeds."""
        found: dict[str, Any] = json.loads(self.mlxk(*argv, "--json"))["data"]
        return found


def contents(root: Path, keep: Callable[[str], bool] = lambda _: True) -> dict[str, bytes | str]:
    """Every file's bytes, every link's target and every empty directory's name below `root`, by path."""
    found: dict[str, bytes | str] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if not keep(name):
            continue
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            found[name] = path.read_bytes()
        elif not any(path.iterdir()):
            found[name] = "empty"
    return found


def untimed(root: Path) -> dict[str, bytes | str]:
    """A workspace's contents, its sentinels without the time of day."""
    found = contents(root)
    for name, content in found.items():
        if name.endswith(SENTINEL) and isinstance(content, bytes):
            told = json.loads(content)
            kept = {key: value for key, value in told.items() if not key.endswith("_at")}
            found[name] = json.dumps(kept)
    return found
