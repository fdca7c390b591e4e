"""`mlxk sync`: what the lock says, no more, no less, whatever was there and whenever it was killed."""

import json
import random
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.commands.site import SENTINEL, Site, contents
from tests.testhub import Corrupt, LoopbackHub, Repo, lfs

ONE, TWO = "org/one", "org/two"
MANIFEST = f'[models.one]\nrepo = "{ONE}"\n\n[models.two]\nrepo = "{TWO}"\ngroups = ["extra"]\n'


@pytest.fixture
def repos(loopback_hub: LoopbackHub) -> dict[str, Repo]:
    repos = {name: loopback_hub.repo(name) for name in (ONE, TWO)}
    for name, repo in repos.items():
        repo.commit(
            {
                "config.json": json.dumps({"name": name}).encode(),
                "sub/vocab.txt": name.encode() * 400,
                "model.safetensors": lfs(name.encode() * 100_000),
            }
        )
    return repos


@pytest.fixture
def site(loopback_hub: LoopbackHub, repos: dict[str, Repo], tmp_path: Path) -> Site:
    assert repos
    site = Site(tmp_path / "project", loopback_hub.endpoint)
    site.write(MANIFEST)
    site.mlxk("lock", "--no-capture")
    return site


def test_no_request_is_made_when_the_store_has_everything(loopback_hub: LoopbackHub, site: Site) -> None:
    site.mlxk("sync", "--all-groups")
    assert loopback_hub.requests
    loopback_hub.forget_requests()
    assert "nothing to do" in site.mlxk("sync", "--all-groups")
    shutil.rmtree(site.models)
    site.mlxk("sync", "--all-groups")
    site.mlxk("verify", "--all-groups")
    assert not loopback_hub.requests


def test_an_edited_file_stops_sync_until_it_may_be_moved_away(site: Site) -> None:
    site.mlxk("sync")
    edited, gone = site.models / "one/config.json", site.models / "one/sub/vocab.txt"
    was = edited.read_bytes()
    edited.write_bytes(b"mine")
    gone.unlink()
    code, kind, told = site.refusal("sync")
    assert (code, kind) == (1, "workspace-changed")
    assert "`one/config.json`" in told
    assert "vocab" not in told
    assert (edited.read_bytes(), gone.exists()) == (b"mine", False)
    assert site.data("sync", "--repair")["quarantined"] == ["one/config.json"]
    assert edited.read_bytes() == was
    assert gone.exists()
    moved = contents(site.models / ".hf_cache" / ".mlxk_quarantine")
    assert [content for name, content in moved.items() if name.endswith("config.json")] == [b"mine"]
    site.mlxk("verify")


def test_a_removed_model_leaves_only_what_the_user_put_there(site: Site) -> None:
    site.mlxk("sync", "--all-groups")
    (site.models / "two/notes.txt").write_text("mine")
    (site.models / "own").mkdir()
    (site.models / "own/file").write_text("mine too")
    site.mlxk("remove", "two", "--no-capture")
    left = contents(site.models, lambda name: "two" in name or name.startswith("own"))
    assert left == {"two/notes.txt": b"mine", "own/file": b"mine too"}
    site.mlxk("verify")


def test_offline_names_the_missing_file_and_who_needs_it(site: Site) -> None:
    code, kind, told = site.refusal("sync", "--offline")
    assert (code, kind) == (2, "offline-missing")
    assert "`model.safetensors` of `org/one`" in told
    assert "needed by `one`" in told
    assert not site.models.exists()


def test_moved_main_changes_nothing_until_the_lock_is_upgraded(repos: dict[str, Repo], site: Site) -> None:
    before = site.lock_path.read_bytes()
    commit = site.locked["one"]["commit"]
    moved = repos[ONE].commit({"config.json": b"{}"})
    site.mlxk("lock", "--no-capture")
    site.mlxk("sync")
    assert site.lock_path.read_bytes() == before
    assert (site.models / "one/model.safetensors").exists()
    site.mlxk("lock", "--no-capture", "--upgrade-model", "two")
    assert site.locked["one"]["commit"] == commit
    site.mlxk("lock", "--no-capture", "--upgrade")
    assert site.locked["one"]["commit"] == moved
    site.mlxk("sync")
    assert sorted(contents(site.models / "one")) == [SENTINEL, "config.json"]
    site.mlxk("verify")


def test_a_flipped_byte_gets_no_name(loopback_hub: LoopbackHub, site: Site) -> None:
    before = site.lock_path.read_bytes()
    loopback_hub.fault("model.safetensors", Corrupt(offset=7), server="cdn", times=None)
    code, kind, told = site.refusal("sync")
    assert (code, kind) == (1, "hash-mismatch")
    assert "model.safetensors" in told
    assert site.lock_path.read_bytes() == before
    assert not (site.models / "one/model.safetensors").exists()
    loopback_hub.clear_faults()
    site.mlxk("sync")
    site.mlxk("verify")


def test_killed_at_any_moment_sync_is_completed_by_the_next(site: Site) -> None:
    chance = random.Random(7)  # noqa: S311 - no secret, the same moments in every session
    killed = 0
    for _ in range(10):
        shutil.rmtree(site.models, ignore_errors=True)
        shutil.rmtree(site.store, ignore_errors=True)
        with subprocess.Popen(
            site.command("sync", "--all-groups"),
            cwd=site.root,
            env=site.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            time.sleep(chance.uniform(0.05, 0.3))
            process.kill()
            killed += process.wait() != 0
    assert killed
    site.mlxk("sync", "--all-groups")
    site.mlxk("verify", "--all-groups")
    assert not [name for name in contents(site.models) if "stage" in name or name.endswith(".part")]


def test_groups_choose_and_narrowing_removes_nothing(site: Site) -> None:
    assert site.data("sync")["models"] == ["one"]
    assert not (site.models / "two").exists()
    assert site.data("sync", "--group", "extra")["models"] == ["one", "two"]
    assert site.data("sync", "--only-group", "extra")["models"] == ["two"]
    assert (site.models / "one/config.json").exists()
    assert site.data("sync", "--all-groups", "--no-group", "extra")["models"] == ["one"]
    assert (site.models / "two/config.json").exists()
    site.mlxk("sync", "--only-group", "extra", "--exact")
    assert not (site.models / "one").exists()
    site.mlxk("verify", "--only-group", "extra")


def test_a_marker_keeps_a_model_for_other_machines_locked_and_unbuilt(site: Site) -> None:
    lock = site.lock_path.read_bytes()
    site.write(MANIFEST.replace('groups = ["extra"]', "when = \"sys_platform == 'plan9'\""))
    assert site.data("sync", "--all-groups")["models"] == ["one"]
    assert not (site.models / "two").exists()
    assert site.mlxk("lock", "--no-capture", "--check") == "up to date\n"
    site.write(MANIFEST.replace('groups = ["extra"]', "when = \"sys_platform != 'plan9'\""))
    assert site.data("sync")["models"] == ["one", "two"]
    assert site.lock_path.read_bytes() == lock


def test_a_dry_run_tells_and_does_nothing(site: Site) -> None:
    told = site.data("sync", "--dry-run")
    assert told["dry_run"]
    assert told["fetch_bytes"] > 0
    assert not site.models.exists()


def test_a_file_where_the_workspace_belongs_is_an_error_and_stays(site: Site) -> None:
    site.models.write_text("mine")
    code, kind, told = site.refusal("sync")
    assert (code, kind) == (2, "disk")
    assert "models" in told
    assert site.models.read_text() == "mine"


def test_a_stale_lock_stops_sync_unless_frozen(site: Site) -> None:
    site.write(MANIFEST.replace('"org/one"', '"org/one"\nexclude = ["*.txt"]'))
    for flags in ([], ["--locked"]):
        code, kind, told = site.refusal("sync", *flags)
        assert (code, kind) == (1, "lock-stale")
        assert "exclude" in told
    done = site.run("sync", "--frozen")
    assert done.returncode == 0, done.stderr
    assert "is stale" in done.stderr
    assert (site.models / "one/sub/vocab.txt").exists()


def test_a_file_beside_the_locked_ones_is_told_by_every_verb_and_touched_by_none(site: Site) -> None:
    site.mlxk("sync")
    stray = site.models / "one" / "modeling_one.py"
    stray.write_bytes(b"mine")
    for verb in ("status", "verify"):
        done = site.run(verb)
        assert done.returncode == 1, done.stdout
        assert re.search("not in the lock: `?one/modeling_one.py", done.stdout)
        assert "hint: move what is not in the lock out of the model's directory" in done.stderr
    for model in ("one", "./models/one"):
        assert re.search(r"Modified: +yes", site.mlxk("show", model))
        assert "`one/modeling_one.py` is not in the lock" in site.run("health", model).stdout
        code, kind, told = site.refusal("run", model, "hi")
        assert (code, kind) == (1, "workspace-changed")
        assert "not in the lock: `one/modeling_one.py`" in told
    done = site.run("exec", "--", "true")
    assert done.returncode == 1
    assert "not in the lock: `one/modeling_one.py`" in done.stderr
    done = site.run("sync", "--repair")
    assert done.returncode == 0
    assert done.stderr.count("`one/modeling_one.py` is not in the lock: left alone") == 1
    assert stray.read_bytes() == b"mine"
    stray.unlink()
    assert "everything is as the lock says" in site.mlxk("status")


def test_many_strays_are_told_in_few_lines(site: Site) -> None:
    site.mlxk("sync")
    for number in range(12):
        (site.models / "one" / f"stray-{number}").touch()
    for done in (site.run("sync"), site.run("status")):
        told = done.stdout + done.stderr
        assert told.count("stray-") == 5
        assert "and 7 more" in told
    assert len(json.loads(site.run("--json", "verify").stdout)["data"]["findings"]) == 12
