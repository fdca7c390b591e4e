"""`mlxk exec` and `env`: a program meets the workspace that the lock describes, or is not started."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.commands.site import Site
from tests.testhub import File, LoopbackHub, lfs

MANIFEST = '[models.one]\nrepo = "org/one"\n\n[models.two]\nrepo = "org/two"\ngroups = ["extra"]\n'
SHOW = "import os; print(os.environ['HF_MODULES_CACHE']); open(os.environ['HF_MODULES_CACHE'] + '/x', 'w')"
PROGRAM = ("--", sys.executable, "-c", SHOW)


@pytest.fixture
def site(loopback_hub: LoopbackHub, tmp_path: Path) -> Site:
    for name in ("one", "two"):
        files: dict[str, bytes | File] = {"config.json": b"{}", "model.safetensors": lfs(name.encode() * 99)}
        loopback_hub.repo(f"org/{name}").commit(files)
    site = Site(tmp_path / "project", loopback_hub.endpoint)
    site.write(MANIFEST)
    site.mlxk("lock", "--no-capture")
    site.mlxk("sync")
    return site


def test_a_program_meets_the_workspace_of_the_selected_models_or_is_not_started(site: Site) -> None:
    site.mlxk("exec", *PROGRAM)
    done = site.run("exec", "--group", "extra", *PROGRAM)
    assert (done.returncode, done.stdout) == (1, "")
    assert "hint: run `mlxk sync --group extra`\n" in done.stderr
    shutil.rmtree(site.models)
    done = site.run("exec", *PROGRAM)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the workspace is not what the lock says" in done.stderr
    assert "hint: run `mlxk sync`\n" in done.stderr
    assert not site.models.exists()


def test_a_program_is_not_started_on_a_stale_lock(site: Site) -> None:
    site.write(MANIFEST + '[models.three]\nrepo = "org/three"\n')
    assert site.run("exec", "--", "true").returncode == 1
    site.lock_path.unlink()
    done = site.run("exec", "--", "true")
    assert (done.returncode, "hint: run `mlxk lock`" in done.stderr) == (2, True)


def test_env_warns_of_what_programs_will_miss_and_prints_its_lines(site: Site) -> None:
    assert site.run("env").stderr == ""
    (site.models / "one/config.json").unlink()
    done = site.run("env")
    assert (done.returncode, "export HF_HOME=" in done.stdout) == (0, True)
    assert "the workspace is not what the lock says: run `mlxk sync`" in done.stderr
    site.lock_path.unlink()
    assert "run `mlxk lock`" in site.run("env").stderr


def test_where_the_workspace_cannot_be_written_what_need_not_last_goes_elsewhere_and_away(site: Site) -> None:
    read_only = ("bwrap", "--dev-bind", "/", "/", "--ro-bind", str(site.root), str(site.root))
    place = Path(site.mlxk("exec", *PROGRAM, before=read_only).strip())
    assert not place.is_relative_to(site.root)
    assert not place.exists()
    told = site.run("env", before=read_only)
    assert "`HF_MODULES_CACHE` to a directory of your own" in told.stderr
    assert Path(site.mlxk("exec", *PROGRAM).strip()).parent == site.models / ".hf_cache"
