"""huggingface_hub 1.33 and 2 download from the loopback Hub as they do from the real one."""

import json
from pathlib import Path

from tests.testhub import LoopbackHub, Pattern, Request, lfs, plain
from tests.testhub.clients import Installation
from tests.testhub.repos import Source, file_named

GRANTED = "hf_granted"
FILES: dict[str, Source] = {
    "README.md": b"---\nlicense: mit\n---\n" + b"words " * 1000,
    "config.json": b'{"model_type": "tiny"}',
    "empty.txt": b"",
    "model.safetensors": b"weights" * 50_000,
    "sub folder/tokenizer ü.json": b"[]" + b" " * 5000,
    "zero.bin": b"",
}


def _names(requests: tuple[Request, ...]) -> set[tuple[str, str]]:
    """Return method and path of every call but the one each process makes for its own reasons."""
    return {(line.method, line.path) for line in requests if line.path != "/api/agent-harnesses"}


def _read_snapshot(folder: Path) -> dict[str, Source]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_snapshot_cold_warm_pinned_and_offline(loopback_hub: LoopbackHub, hf: Installation) -> None:
    commit = loopback_hub.repo("org/name").commit(FILES)
    with hf.start() as client:
        folder = Path(client.call("snapshot_download", repo_id="org/name"))
        assert _read_snapshot(folder) == FILES
        assert folder == hf.cache / "models--org--name" / "snapshots" / commit
        cold = loopback_hub.requests

        loopback_hub.forget_requests()
        assert client.call("snapshot_download", repo_id="org/name") == str(folder)
        assert _names(loopback_hub.requests) == {("GET", "/api/models/org/name/revision/main")}

        loopback_hub.forget_requests()
        assert client.call("snapshot_download", repo_id="org/name", revision=commit) == str(folder)
        assert _names(loopback_hub.requests) == set()
    with hf.start(HF_HUB_OFFLINE="1") as client:
        assert client.call("snapshot_download", repo_id="org/name") == str(folder)
        assert "LocalEntryNotFoundError" in client.error("snapshot_download", repo_id="org/other")
    assert loopback_hub.requests == ()
    assert {line.status for line in cold} == {200, 302, 307, 404}
    assert {line.server for line in cold if line.status == 302} == {"hub"}
    assert [line.status for line in cold if line.server == "cdn"] == [200]


def test_the_cache_is_named_by_what_the_hub_announces(loopback_hub: LoopbackHub, hf: Installation) -> None:
    commit = loopback_hub.repo("org/name").commit(FILES)
    with hf.start() as client:
        client.call("snapshot_download", repo_id="org/name")
    repo = hf.cache / "models--org--name"
    assert (repo / "refs" / "main").read_bytes() == commit.encode()
    expected = {file_named(path, source).etag for path, source in FILES.items()}
    assert {path.name for path in (repo / "blobs").iterdir()} == expected
    tree = json.loads((repo / "trees" / f"{commit}.json").read_text(encoding="utf-8"))
    weights = file_named("model.safetensors", FILES["model.safetensors"])
    assert tree["files"]["model.safetensors"]["lfs_sha256"] == weights.sha256
    assert tree["files"]["model.safetensors"]["blob_id"] == weights.oid


def test_single_files_of_every_kind_of_repo(loopback_hub: LoopbackHub, hf: Installation) -> None:
    for repo_type in ("model", "dataset", "space"):
        repo = loopback_hub.repo("org/name", repo_type=repo_type)
        repo.commit({"sub dir/a.json": repo_type.encode(), "data.bin": lfs(repo_type.encode() * 9)})
        repo.pull_request(3, repo.commit({"data.bin": b"from a pull request"}, ref=None))
    with hf.start() as client:
        for repo_type in ("model", "dataset", "space"):
            asked = {"repo_id": "org/name", "repo_type": repo_type}
            path = client.call("hf_hub_download", **asked, filename="sub dir/a.json")
            assert Path(path).read_bytes() == repo_type.encode()
            path = client.call("hf_hub_download", **asked, filename="data.bin")
            assert Path(path).read_bytes() == repo_type.encode() * 9
            path = client.call("hf_hub_download", **asked, filename="data.bin", revision="refs/pr/3")
            assert Path(path).read_bytes() == b"from a pull request"
    asked_twice = [line for line in loopback_hub.requests if "refs/pr/3" in line.path]
    assert len(asked_twice) == 3


def test_the_token_never_reaches_the_cdn(loopback_hub: LoopbackHub, hf: Installation) -> None:
    loopback_hub.user(GRANTED, grants=["org/name"])
    loopback_hub.repo("org/name", private=True).commit(FILES)
    with hf.start(HF_TOKEN=GRANTED) as client:
        client.call("snapshot_download", repo_id="org/name")
    assert [line.authorized for line in loopback_hub.requests if line.server == "cdn"] == [False]
    assert all(line.authorized for line in loopback_hub.requests if "/resolve" in line.path)


def test_a_moved_branch_brings_the_new_commit(loopback_hub: LoopbackHub, hf: Installation) -> None:
    repo = loopback_hub.repo("org/name")
    first = repo.commit({"config.json": b"1", "model.safetensors": b"same"})
    with hf.start() as client:
        client.call("snapshot_download", repo_id="org/name")
        second = repo.commit({"config.json": b"2", "model.safetensors": b"same"})
        loopback_hub.forget_requests()
        folder = Path(client.call("snapshot_download", repo_id="org/name"))
    assert folder.name == second != first
    assert (folder / "config.json").read_bytes() == b"2"
    assert not [line for line in loopback_hub.requests if line.server == "cdn"]


def test_a_dry_run_tells_sizes(loopback_hub: LoopbackHub, hf: Installation) -> None:
    commit = loopback_hub.repo("org/name").commit(FILES)
    with hf.start() as client:
        told = client.call("snapshot_download", repo_id="org/name", dry_run=True)
    assert {file["filename"]: file["file_size"] for file in told} == {
        path: file_named(path, source).size for path, source in FILES.items()
    }
    assert {file["commit_hash"] for file in told} == {commit}


def test_generated_and_plain_files_arrive_whole(loopback_hub: LoopbackHub, hf: Installation) -> None:
    pattern = Pattern(size=12_345_678, seed=7)
    loopback_hub.repo("org/name").commit({"big.safetensors": lfs(pattern), "model.bin": plain(b"git's")})
    with hf.start() as client:
        folder = Path(client.call("snapshot_download", repo_id="org/name"))
    assert (folder / "model.bin").read_bytes() == b"git's"
    assert file_named("big.safetensors", folder / "big.safetensors").etag == lfs(pattern).etag


def test_the_command_line(loopback_hub: LoopbackHub, hf: Installation) -> None:
    commit = loopback_hub.repo("org/name").commit(FILES)
    done = hf.hf("download", "org/name", "--include", "*.json", "--revision", commit)
    assert done.returncode == 0, done.stderr
    snapshot = hf.cache / "models--org--name" / "snapshots" / commit
    assert set(_read_snapshot(snapshot)) == {"config.json", "sub folder/tokenizer ü.json"}
    assert hf.hf("download", "org/name").returncode == 0
    listed = json.loads(hf.hf("cache", "ls", "--revisions", "--json").stdout)
    assert commit in json.dumps(listed)
    assert hf.hf("cache", "verify", "org/name").returncode == 0
    weights = snapshot / "model.safetensors"
    damaged = bytearray(weights.read_bytes())
    damaged[0] ^= 1
    weights.resolve().write_bytes(damaged)
    assert hf.hf("cache", "verify", "org/name").returncode == 1
    assert hf.hf("download", "org/missing").returncode != 0
