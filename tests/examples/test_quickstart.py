"""README's first command does what it says, and leaves nothing that git would see."""

import os
import pwd
import re
import subprocess
from pathlib import Path

import pytest

from tests.guards import NOWHERE

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.mlx, pytest.mark.sandbox, pytest.mark.timeout(600)]


def users_environment() -> dict[str, str]:
    """As a user has it: of what the guards set, only the home is put back."""
    kept = {name: value for name, value in os.environ.items() if not value.startswith(NOWHERE)}
    return {**kept, "HOME": pwd.getpwuid(os.getuid()).pw_dir}


def git_status() -> str:
    done = subprocess.run(
        ("git", "status", "--porcelain"), cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_quickstart_locks_syncs_and_runs_offline() -> None:
    before = git_status()
    done = subprocess.run(
        ("bash", "examples/quickstart.sh"),
        cwd=ROOT,
        env=users_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    told = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    assert told.count("proven offline, sandbox full") == 4
    assert "brings Qwen/Qwen2.5-7B @ " in told
    assert "The Hub goes away" in told
    assert "every byte is as locked" in told
    assert "loaded by repo id, pinned and offline" in told
    assert git_status() == before
