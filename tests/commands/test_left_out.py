"""Models that a group or a marker leaves out: told, brought on demand, never called broken for it."""

import json
from pathlib import Path

import pytest

from tests.commands.site import Site
from tests.testhub import File, LoopbackHub, lfs

HEADER = b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}'
WEIGHTS = len(HEADER).to_bytes(8, "little") + HEADER + bytes(4)
WHEN = 'sys_platform == "plan9"'
MANIFEST = (
    '[models.one]\nrepo = "org/one"\n\n[models.two]\nrepo = "org/two"\ngroups = ["extra"]\n\n'
    f"[models.far]\nrepo = 'org/far'\nwhen = '{WHEN}'\n"
)


@pytest.fixture
def site(loopback_hub: LoopbackHub, tmp_path: Path) -> Site:
    for name in ("one", "two", "far", "new"):
        config = json.dumps({"model_type": "qwen2", "is": name}).encode()
        files: dict[str, bytes | File] = {"config.json": config, "model.safetensors": lfs(WEIGHTS)}
        loopback_hub.repo(f"org/{name}").commit(files)
    site = Site(tmp_path / "project", loopback_hub.endpoint)
    site.write(MANIFEST)
    site.mlxk("lock", "--no-capture")
    site.mlxk("sync")
    return site


def test_status_says_what_is_left_out_and_why_and_how_a_group_comes(site: Site) -> None:
    told = " ".join(site.mlxk("status").split())
    assert f"2 models left out: `two` (group `extra`), `far` (`when = '{WHEN}'`)" in told
    code, _, error = site.refusal("status", "--all-groups")
    assert code == 1
    assert "run `mlxk sync --group extra`" in error
    site.mlxk("sync", "--group", "extra")
    assert "1 model left out" in site.mlxk("status", "--all-groups")


def test_run_says_which_group_brings_a_model_and_which_marker_keeps_it_out(site: Site) -> None:
    code, kind, told = site.refusal("run", "two", "hi")
    assert (code, kind) == (1, "workspace-changed")
    assert "run `mlxk sync --group extra`" in told
    code, kind, told = site.refusal("run", "far", "hi")
    assert (code, kind) == (2, "usage")
    assert "plan9" in told


def test_health_calls_nothing_unhealthy_that_is_left_out(site: Site) -> None:
    done = site.run("health")
    assert done.returncode == 0, done.stderr
    assert f"far (ws): left out here: `when = '{WHEN}'`" in done.stdout
    assert "two (ws): left out here: group `extra`" in done.stdout
    assert site.run("health", "far").returncode == 0
    named = site.run("health", "two")
    assert named.returncode == 1
    assert "it is not there yet: run `mlxk sync --group extra`" in named.stdout
    (site.models / "one/model.safetensors").unlink()
    site.mlxk("sync", "--group", "extra")
    (site.models / "one/model.safetensors").unlink()
    assert "1 of 2 models unhealthy" in site.run("health").stderr


def test_what_is_added_to_a_group_is_synced(site: Site) -> None:
    site.mlxk("add", "org/new", "--group", "extra", "--no-capture")
    assert (site.models / "new/config.json").exists()
