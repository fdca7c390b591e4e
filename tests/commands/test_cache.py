"""`mlxk pull` and `mlxk rm`: verified snapshots go into the Hugging Face cache, and exact ones go out."""

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.site import Site, contents
from tests.testhub import Corrupt, LoopbackHub, Repo, lfs

TINY = "org/tiny"
OLD = {"config.json": b'{"v": 1}', "model.safetensors": b"w" * 50_000, "sub/vocab.txt": b"v" * 40}
NEW = {**OLD, "config.json": b'{"v": 2}'}


@pytest.fixture
def repo(loopback_hub: LoopbackHub) -> Repo:
    repo = loopback_hub.repo(TINY)
    repo.commit({**OLD, "model.safetensors": lfs(OLD["model.safetensors"])})
    repo.tag("v1")
    return repo


@pytest.fixture
def site(loopback_hub: LoopbackHub, repo: Repo, tmp_path: Path) -> Site:
    assert repo.refs
    site = Site(tmp_path / "here", loopback_hub.endpoint)
    site.env["HF_HUB_CACHE"] = str(tmp_path / "hub")
    return site


@pytest.fixture
def folder(site: Site) -> Path:
    return Path(site.env["HF_HUB_CACHE"]) / "models--org--tiny"


def both(site: Site, repo: Repo) -> tuple[str, str]:
    """Two snapshots in the cache: `v1`, and a later `main`."""
    site.mlxk("pull", f"{TINY}@v1")
    old = repo.refs["refs/heads/main"]
    new = repo.commit({**NEW, "model.safetensors": lfs(NEW["model.safetensors"])})
    site.mlxk("pull", TINY)
    return old, new


def by_the_client(site: Site, cache: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What the installed huggingface_hub makes of it."""
    script = f"from huggingface_hub import snapshot_download as s; print(s({TINY!r}))"
    variables = {"HF_HUB_CACHE": str(cache), "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_SHARED_BLOBS": "1"}
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**site.env, **variables, **environment},
        capture_output=True,
        text=True,
        check=True,
    )


def layout(folder: Path) -> dict[str, bytes | str]:
    return contents(folder, lambda name: name.split("/")[0] in {"blobs", "refs", "snapshots"})


def test_pull_makes_what_the_client_makes_and_the_client_loads_it_offline(
    site: Site, repo: Repo, folder: Path, tmp_path: Path
) -> None:
    told = site.data("pull", TINY)
    by_the_client(site, tmp_path / "other")
    assert layout(folder) == layout(tmp_path / "other" / folder.name)
    done = by_the_client(site, folder.parent, HF_HUB_OFFLINE="1")
    assert done.stdout.strip() == told["directory"]
    assert told["commit"] == repo.refs["refs/heads/main"]
    assert sorted(path.name for path in folder.iterdir()) == ["blobs", "refs", "snapshots"]


def test_pull_at_a_revision_is_of_that_commit(site: Site, repo: Repo, folder: Path) -> None:
    old, new = both(site, repo)
    assert (folder / "refs" / "v1").read_text() == old
    assert (folder / "refs" / "main").read_text() == new
    assert (folder / "snapshots" / old / "config.json").read_bytes() == OLD["config.json"]
    assert (folder / "snapshots" / new / "config.json").read_bytes() == NEW["config.json"]
    shutil.rmtree(folder)
    site.mlxk("pull", f"{TINY}@{old}")
    assert not (folder / "refs").exists()
    assert (folder / "snapshots" / old / "config.json").read_bytes() == OLD["config.json"]


def test_the_help_says_what_pull_is_for(site: Site) -> None:
    assert "For caching; use clone for managed workflows." in site.mlxk("pull", "--help")
    assert "For caching; use clone for managed workflows." in site.mlxk("--help")


def test_pull_does_not_lecture(site: Site) -> None:
    done = site.run("pull", TINY)
    assert done.returncode == 0
    assert "clone" not in done.stdout + done.stderr


def test_a_second_pull_writes_nothing_and_a_rotten_blob_is_replaced(site: Site, folder: Path) -> None:
    site.mlxk("pull", TINY, "--link-mode", "copy")
    before = layout(folder)
    assert site.data("pull", TINY)["changed"] is False
    for blob in (folder / "blobs").iterdir():
        data = blob.read_bytes()
        blob.unlink()
        blob.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert site.data("pull", TINY)["changed"] is True
    assert layout(folder) == before


def test_a_flipped_byte_never_gets_into_the_cache(
    site: Site, loopback_hub: LoopbackHub, folder: Path
) -> None:
    loopback_hub.fault("model.safetensors", Corrupt(offset=7), server="cdn", times=None)
    assert site.refusal("pull", TINY)[:2] == (1, "hash-mismatch")
    assert not folder.exists()


def test_a_dry_run_of_pull_writes_nothing(site: Site, folder: Path) -> None:
    assert site.data("pull", TINY, "--dry-run")["fetch_bytes"] == sum(map(len, OLD.values()))
    assert not folder.parent.exists()


def test_rm_takes_the_commit_that_is_named_and_no_other(site: Site, repo: Repo, folder: Path) -> None:
    old, new = both(site, repo)
    before = layout(folder)
    assert site.data("rm", f"{TINY}@{old[:8]}", "--dry-run")["removed"] is False
    assert layout(folder) == before
    told = site.data("rm", f"{TINY}@{old[:8]}", "--yes")
    assert [model["hash"] for model in told["models"]] == [old]
    left = layout(folder)
    assert [name for name in left if old in name] == []
    assert "refs/v1" not in left
    assert (folder / "snapshots" / new / "config.json").read_bytes() == NEW["config.json"]
    assert (folder / "snapshots" / new / "model.safetensors").read_bytes() == NEW["model.safetensors"]
    assert sum(name.startswith("blobs/") for name in left) == 3
    site.mlxk("rm", f"{TINY}@main", "-y")
    assert not folder.exists()


def test_rm_without_a_revision_takes_the_repo_and_no_neighbour(site: Site, repo: Repo, folder: Path) -> None:
    both(site, repo)
    (folder.parent / "models--org--tiny2" / "snapshots").mkdir(parents=True)
    text = site.mlxk("rm", TINY, "--yes")
    assert f"removed `{TINY}`, 2 snapshots" in text
    assert sorted(path.name for path in folder.parent.iterdir()) == [".locks", "models--org--tiny2"]


@pytest.mark.parametrize("name", ["tiny", "org/tin", "", "org/other", f"{TINY}@v9", "*"])
def test_rm_by_anything_but_the_full_name_removes_nothing(
    site: Site, repo: Repo, folder: Path, name: str
) -> None:
    site.mlxk("pull", TINY)
    before = layout(folder)
    assert site.refusal("rm", name, "--yes")[:2] == (2, "usage")
    assert layout(folder) == before
    assert repo.refs


def test_rm_asks_and_without_a_terminal_refuses(site: Site, folder: Path) -> None:
    site.mlxk("pull", TINY)
    before = layout(folder)
    code, kind, told = site.refusal("rm", TINY)
    assert (code, kind) == (2, "usage")
    assert "add `--yes`" in told
    assert layout(folder) == before
    for answer, left in ((b"n\n", True), (b"\n", True), (b"y\n", False)):
        controller, terminal = pty.openpty()
        os.write(controller, answer)
        done = subprocess.run(
            site.command("rm", TINY),
            cwd=site.root,
            env=site.env,
            stdin=terminal,
            capture_output=True,
            check=False,
        )
        os.close(controller)
        os.close(terminal)
        assert done.returncode == 0, done.stderr
        assert b"remove this?" in done.stderr
        assert folder.exists() is left


def test_rm_takes_a_workspace_by_its_path_only(site: Site) -> None:
    site.mlxk("clone", TINY)
    code, _, told = site.refusal("rm", "tin", "-y")
    assert code == 2
    assert "tiny" not in told
    (site.root / "own").mkdir()
    (site.root / "own" / "config.json").write_text("{}")
    assert site.refusal("rm", "./own", "-y")[:2] == (2, "usage")
    (site.root / "link").symlink_to("tiny")
    assert site.refusal("rm", "./link", "-y")[:2] == (2, "usage")
    assert site.refusal("rm", "./tiny", "./own", "-y")[:2] == (2, "usage")
    assert (site.root / "tiny").exists()
    site.mlxk("rm", "tiny", "-y")
    assert sorted(path.name for path in site.root.iterdir()) == [".hf_cache", "link", "own"]


def test_rm_leaves_what_the_lock_names(site: Site) -> None:
    site.write(f'[models.chat]\nrepo = "{TINY}"\n')
    site.mlxk("lock", "--no-capture")
    site.mlxk("sync")
    (site.root / "link").symlink_to("models")
    for name in ("./models/tiny", "./link/tiny", "chat"):
        code, _, told = site.refusal("rm", name, "-y")
        assert code == 2
        assert "mlxk remove chat" in told
    outside = subprocess.run(
        site.command("rm", str(site.models / "tiny"), "-y"),
        cwd=site.root.parent,
        env=site.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outside.returncode == 2
    assert f"of the project in `{site.root}`, its `chat`" in outside.stderr
    site.mlxk("verify")
    assert json.loads((site.models / "tiny" / "config.json").read_bytes()) == {"v": 1}
