"""A Hub that lies, breaks off or names files to hurt: one clear error, no lock, no blob, no workspace."""

from pathlib import Path

import pytest

from tests.commands.site import Site, contents
from tests.testhub import Corrupt, Fault, File, LoopbackHub, Repo, Short, Truncate, WrongEtag, lfs

WEIGHTS = b"weights " * 5000
FILES: dict[str, bytes | File] = {"config.json": b'{"a": 1}', "model.safetensors": lfs(WEIGHTS)}
MANIFEST = '[models.one]\nrepo = "org/one"\nfirst-run = false\n'


@pytest.fixture
def repo(loopback_hub: LoopbackHub) -> Repo:
    repo = loopback_hub.repo("org/one")
    repo.commit(FILES)
    return repo


@pytest.fixture
def site(loopback_hub: LoopbackHub, tmp_path: Path) -> Site:
    site = Site(tmp_path / "project", loopback_hub.endpoint)
    site.write(MANIFEST)
    return site


def named(site: Site) -> list[str]:
    """Everything that has got a name: blobs, the lock, the workspace."""
    found = [name for name in contents(site.store) if name.startswith(("blobs/", "records/"))]
    return found + [name for name in contents(site.root) if name != "models.toml"]


LIES: dict[str, tuple[str, Fault, str]] = {
    "wrong bytes of the right size, git": ("config.json", Corrupt(offset=3), "hash-mismatch"),
    "wrong bytes of the right size, LFS": ("model.safetensors", Corrupt(offset=9000), "hash-mismatch"),
    "wrong etag, git": ("config.json", WrongEtag(), "hash-mismatch"),
    "wrong etag, LFS": ("model.safetensors", WrongEtag(), "hash-mismatch"),
    "a shorter file": ("model.safetensors", Short(by=1), "hash-mismatch"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_file_that_is_not_what_was_promised_gets_no_name(
    loopback_hub: LoopbackHub, repo: Repo, site: Site, lie: str
) -> None:
    assert repo.id == "org/one"
    path, fault, code = LIES[lie]
    loopback_hub.fault(path, fault, times=None)
    status, kind, told = site.refusal("lock")
    assert (status, kind) == (1, code)
    assert f"`{path}`" in told
    assert not site.lock_path.exists()
    blobs = contents(site.store, lambda name: name.startswith("blobs/"))
    assert set(blobs.values()) <= {WEIGHTS if path == "config.json" else FILES["config.json"]}
    site.mlxk("lock", "--no-capture")
    lock = site.lock_path.read_bytes()
    assert site.refusal("sync")[:2] == (1, code)
    assert site.lock_path.read_bytes() == lock
    assert not list(site.models.rglob("*.safetensors"))
    loopback_hub.clear_faults()
    site.mlxk("sync")
    assert (site.models / "one/model.safetensors").read_bytes() == WEIGHTS


def test_a_body_that_breaks_off_is_continued_where_it_broke(
    loopback_hub: LoopbackHub, repo: Repo, site: Site
) -> None:
    assert repo.id == "org/one"
    loopback_hub.fault("model.safetensors", Truncate(at=9000), server="cdn", times=2)
    site.mlxk("lock")
    ranges = [request.range for request in loopback_hub.requests if request.server == "cdn"]
    assert ranges == [None, "bytes=9000-", "bytes=18000-"]
    site.mlxk("sync")
    assert (site.models / "one/model.safetensors").read_bytes() == WEIGHTS


NAMES = {
    "above": "../evil",
    "absolute": "/etc/evil",
    "inside out": "a/../../evil",
    "git": ".git/hooks/post-checkout",
    "screen": "a\x1b[2J\x1b]0;x\x07b",
    "right to left": "a\u202eb",
    "two lines": "a\nb",
    "backslash": "..\\evil",
    "device": "con.txt",
    "sentinel": ".mlxk_workspace.json",
    "cache": ".hf_cache/hub/x",
    "case": "CONFIG.json",
    "below a file": "config.json/x",
    "long": "x" * 300,
}


@pytest.mark.parametrize("case", NAMES)
def test_a_file_with_a_hostile_name_is_one_error_and_nothing_is_fetched(
    loopback_hub: LoopbackHub, site: Site, case: str
) -> None:
    loopback_hub.repo("org/one").commit({**FILES, NAMES[case]: b"evil"})
    done = site.run("lock")
    assert done.returncode == 2
    assert done.stderr.count("error: ") == 1
    assert all(char.isprintable() or char == "\n" for char in done.stderr)
    assert "Traceback" not in done.stderr
    assert named(site) == []
    assert not [request for request in loopback_hub.requests if "/resolve/" in request.path]


def test_what_the_hub_says_of_a_repo_cannot_make_a_lock_that_nobody_reads(
    loopback_hub: LoopbackHub, site: Site
) -> None:
    loopback_hub.repo("org/one", license="\x1b[31mred\x07").commit(FILES)
    site.mlxk("lock")
    assert "\x1b" not in site.lock_path.read_text()
    assert site.locked["one"]["snapshot"]["license"] == r"\x1b[31mred\x07"
    site.mlxk("sync")
    site.write(f'{MANIFEST}[policy]\nlicenses = ["mit"]\n')
    done = site.run("verify")
    assert done.returncode == 1
    assert "\x1b" not in done.stdout + done.stderr


def test_files_of_one_content_are_one_blob_and_each_has_its_name(
    loopback_hub: LoopbackHub, site: Site
) -> None:
    same: dict[str, bytes | File] = {
        "a.json": b"{}",
        "b/c.json": b"{}",
        "x.safetensors": lfs(WEIGHTS),
        "y.safetensors": lfs(WEIGHTS),
    }
    loopback_hub.repo("org/one").commit(same)
    site.mlxk("lock")
    site.mlxk("sync")
    assert len([name for name in contents(site.store) if name.startswith("blobs/")]) == 2
    made = contents(site.models / "one", lambda name: name != ".mlxk_workspace.json")
    assert made == {"a.json": b"{}", "b/c.json": b"{}", "x.safetensors": WEIGHTS, "y.safetensors": WEIGHTS}
    assert len([request for request in loopback_hub.requests if request.server == "cdn"]) == 1
