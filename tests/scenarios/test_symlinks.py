"""Symlinks where mlxk built directories or files: nothing is written, read or removed through them."""

import shutil
from pathlib import Path

import pytest

from tests.commands.site import Site, contents
from tests.testhub import LoopbackHub, lfs

MANIFEST = '[models.one]\nrepo = "org/one"\nfirst-run = false\n\n[models.two]\nrepo = "org/two"\n'
CACHE = "models/.hf_cache"
REPO = f"{CACHE}/hub/models--org--one"


@pytest.fixture
def site(loopback_hub: LoopbackHub, tmp_path: Path) -> Site:
    for name in ("one", "two"):
        loopback_hub.repo(f"org/{name}").commit(
            {"config.json": name.encode(), "sub/x.txt": b"x", "model.safetensors": lfs(name.encode() * 99)}
        )
    site = Site(tmp_path / "project", loopback_hub.endpoint)
    site.write(MANIFEST)
    site.mlxk("lock", "--no-capture")
    site.mlxk("sync")
    return site


def moved_out(site: Site, name: str) -> Path:
    """Put a link in the place of a directory (or file), which now stands outside of the project."""
    path, outside = site.root / name, site.root.parent / "outside"
    shutil.move(path, outside)
    path.symlink_to(outside)
    return outside


def everything(outside: Path) -> dict[str, bytes | str]:
    return contents(outside) if outside.is_dir() else {"": outside.read_bytes()}


PLACES = ("models/one", "models/one/sub", "models/one/config.json", f"{REPO}/refs", f"{REPO}/snapshots", REPO)


@pytest.mark.parametrize("place", PLACES)
def test_what_a_link_leads_to_is_neither_trusted_nor_touched(site: Site, place: str) -> None:
    outside = moved_out(site, place)
    was = everything(outside)
    assert site.run("verify").returncode == 1
    assert site.refusal("sync")[:2] == (1, "workspace-changed")
    assert everything(outside) == was
    site.mlxk("sync", "--repair")
    assert everything(outside) == was
    assert not (site.root / place).is_symlink()
    site.mlxk("verify")


@pytest.mark.parametrize("place", ["models/one", f"{REPO}/snapshots"])
def test_a_removal_does_not_follow_a_link(site: Site, place: str) -> None:
    outside = moved_out(site, place)
    was = everything(outside)
    site.run("remove", "one", "--no-capture")
    assert everything(outside) == was


@pytest.mark.parametrize("target", ["outside", "gone"])
def test_a_blob_that_became_a_link_is_not_given_to_anybody(site: Site, target: str) -> None:
    weights = (site.models / "one/model.safetensors").read_bytes()
    blobs = [path for path in (site.store / "blobs").rglob("*") if path.is_file()]
    (blob,) = (path for path in blobs if path.read_bytes() == weights)
    outside = site.root.parent / "outside"
    outside.write_bytes(weights.swapcase())
    blob.unlink()
    blob.symlink_to(outside if target == "outside" else site.root.parent / "gone")
    shutil.rmtree(site.models)
    code, kind, told = site.refusal("sync")
    assert (code, kind) == (2, "store-invalid")
    assert str(blob) in told
    assert outside.read_bytes() == weights.swapcase()
    assert not (site.root.parent / "gone").exists()
    blob.unlink()
    site.mlxk("sync")
    assert (site.models / "one/model.safetensors").read_bytes() == weights


@pytest.mark.parametrize("name", ["models.lock", "models.toml"])
def test_a_link_in_the_place_of_a_project_file_is_replaced_not_written_through(site: Site, name: str) -> None:
    outside = moved_out(site, name)
    was = outside.read_bytes()
    site.mlxk("sync")
    site.mlxk("add", "third=org/two", "--dir", "third", "--no-capture", "--no-sync")
    assert outside.read_bytes() == was
    assert not (site.root / name).is_symlink()


@pytest.mark.parametrize("link", ["models", "sub/deep"])
def test_a_link_that_came_with_a_project_makes_no_workspace_among_other_things(site: Site, link: str) -> None:
    home = site.root.parent / "home"
    (home / "deep").mkdir(parents=True)
    (home / "deep/theirs").write_text("theirs")
    shutil.rmtree(site.root / "models")
    (site.root / link.partition("/")[0]).symlink_to(home / "deep" if link == "models" else home)
    site.write(f'[workspace]\npath = "{link}"\n\n{MANIFEST}')
    code, _, reason = site.refusal("sync")
    assert (code, "other things" in reason) == (2, True)
    assert contents(home) == {"deep/theirs": b"theirs"}


def test_a_workspace_may_stand_on_another_disk(site: Site) -> None:
    (site.root.parent / "disk").mkdir()
    shutil.rmtree(site.root / "models")
    (site.root / "models").symlink_to(site.root.parent / "disk")
    site.mlxk("sync")
    site.mlxk("remove", "two", "--no-sync")
    site.mlxk("sync")
    assert not (site.root.parent / "disk/two").exists()


def test_a_program_is_not_started_where_no_cache_can_be_made(site: Site) -> None:
    shutil.rmtree(site.models)
    site.models.write_text("no directory")
    done = site.run("exec", "--", "echo", "started")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: cannot open `{site.models}`")
