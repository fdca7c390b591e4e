"""SIGKILL at system calls chosen from outside: whatever a killed `sync` leaves, the next one completes.

strace counts the calls of one undisturbed run, then kills fresh runs at calls spread over all of it.
"""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testhub import LoopbackHub, lfs

ROOT = Path(__file__).parents[2]
CALLS = (
    *("rename", "link", "linkat", "symlink", "symlinkat", "unlink", "fsync", "write", "pwrite64"),
    *("sendto", "mkdir", "mkdirat", "ftruncate", "fchmod", "renameat", "renameat2", "unlinkat"),
)
KILLS = 56
MANIFEST = """
[models.one]
repo = "org/one"

[models.two]
repo = "org/two"
"""


class Place:
    """A project, its lock, and a way to run `mlxk` on it with a store and workspace that were never used."""

    def __init__(self, root: Path, endpoint: str) -> None:
        self.root = root
        self.env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(root / "home"),
            "HF_ENDPOINT": endpoint,
            "HF_HUB_CACHE": str(root / "no-cache"),
            "MLXK_STORE_DIR": str(root / "store"),
        }
        (root / "models.toml").write_text(MANIFEST)
        self.mlxk("lock", "--no-capture")

    def afresh(self) -> None:
        shutil.rmtree(self.root / "models", ignore_errors=True)
        shutil.rmtree(self.root / "store", ignore_errors=True)

    def run(self, *argv: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        command = [*before, sys.executable, "-m", "mlxlock", *argv]
        return subprocess.run(
            command, cwd=self.root, env=self.env, capture_output=True, text=True, timeout=60, check=False
        )

    def mlxk(self, *argv: str) -> str:
        done = self.run(*argv)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def moments(self) -> list[tuple[str, int]]:
        """Each (call, n) of an undisturbed run, in order: a thread makes that call for the nth time."""
        log = self.root / "strace.log"
        self.afresh()
        done = self.run(
            "sync", before=("strace", "-f", "-qq", "-e", f"trace={','.join(CALLS)}", "-o", str(log))
        )
        assert done.returncode == 0, done.stderr
        seen = Counter[tuple[str, str]]()
        moments = dict[tuple[str, int], None]()
        for thread, call in re.findall(r"^(\d+) +(\w+)\(", log.read_text(), re.MULTILINE):
            seen[thread, call] += 1
            moments[call, seen[thread, call]] = None
        return list(moments)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with LoopbackHub() as hub:
        for name in ("one", "two"):
            hub.repo(f"org/{name}").commit(
                {
                    "config.json": f'{{"name": "{name}"}}'.encode(),
                    "tokenizer/vocab.txt": name.encode() * 400,
                    "model.safetensors": lfs(name.encode() * 100_000),
                }
            )
        yield Place(tmp_path_factory.mktemp("project"), hub.endpoint)


@pytest.mark.timeout(600)
def test_a_sync_killed_anywhere_is_completed_by_the_next(place: Place) -> None:
    moments = place.moments()
    assert len(moments) > KILLS
    killed = 0
    for number in range(KILLS):
        call, when = moments[number * len(moments) // KILLS]
        place.afresh()
        inject = f"inject={call}:signal=SIGKILL:when={when}"
        outcome = place.run("sync", before=("strace", "-f", "-qq", "-o", "/dev/null", "-e", inject))
        killed += outcome.returncode in {-9, 137}
        place.mlxk("sync")
        place.mlxk("verify")
    assert killed >= 50
