"""Full and read-only disks, no sandbox, no MLX: one error, and the project is as it was."""

import os
import shutil
import sys
import venv
from pathlib import Path

import pytest

from tests.commands.site import Site, contents
from tests.testhub import LoopbackHub, lfs

WEIGHTS = os.urandom(2_000_000)
SIZE = ("--size", "1048576", "--tmpfs")
ROOM = ("bwrap", "--dev-bind", "/", "/")
NO_RUN = '[models.one]\nrepo = "org/one"\nfirst-run = false\n'
RUN = '[models.one]\nrepo = "org/one"\n'


@pytest.fixture
def site(loopback_hub: LoopbackHub, tmp_path: Path) -> Site:
    config = b'{"model_type": "qwen2"}'
    loopback_hub.repo("org/one").commit({"config.json": config, "model.safetensors": lfs(WEIGHTS)})
    loopback_hub.repo("org/two").commit({"config.json": config})
    site = Site(tmp_path / "project", loopback_hub.endpoint)
    site.write(NO_RUN)
    site.mlxk("lock", "--no-capture")
    return site


def refused(site: Site, *argv: str, before: tuple[str, ...], env: dict[str, str] | None = None) -> str:
    """What a call that the machine refuses says; it says one thing, and the project is as it was."""
    was = contents(site.root)
    done = site.run(*argv, before=before, more=env)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.count("error: ") == 1
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr
    assert contents(site.root) == was
    return done.stderr


def test_a_full_disk_below_the_store_or_the_workspace(site: Site) -> None:
    for place in (site.store, site.models):
        place.mkdir(exist_ok=True)
    told = refused(site, "sync", before=(*ROOM, *SIZE, str(site.store), "--"))
    assert "no space left on its disk" in told
    site.mlxk("lock")
    told = refused(site, "sync", before=(*ROOM, *SIZE, str(site.models), "--"))
    assert "building the workspace needs 2.0 MB" in told
    site.mlxk("sync")
    site.mlxk("verify")


def test_a_disk_that_fills_while_the_lock_is_written(site: Site) -> None:
    small = ("prlimit", "--fsize=400", "--")
    assert "`ulimit -f`" in refused(site, "add", "org/two", "--no-capture", before=small)
    site.mlxk("add", "org/two", "--no-capture", "--no-sync")


def test_read_only_places(site: Site) -> None:
    site.models.mkdir()

    def frozen(place: Path) -> tuple[str, ...]:
        return (*ROOM, "--ro-bind", str(place), str(place), "--")

    for argv, place in (
        (("sync",), site.models),
        (("lock",), site.root),
        (("add", "org/two", "--no-capture"), site.root),
        (("remove", "one"), site.root),
        (("sync",), site.store),
    ):
        assert "its filesystem is read-only" in refused(site, *argv, before=frozen(place)), argv
    site.mlxk("sync")
    for verb in ("sync", "verify", "status", "tree"):
        done = site.run(verb, before=frozen(site.root))
        assert done.returncode == 0, (verb, done.stderr)


def test_a_directory_that_belongs_to_somebody_else(site: Site) -> None:
    site.models.mkdir()
    site.models.chmod(0o555)
    plain = ("bwrap", "--unshare-user", "--uid", "4242", "--dev-bind", "/", "/", "--")
    assert f"{site.models}" in refused(site, "sync", before=plain)
    site.models.chmod(0o755)
    site.mlxk("sync")


@pytest.mark.sandbox
def test_no_sandbox_of_the_level_that_is_required(site: Site) -> None:
    tools = site.root.parent / "bin"
    tools.mkdir()
    (tools / "python3").symlink_to(sys.executable)
    site.write(f'[sandbox]\nrequire = "full"\npython = "{sys.executable}"\n{RUN}')
    nested = (str(shutil.which("bwrap")), "--unshare-user", "--disable-userns", "--dev-bind", "/", "/", "--")
    told = refused(site, "lock", before=nested, env={"PATH": str(tools)})
    assert "forbids user namespaces" in told
    assert "Running" not in told


@pytest.mark.sandbox
def test_an_interpreter_without_mlx_or_none_at_all(site: Site) -> None:
    bare = site.root.parent / "bare"
    venv.create(bare, with_pip=False)
    site.write(f'[sandbox]\npython = "{bare}/bin/python"\n{RUN}')
    told = refused(site, "lock", before=())
    assert "error: mlx-lm is not installed" in told
    assert f"{bare}/bin/python -m pip install" in told
    site.write(f'[sandbox]\npython = ".venv/bin/python"\n{RUN}')
    assert "no interpreter" in refused(site, "lock", before=())
    site.write(NO_RUN)
    for verb in ("lock", "sync", "status", "verify"):
        site.mlxk(verb)
