"""One lock, one workspace: whoever syncs it, where, under which umask and locale, by which links."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mlxlock.fs import clone
from tests.commands.artifacts import lock_with_artifact
from tests.commands.site import Site, untimed
from tests.testhub import File, LoopbackHub, lfs

FILES: dict[str, bytes | File] = {
    "config.json": b"{}",
    "copy of config.json": b"{}",
    "İstanbul/I.txt": "ıİ".encode(),
    "日本/é ü.json": b"[]",
    "deep/er/and/deeper/x": b"",
    "model.safetensors": lfs(b"weights " * 100_000),
    "same.safetensors": lfs(b"weights " * 100_000),
}
NOBODY = 4242
USER_NAMESPACE = ("bwrap", "--unshare-user", "--uid", "4242", "--gid", "4242", "--bind", "/", "/")
OTHER_USER = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """How one sync differs from the others.

    Attributes:
        place: The project's directory.
        user: What starts the program as somebody else.
        shared: Whether it uses the store that the first sync filled, and no Hub.
    """

    place: str
    link: str = "auto"
    umask: int = 0o022
    user: tuple[str, ...] = ()
    shared: bool = True
    env: dict[str, str] = field(default_factory=dict)


CASES: tuple[Circumstances, ...] = (
    Circumstances(place="copy with space", link="copy", umask=0o077, env={"LC_ALL": "C"}),
    Circumstances(place="hard/ünïcode/日本", link="hardlink", umask=0, env={"LC_ALL": "tr_TR.UTF-8"}),
    Circumstances(place="-dash 'quote\" $x", umask=0o002, env={"LANG": "POSIX", "PYTHONHASHSEED": "7"}),
    Circumstances(
        place="namespace",
        shared=False,
        umask=0o077,
        user=(*USER_NAMESPACE, "--dev-bind", "/dev", "/dev", "--"),
    ),
)
if os.geteuid() == 0:
    CASES += (Circumstances(place="stranger", shared=False, umask=0o002, user=OTHER_USER),)


@pytest.fixture(scope="module")
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as hub:
        yield hub


@pytest.fixture(scope="module")
def world() -> Iterator[Path]:
    """A directory that everybody may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="mlxlock-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def first(hub: LoopbackHub, world: Path) -> Site:
    """The checkout that the others are held against."""
    site = Site(world / "first", hub.endpoint, store=world / "store")
    lock_with_artifact(hub, site)
    hub.repo("org/many").commit(FILES)
    site.write('[models.asr]\nrepo = "org/asr"\n[models.many]\nrepo = "org/many"\n')
    site.mlxk("lock", "--no-capture")
    site.mlxk("sync")
    return site


def checkout(of: Site, root: Path, *, store: Path | None = None) -> Site:
    site = Site(root, of.env["HF_ENDPOINT"], store=store or of.store)
    for name in ("models.toml", "models.lock"):
        shutil.copyfile(of.root / name, site.root / name)
    return site


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.place.split("/")[0].split()[0])
def test_every_sync_of_one_lock_gives_the_same(first: Site, world: Path, case: Circumstances) -> None:
    place = world / case.place.split("/")[0]
    place.mkdir(exist_ok=True)
    site = checkout(first, world / case.place / "project", store=None if case.shared else place / "store")
    if case.user == OTHER_USER:
        for path in (place, *place.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    offline = ("--offline",) if case.shared else ()
    argv = ("sync", *offline, "--link-mode", case.link)
    done = site.run(*argv, before=case.user, umask=case.umask, more=case.env)
    assert done.returncode == 0, done.stderr
    made = untimed(site.models)
    assert made["many/İstanbul/I.txt"] == FILES["İstanbul/I.txt"]
    assert made == untimed(first.models)
    verified = site.run("verify", before=case.user, more=case.env)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    again = site.run("sync", "--offline", before=case.user, more=case.env)
    assert "nothing to do" in again.stdout


def test_clones_are_the_same_or_a_filesystem_without_them_is_one_error(first: Site, world: Path) -> None:
    source = world / "probe"
    source.write_bytes(b"x")
    site = checkout(first, world / "clone")
    if clone(source, world / "probe.clone"):
        site.mlxk("sync", "--link-mode", "clone")
        assert untimed(site.models) == untimed(first.models)
    else:
        code, kind, told = site.refusal("sync", "--link-mode", "clone")
        assert (code, kind) == (2, "disk")
        assert "clone" in told
        assert not list(site.models.rglob("*.safetensors"))


def test_a_locale_that_spells_names_in_other_bytes_is_one_error(first: Site, world: Path) -> None:
    site = checkout(first, world / "ascii")
    more = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    code, kind, told = site.refusal("sync", more=more)
    assert (code, kind) == (2, "usage")
    assert "PYTHONUTF8=1" in told
    assert not site.models.exists()
