"""Projects that share a store: what one does never costs another a byte read, nor a blob."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from mlxlock.store import DirectoryStore
from tests.commands.site import Site, contents
from tests.testhub import LoopbackHub, Pattern, lfs

MANIFEST = '[models.one]\nrepo = "org/one"\nfirst-run = false\n'
BIG = 320 << 20
MOST_KIB = 80 << 10
MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""
"""A small process between us and the call: what a child counts as its peak begins with its parent's size."""


def opened(site: Site, *argv: str) -> set[str]:
    """The name of every file that a call opens, or tries to."""
    log = site.root.parent / "opened.log"
    site.mlxk(*argv, before=("strace", "-f", "-qq", "-e", "trace=open,openat", "-o", str(log)))
    calls = re.findall(r'open(?:at)?\((?:AT_FDCWD|\d+), "([^"]+)", ([A-Z_|]+)', log.read_text())
    return {Path(name).name for name, flags in calls if "O_DIRECTORY" not in flags}


@pytest.mark.parametrize("link", ["hardlink", "copy"])
def test_another_projects_end_costs_nothing(loopback_hub: LoopbackHub, tmp_path: Path, link: str) -> None:
    loopback_hub.repo("org/one").commit({"config.json": b"{}", "model.safetensors": lfs(b"w" * 100_000)})
    store = tmp_path / "store"
    here, there = (Site(tmp_path / name, loopback_hub.endpoint, store=store) for name in ("here", "there"))
    for site in (here, there):
        site.write(MANIFEST)
        site.mlxk("lock")
        site.mlxk("sync", "--link-mode", link)
    shutil.rmtree(there.root)
    loopback_hub.forget_requests()
    held = {path.name for path in (*here.models.rglob("*"), *(store / "blobs").rglob("*")) if path.is_file()}
    read = opened(here, "sync", "--link-mode", link)
    assert read & held == {".mlxk_files"}
    assert read >= {"models.lock", "models.toml"}
    assert loopback_hub.requests == ()
    here.mlxk("verify")


def test_a_sync_makes_known_whose_blobs_must_stay(loopback_hub: LoopbackHub, tmp_path: Path) -> None:
    for name in ("one", "two"):
        loopback_hub.repo(f"org/{name}").commit({"model.safetensors": lfs(name.encode() * 999)})
    store = tmp_path / "store"
    one, two = (Site(tmp_path / name, loopback_hub.endpoint, store=store) for name in ("one", "two"))
    for site in (one, two):
        site.write(MANIFEST.replace("one", site.root.name))
        site.mlxk("lock")
        site.mlxk("sync", "--dry-run")
        assert str(site.root) not in str(contents(store / "projects").values())
        site.mlxk("sync")
        site.mlxk("sync")
    assert len(contents(store / "projects")) == 2
    assert DirectoryStore(store).prune(grace_s=-1).blobs == 0
    shutil.rmtree(two.root)
    pruned = DirectoryStore(store).prune(grace_s=-1)
    assert (pruned.blobs, pruned.forgotten) == (1, (two.lock_path,))
    shutil.rmtree(one.models)
    one.mlxk("sync", "--offline")
    one.mlxk("verify")


def peak_kib(site: Site, *argv: str) -> int:
    """The most memory that a call, which succeeds, ever had resident."""
    done = site.run(*argv, before=(sys.executable, "-c", MEASURE))
    assert done.returncode == 0, done.stderr
    return int(done.stderr.splitlines()[-1])


def test_memory_does_not_grow_with_the_file(loopback_hub: LoopbackHub, tmp_path: Path) -> None:
    site = Site(tmp_path / "project", loopback_hub.endpoint)
    site.write(MANIFEST)
    loopback_hub.repo("org/one").commit({"config.json": b"{}", "model.safetensors": lfs(Pattern(size=BIG))})
    assert BIG >> 10 >= 4 * MOST_KIB
    peaks = {
        argv: peak_kib(site, *argv) for argv in (("lock",), ("sync", "--link-mode", "copy"), ("verify",))
    }
    assert max(peaks.values()) < MOST_KIB, peaks
    shutil.rmtree(site.root)
    shutil.rmtree(site.store)
