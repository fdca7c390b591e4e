"""`mlxk add` and `remove`: manifest, lock and workspace follow together, or all stay as they were."""

import pytest

from tests.commands.site import Site, contents
from tests.testhub import Corrupt, File, LoopbackHub, lfs

MANIFEST = """\
# Our models.

[models.one]     # the first
repo = "org/one" # pinned by the lock

# Why there is nothing else: see the wiki.
[workspace]
path = "models"  # as everywhere
"""
ADDED = '\n[models.two]\nrepo = "org/two"\n'


@pytest.fixture
def site(loopback_hub: LoopbackHub, project: Site) -> Site:
    for name in ("one", "two", "three"):
        files: dict[str, bytes | File] = {
            "config.json": name.encode(),
            "model.safetensors": lfs(name.encode() * 1000),
        }
        repo = loopback_hub.repo(f"org/{name}")
        repo.commit(files)
        repo.tag("v1")
    project.write(MANIFEST)
    project.mlxk("lock", "--no-capture")
    project.mlxk("sync")
    return project


def manifest(site: Site) -> str:
    return (site.root / "models.toml").read_text()


def test_a_model_is_added_locked_and_synced_and_taken_out_again(site: Site) -> None:
    before = contents(site.root, lambda name: "two" not in name and ".mlxk_files" not in name)
    told = site.mlxk("add", "org/two", "--no-capture")
    assert "wrote models.toml" in told
    assert manifest(site) == MANIFEST + ADDED
    assert site.locked.keys() == {"one", "two"}
    assert (site.models / "two/config.json").read_bytes() == b"two"
    site.mlxk("verify")
    site.mlxk("remove", "two", "--no-capture")
    assert manifest(site) == MANIFEST
    assert not (site.models / "two").exists()
    assert contents(site.root, lambda name: ".mlxk_files" not in name) == before


def test_every_flag_of_add_is_a_key_of_the_manifest(site: Site) -> None:
    flags = ["--include", "*.json", "--exclude", "*.md", "--group", "g", "--when", "os_name == 'posix'"]
    more = ["--kind", "text", "--dir", "here", "--allow-remote-code", "--no-capture", "--no-sync"]
    site.mlxk("add", "second=org/two@v1", *flags, *more)
    assert manifest(site) == MANIFEST + (
        '\n[models.second]\nrepo = "org/two"\nrevision = "v1"\ninclude = ["*.json"]\nexclude = ["*.md"]\n'
        'groups = ["g"]\nwhen = "os_name == \'posix\'"\nkind = "text"\ndir = "here"\nremote-code = "allow"\n'
    )
    assert site.locked["second"]["request"] == {
        "revision": "v1",
        "include": ["*.json"],
        "exclude": ["*.md"],
        "dir": "here",
        "kind": "text",
        "remote-code": "allow",
    }
    assert not (site.models / "here").exists()
    assert site.data("sync")["models"] == ["one"]
    assert site.data("sync", "--group", "g")["models"] == ["one", "second"]


def test_several_are_added_and_removed_at_once_and_frozen_only_edits(site: Site) -> None:
    lock = site.lock_path.read_bytes()
    site.mlxk("add", "org/two", "3=org/three", "--frozen")
    assert manifest(site) == f'{MANIFEST}{ADDED}\n[models.3]\nrepo = "org/three"\n'
    assert site.lock_path.read_bytes() == lock
    site.mlxk("remove", "two", "3", "--frozen")
    assert (manifest(site), site.lock_path.read_bytes()) == (MANIFEST, lock)


REFUSED = (
    (["add", "org/nowhere"], "repo-not-found", "org/nowhere"),
    (["add", "org/two@v9"], "revision-not-found", "v9"),
    (["add", "no repo"], "usage", "is not a repo id"),
    (["add", "org/../x"], "usage", "is not a repo id"),
    (["add", "one=org/two"], "usage", "has a model `one` already"),
    (["add", "x=other/one"], "manifest-invalid", "one"),
    (["add", "org/two", "--kind", "txt"], "manifest-invalid", "did you mean `text`?"),
    (["add", "org/two", "--when", "os ="], "manifest-invalid", "models.two.when"),
    (["add", "org/two", "org/three", "--name", "x"], "usage", "for one repo"),
    (["add", "org/two", "--revision", "v1", "--version", ">=1"], "manifest-invalid", "models.two"),
    (["remove", "oen"], "usage", "did you mean `one`?"),
)


def test_what_cannot_be_added_or_removed_changes_nothing(site: Site) -> None:
    before = contents(site.root)
    for argv, code, told in REFUSED:
        status, kind, text = site.refusal(*argv, "--no-capture")
        assert (status, kind) == (2, code), argv
        assert told in text, argv
        assert contents(site.root) == before, argv


def test_a_sync_that_fails_gives_both_files_back(loopback_hub: LoopbackHub, site: Site) -> None:
    before = contents(site.root)
    loopback_hub.fault("model.safetensors", Corrupt(offset=3), server="cdn", times=None)
    assert site.refusal("add", "org/two", "--no-capture")[:2] == (1, "hash-mismatch")
    assert contents(site.root) == before
    loopback_hub.clear_faults()
    site.mlxk("add", "org/two", "--no-capture")
    (site.models / "one/config.json").write_bytes(b"mine")
    edited = contents(site.root)
    assert site.refusal("remove", "two", "--no-capture")[:2] == (1, "workspace-changed")
    assert contents(site.root) == edited
    site.mlxk("remove", "one", "--no-capture")
    assert contents(site.models / "one") == {"config.json": b"mine"}


def test_a_first_lock_that_fails_to_sync_leaves_none(loopback_hub: LoopbackHub, project: Site) -> None:
    loopback_hub.repo("org/two").commit({"model.safetensors": lfs(b"x" * 99)})
    loopback_hub.fault("model.safetensors", Corrupt(offset=3), server="cdn", times=None)
    project.mlxk("init")
    before = contents(project.root)
    assert project.refusal("add", "org/two", "--no-capture")[:2] == (1, "hash-mismatch")
    assert contents(project.root) == before


@pytest.mark.parametrize(
    ("repo", "hint"),
    [
        ("org/two@", "write one after the `@`, or `org/two`"),
        ("https://huggingface.co/org/two", "write `mlxk add org/two`"),
        ("https://huggingface.co/org/two/tree/main", "write `mlxk add org/two`"),
        ("again=org/one", "`mlxk add --dir one-again …`"),
    ],
)
def test_what_add_cannot_mean_says_what_to_write(site: Site, repo: str, hint: str) -> None:
    code, _, told = site.refusal("add", repo, "--frozen")
    assert code == 2
    assert hint in told
    assert manifest(site) == MANIFEST
