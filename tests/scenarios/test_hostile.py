"""Hostile or broken input: one clear error, its exit code and its stable code, and nothing changed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.site import contents

ROOT = Path(__file__).parents[2]
FILE = '{ path = "%s", size = 1, git = "' + "a" * 40 + '" }'
LOCK = """version = 1
revision = 1

[[model]]
name = "chat"
repo = "org/chat"
request = { revision = "main" }
commit = "%s"
snapshot = { size = 1 }
files = [%s]
"""
CHAT = '[models.chat]\nrepo = "org/chat"\n'


def locked(*paths: str) -> str:
    text = LOCK % ("c" * 40, ", ".join(FILE % path for path in paths))
    return text.replace("size = 1 }\nfiles", f"size = {len(paths)} }}\nfiles")


def mlxk(root: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": str(root / "home"),
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "HF_HUB_CACHE": str(root / "no-cache"),
        "MLXK_STORE_DIR": str(root / "store"),
    }
    command = [sys.executable, "-m", "mlxlock", *argv]
    return subprocess.run(
        command, cwd=root, env=env, capture_output=True, text=True, timeout=240, check=False
    )


MANIFESTS = {
    "unknown key": (CHAT + 'exlude = ["*.md"]\n', "manifest-invalid", "did you mean `exclude`?"),
    "wrong type": (CHAT + "include = 3\n", "manifest-invalid", "`models.chat.include`"),
    "invalid toml": ("[models.chat\n", "manifest-invalid", "line 1"),
    "hostile directory": (CHAT + 'dir = "../out"\n', "manifest-invalid", "`models.chat.dir`"),
    "two basenames": (CHAT + '[models.b]\nrepo = "other/chat"\n', "manifest-invalid", "chat"),
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_a_bad_manifest_is_one_placed_error(tmp_path: Path, case: str) -> None:
    text, code, told = MANIFESTS[case]
    (tmp_path / "models.toml").write_text(text)
    before = contents(tmp_path)
    done = mlxk(tmp_path, "lock", "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["status"], answer["error"]["code"]) == (2, "error", code)
    assert told in json.dumps(answer["error"], ensure_ascii=False)
    assert contents(tmp_path) == before


LOCKS = {
    "leaves its root": (locked("../../etc/passwd"), "lock-invalid"),
    "absolute": (locked("/etc/passwd"), "lock-invalid"),
    "twice": (locked("a.json", "a.json"), "lock-invalid"),
    "collides by case": (locked("a.json", "A.json"), "lock-invalid"),
    "below a file": (locked("a", "a/b"), "lock-invalid"),
    "git's own": (locked(".git/hooks/post-checkout"), "lock-invalid"),
    "our sentinel": (locked(".mlxk_workspace.json"), "lock-invalid"),
    "collides by Unicode": (locked("\u00e9.json", "e\u0301.json"), "lock-invalid"),
    "reserved directory": (locked("a.json").replace("org/chat", "org/hub"), "lock-invalid"),
    "below our cache": (locked(".hf_cache/hub/x"), "lock-invalid"),
    "wrong sum": (
        locked("a.json").replace("snapshot = { size = 1 }", "snapshot = { size = 2 }"),
        "lock-invalid",
    ),
    "unknown key": (locked("a.json") + "colour = 3\n", "lock-invalid"),
    "merge markers": ("<<<<<<< ours\n" + locked("a.json"), "lock-invalid"),
    "no toml": ("version = ", "lock-invalid"),
    "newer": (locked("a.json").replace("version = 1", "version = 2", 1), "lock-newer"),
    "not utf-8": ("\udcff", "lock-invalid"),
    "empty": ("", "lock-invalid"),
    "escapes": (locked("a\\u001b[2J.json"), "lock-invalid"),
}


@pytest.mark.parametrize("case", LOCKS)
def test_a_bad_lock_is_one_error_and_changes_nothing(tmp_path: Path, case: str) -> None:
    text, code = LOCKS[case]
    (tmp_path / "models.toml").write_text(CHAT)
    (tmp_path / "models.lock").write_text(text, errors="surrogateescape")
    before = contents(tmp_path)
    done = mlxk(tmp_path, "sync")
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\nhint: ") == 1
    assert "\x1b" not in done.stderr
    assert "Traceback" not in done.stderr
    for verb in ("lock", "verify"):
        assert json.loads(mlxk(tmp_path, verb, "--json").stdout)["error"]["code"] == code
    assert contents(tmp_path) == before


def test_one_revision_that_is_two_commits_is_a_clash(tmp_path: Path) -> None:
    one = locked("a.json")
    other = one.split("\n\n")[1].replace("c" * 40, "d" * 40).replace('"chat"', '"other"')
    other = other.replace('revision = "main"', 'revision = "main", dir = "other"')
    (tmp_path / "models.toml").write_text(CHAT + '[models.other]\nrepo = "org/chat"\ndir = "other"\n')
    (tmp_path / "models.lock").write_text(f"{one}\n{other}")
    answer = json.loads(mlxk(tmp_path, "sync", "--json").stdout)
    assert answer["error"]["code"] == "ref-clash"


def test_a_stale_lock_stops_sync_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(CHAT + 'exclude = ["*.md"]\n')
    (tmp_path / "models.lock").write_text(locked("a.json"))
    done = mlxk(tmp_path, "sync")
    assert done.returncode == 1
    assert '`chat`: `exclude` changed from nothing to ["*.md"]' in done.stderr
    assert "hint: run `mlxk lock`" in done.stderr
    assert mlxk(tmp_path, "lock", "--check").returncode == 1


def test_offline_names_what_is_missing_and_who_needs_it(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(CHAT)
    (tmp_path / "models.lock").write_text(locked("a.json"))
    done = mlxk(tmp_path, "sync", "--offline")
    assert done.returncode == 2
    assert "`a.json` of `org/chat` at cccccccccccc, needed by `chat`" in done.stderr


def test_no_project_no_lock_no_verb(tmp_path: Path) -> None:
    assert "mlxk init" in mlxk(tmp_path, "sync").stderr
    (tmp_path / "models.toml").write_text(CHAT)
    assert json.loads(mlxk(tmp_path, "sync", "--json").stdout)["error"]["code"] == "lock-missing"
    assert "did you mean `lock`?" in mlxk(tmp_path, "lokc").stderr
