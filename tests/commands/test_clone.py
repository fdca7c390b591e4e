"""`mlxk clone`: one model, at one commit, whole or not at all, whenever it is killed."""

import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from mlxlock.workspace.building import STAGE_PREFIX, stage_of
from tests.commands.site import Site, contents
from tests.testhub import Corrupt, Hang, LoopbackHub, Pattern, Repo, lfs

TINY = "org/tiny"
SENTINEL = ".mlxk_workspace.json"
FILES = {
    "README.md": b"# tiny\n",
    "config.json": b'{"model_type": "llama"}',
    "model.safetensors": b"w" * 100_000,
    "sub/train.log": b"left out of the hash",
    "sub/vocab.txt": b"v" * 4000,
}


@pytest.fixture
def repo(loopback_hub: LoopbackHub) -> Repo:
    repo = loopback_hub.repo(TINY)
    repo.commit({**FILES, "model.safetensors": lfs(FILES["model.safetensors"])})
    return repo


@pytest.fixture
def site(loopback_hub: LoopbackHub, repo: Repo, tmp_path: Path) -> Site:
    assert head(repo)
    return Site(tmp_path / "here", loopback_hub.endpoint)


def sentinel(directory: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((directory / SENTINEL).read_text())
    return told


def head(repo: Repo) -> str:
    return repo.refs["refs/heads/main"]


def whole(directory: Path, expected: dict[str, bytes] = FILES) -> bool:
    return contents(directory, lambda name: name != SENTINEL) == expected


def litter(directory: Path) -> list[str]:
    return [path.name for path in directory.rglob(f"{STAGE_PREFIX}*")]


def by_sha256sum(directory: Path) -> str:
    """The content hash with nothing but coreutils, as formats.md promises."""
    script = (
        "find . -type f ! -name .mlxk_workspace.json ! -name '*.log' ! -name '*.tmp' ! -name .DS_Store"
        " ! -path '*/.hf_cache/*' ! -path '*/.git/*' ! -path '*/__pycache__/*' -printf '%P\\0'"
        " | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1"
    )
    done = subprocess.run(["sh", "-c", script], cwd=directory, capture_output=True, text=True, check=True)
    return f"sha256:{done.stdout.strip()}"


def test_a_clone_is_the_commit_with_a_sentinel_that_says_so(site: Site, repo: Repo) -> None:
    told = site.data("clone", TINY)
    target = site.root / "tiny"
    assert whole(target)
    written = sentinel(target)
    assert written["created_at"].endswith("Z")
    assert written["hash_computed_at"].endswith("Z")
    assert written == {
        "mlxk_version": written["mlxk_version"],
        "created_at": written["created_at"],
        "source_repo": TINY,
        "source_revision": head(repo),
        "managed": True,
        "operation": "clone",
        "content_hash": by_sha256sum(target),
        "hash_algorithm": "sha256-lines-1",
        "hash_excludes": [SENTINEL, ".hf_cache/", ".DS_Store", ".git/", "__pycache__/", "*.log", "*.tmp"],
        "hash_computed_at": written["hash_computed_at"],
    }
    assert (site.root / ".hf_cache" / "hub").is_dir()
    assert (told["commit"], told["directory"], told["changed"]) == (head(repo), str(target), True)
    assert not litter(site.root)


def test_the_workspace_home_is_the_default_and_a_directory_wins(site: Site, tmp_path: Path) -> None:
    home = tmp_path / "home with spaces"
    assert site.run("clone", TINY, more={"MLXK_WORKSPACE_HOME": str(home)}).returncode == 0
    assert whole(home / "tiny")
    assert site.run("clone", TINY, "a/b", more={"MLXK_WORKSPACE_HOME": str(home)}).returncode == 0
    assert whole(site.root / "a" / "b")
    assert not (site.root / "tiny").exists()


@pytest.mark.parametrize("hf_home", [None, ""])
def test_no_hugging_face_cache_is_needed(site: Site, hf_home: str | None) -> None:
    del site.env["HF_HUB_CACHE"]
    more = {} if hf_home is None else {"HF_HOME": hf_home}
    assert site.run("clone", TINY, more=more).returncode == 0
    assert whole(site.root / "tiny")
    assert sorted(path.name for path in site.root.iterdir()) == [".hf_cache", "tiny"]


def test_any_revision_is_a_commit_in_the_end(site: Site, repo: Repo) -> None:
    first = head(repo)
    repo.tag("v1")
    second = repo.commit({"config.json": b"{}"})
    for number, arguments in enumerate(
        (
            [f"{TINY}@v1"],
            [TINY, "--revision", "v1"],
            [f"{TINY}@{first}"],
            [f"{TINY}@v1", "--revision", "v1"],
        )
    ):
        spec, *flags = arguments
        site.mlxk("clone", spec, str(number), *flags)
        assert sentinel(site.root / str(number))["source_revision"] == first
        assert whole(site.root / str(number))
    site.mlxk("clone", TINY)
    assert sentinel(site.root / "tiny")["source_revision"] == second
    assert whole(site.root / "tiny", {"config.json": b"{}"})


def test_what_cannot_be_resolved_makes_nothing(site: Site) -> None:
    assert site.refusal("clone", f"{TINY}@v9")[:2] == (2, "revision-not-found")
    assert site.refusal("clone", "org/none")[:2] == (2, "repo-not-found")
    assert site.refusal("clone", TINY, "--offline")[:2] == (2, "offline-missing")
    assert site.refusal("clone", f"{TINY}@v1", "--revision", "v2")[:2] == (2, "usage")
    assert site.refusal("clone", "not a repo")[:2] == (2, "usage")
    assert site.refusal("clone", f"{TINY}@")[:2] == (2, "usage")
    assert site.refusal("clone", TINY, "--exclude", "*")[:2] == (2, "usage")
    assert site.refusal("clone", TINY, "x/hub")[:2] == (2, "usage")
    assert not list(site.root.iterdir())


def test_patterns_choose_files_and_the_sentinel_keeps_them(site: Site) -> None:
    done = site.run(
        "clone", TINY, "--include", "*.json", "--include", "sub/*", "--exclude", "*.txt", "--exclude", "?"
    )
    assert done.returncode == 0
    assert "`?` matches no file" in done.stderr
    target = site.root / "tiny"
    chosen = {name: FILES[name] for name in ("config.json", "sub/train.log")}
    assert whole(target, chosen)
    told = sentinel(target)
    assert told["parameters"] == {"include": ["*.json", "sub/*"], "exclude": ["*.txt", "?"]}
    assert told["content_hash"] == by_sha256sum(target)
    code, kind, said = site.refusal("clone", TINY)
    assert (code, kind) == (2, "usage")
    assert "files chosen by patterns" in said


def test_a_dry_run_tells_and_writes_nothing(site: Site, loopback_hub: LoopbackHub) -> None:
    told = site.data("clone", TINY, "--dry-run")
    size_bytes = sum(map(len, FILES.values()))
    assert (told["files"], told["size_bytes"], told["fetch_bytes"]) == (len(FILES), size_bytes, size_bytes)
    assert not list(site.root.iterdir())
    assert not [request for request in loopback_hub.requests if "/resolve/" in request.path]


def test_the_same_clone_again_is_nothing_to_do(site: Site, loopback_hub: LoopbackHub) -> None:
    site.mlxk("clone", TINY)
    before = sentinel(site.root / "tiny")
    loopback_hub.forget_requests()
    assert site.data("clone", TINY)["changed"] is False
    assert not [request for request in loopback_hub.requests if "/resolve/" in request.path]
    shutil.rmtree(site.store)
    assert site.data("clone", TINY)["changed"] is False
    assert sentinel(site.root / "tiny") == before


def change(path: Path) -> None:
    """Flip the last bit of a file, or remove the README, or add what was not there."""
    data = bytearray(path.read_bytes() if path.exists() else b"x")
    data[-1] ^= 1
    if path.name == "README.md":
        path.unlink()
    else:
        path.write_bytes(data)


@pytest.mark.parametrize("remembered", [True, False])
def test_any_change_is_told_and_nothing_is_touched(site: Site, remembered: bool) -> None:
    site.mlxk("clone", TINY, "--link-mode", "copy")
    kept = site.root.parent / "kept"
    shutil.copytree(site.root, kept)
    names = ["config.json", "model.safetensors", "sub/vocab.txt", "new.txt", "README.md"]
    for name in names if remembered else names[1:3]:
        if not remembered:
            shutil.rmtree(site.store, ignore_errors=True)
        change(site.root / "tiny" / name)
        before = contents(site.root)
        assert site.refusal("clone", TINY)[:2] == (1, "workspace-changed"), name
        assert contents(site.root) == before
        shutil.rmtree(site.root / "tiny")
        shutil.copytree(kept / "tiny", site.root / "tiny")


def test_what_is_in_the_way_is_an_error_and_stays(site: Site, loopback_hub: LoopbackHub, repo: Repo) -> None:
    (site.root / "full").mkdir()
    (site.root / "full" / "mine").write_text("mine")
    (site.root / "file").write_text("mine")
    (site.root / "link").symlink_to("nowhere")
    (site.root / "empty").mkdir()
    before = contents(site.root)
    for name in ("full", "file", "link", "."):
        code, kind, told = site.refusal("clone", TINY, name)
        assert (code, kind) == (2, "usage"), name
        assert "name another directory" in told
    assert contents(site.root) == before
    site.mlxk("clone", TINY, "empty")
    assert whole(site.root / "empty")
    loopback_hub.repo("other/tiny").commit({"config.json": b"{}"})
    code, kind, told = site.refusal("clone", "other/tiny", "empty")
    assert (code, kind) == (2, "usage")
    assert f"`{TINY}` at {head(repo)}" in told


def test_a_flipped_byte_on_the_way_makes_no_directory(site: Site, loopback_hub: LoopbackHub) -> None:
    loopback_hub.fault("model.safetensors", Corrupt(offset=7), server="cdn", times=None)
    assert site.refusal("clone", TINY)[:2] == (1, "hash-mismatch")
    assert not list(site.root.iterdir())
    loopback_hub.clear_faults()
    site.mlxk("clone", TINY)
    assert whole(site.root / "tiny")


def test_a_repo_that_brings_its_own_sentinel_does_not_speak_for_us(
    site: Site, loopback_hub: LoopbackHub
) -> None:
    repo = loopback_hub.repo("org/liar")
    repo.commit({"config.json": b"{}", SENTINEL: b'{"source_repo": "org/other", "managed": true}'})
    site.mlxk("clone", "org/liar")
    assert sentinel(site.root / "liar")["source_repo"] == "org/liar"
    assert site.data("clone", "org/liar")["changed"] is False


def test_killed_at_any_moment_it_is_whole_or_not_there_and_the_next_run_completes_it(site: Site) -> None:
    chance = random.Random(5)  # noqa: S311 - no secret, the same moments in every session
    killed = 0
    target = site.root / "tiny"
    for _ in range(6):
        shutil.rmtree(target, ignore_errors=True)
        shutil.rmtree(site.store, ignore_errors=True)
        with subprocess.Popen(
            site.command("clone", TINY, "--link-mode", "copy"),
            cwd=site.root,
            env=site.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            time.sleep(chance.uniform(0.15, 0.45))
            process.kill()
            killed += process.wait() != 0
        assert whole(target) or not target.exists()
    assert killed
    site.mlxk("clone", TINY)
    assert whole(target)
    assert not litter(site.root)


def test_what_a_killed_clone_staged_is_cleared_by_the_next_one(site: Site) -> None:
    stage = stage_of(site.root / "tiny")
    (stage / "sub").mkdir(parents=True)
    (stage / "sub" / "vocab.txt").write_text("half of it")
    site.mlxk("clone", TINY)
    assert whole(site.root / "tiny")
    assert not litter(site.root)


def test_a_killed_download_continues_where_it_was(site: Site, loopback_hub: LoopbackHub) -> None:
    size_bytes = 8 << 20
    loopback_hub.repo("org/big").commit({"config.json": b"{}", "model.safetensors": Pattern(size=size_bytes)})
    loopback_hub.fault("model.safetensors", Hang(at=size_bytes // 2), server="cdn")
    partial = site.store / "partial"
    with subprocess.Popen(
        site.command("clone", "org/big"), cwd=site.root, env=site.env, stderr=subprocess.DEVNULL
    ) as process:
        while not [path for path in partial.glob("sha256-*") if path.stat().st_size > size_bytes // 8]:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    assert not (site.root / "big").exists()
    loopback_hub.forget_requests()
    site.mlxk("clone", "org/big")
    ranges = [request.range for request in loopback_hub.requests if request.server == "cdn"]
    assert len(ranges) == 1
    assert int((ranges[0] or "bytes=0-").removeprefix("bytes=").rstrip("-")) > size_bytes // 16
    assert sentinel(site.root / "big")["content_hash"] == by_sha256sum(site.root / "big")


def other_volume(than: Path) -> Path | None:
    """A directory on another filesystem that anybody may write to."""
    places = [Path(name) for name in ("/dev/shm", "/run/shm", "/var/tmp", "/tmp")]  # noqa: S108 - looked for
    return next(
        (place for place in places if place.is_dir() and place.stat().st_dev != than.stat().st_dev), None
    )


def test_it_works_on_another_volume_than_the_store(site: Site, tmp_path: Path) -> None:
    volume = other_volume(tmp_path)
    if volume is None:
        pytest.skip("there is one filesystem here")
    with TemporaryDirectory(dir=volume) as name:
        site.mlxk("clone", TINY, f"{name}/tiny")
        assert whole(Path(name) / "tiny")
        assert site.data("clone", TINY, f"{name}/tiny")["changed"] is False


def test_two_workspaces_share_the_bytes_of_their_weights(site: Site) -> None:
    for name in ("one", "two"):
        site.mlxk("clone", TINY, name, "--link-mode", "hardlink")
    one, two = ((site.root / name / "model.safetensors").stat() for name in ("one", "two"))
    assert one.st_ino == two.st_ino
    assert whole(site.root / "one")
    assert whole(site.root / "two")


def test_two_clones_of_one_target_at_once_make_it_once(site: Site) -> None:
    running = [
        subprocess.Popen(
            site.command("clone", TINY, "--json"), cwd=site.root, env=site.env, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    told = [json.loads(process.communicate(timeout=240)[0]) for process in running]
    assert [each["status"] for each in told] == ["success", "success"]
    assert sorted(each["data"]["changed"] for each in told) in ([False, True], [False, False])
    assert whole(site.root / "tiny")
    assert not litter(site.root)


MEASURE = """
import pathlib, sys
sys.argv[0] = "mlxk"
from mlxlock.cli.main import run
code = run(sys.argv[1:])
read = int(pathlib.Path("/proc/self/io").read_text().split()[1])
# Not `ru_maxrss`: an exec hands down the peak of the process that forked.
peak = int(pathlib.Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) << 10
print(code, peak, read, file=sys.stderr)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says what a process read")
def test_the_content_hash_comes_with_the_download_in_constant_memory(
    site: Site, loopback_hub: LoopbackHub
) -> None:
    size_bytes = 192 << 20
    loopback_hub.repo("org/big").commit({"config.json": b"{}", "model.safetensors": Pattern(size=size_bytes)})
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, "clone", "org/big"],
        cwd=site.root,
        env=site.env,
        capture_output=True,
        text=True,
        check=True,
    )
    code, memory_bytes, read_bytes = map(int, done.stderr.splitlines()[-1].split())
    assert code == 0, done.stderr
    assert memory_bytes < size_bytes // 2
    # Sockets do not count: what is read from the disk is our own code, not the weights again.
    assert read_bytes < size_bytes // 4
    assert sentinel(site.root / "big")["content_hash"] == by_sha256sum(site.root / "big")


@pytest.mark.parametrize("what", ["./models/tiny", TINY])
def test_add_takes_a_clone_into_the_manifest_without_a_download(
    site: Site, loopback_hub: LoopbackHub, repo: Repo, what: str
) -> None:
    site.mlxk("init")
    site.mlxk("clone", TINY, "models/tiny", "--exclude", "*.md")
    commit = head(repo)
    before = contents(site.models / "tiny")
    loopback_hub.forget_requests()
    if what == TINY:
        site.mlxk("add", what, "--exclude", "*.md", "--no-capture")
    else:
        repo.commit({"config.json": b"moved"})
        site.mlxk("add", what, "--no-capture")
    assert not [request for request in loopback_hub.requests if "/resolve/" in request.path]
    assert site.locked["tiny"]["commit"] == commit
    assert contents(site.models / "tiny") == before
    site.mlxk("verify")


def test_add_of_a_directory_that_does_not_say_what_it_is_refuses(site: Site) -> None:
    site.mlxk("init")
    (site.root / "own").mkdir()
    (site.root / "own" / "config.json").write_text("{}")
    for path in ("./own", "./nowhere"):
        assert site.refusal("add", path)[:2] == (2, "usage")
