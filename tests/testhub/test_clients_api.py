"""huggingface_hub 1.33 and 2 understand what the loopback Hub says about its repos."""

from tests.testhub import LoopbackHub, Manners, lfs, plain
from tests.testhub.clients import Installation

WEIGHTS = lfs(b"weights" * 1000)
CONFIG = plain(b'{"model_type": "tiny"}')


def test_info_with_hashes_and_without(loopback_hub: LoopbackHub, hf: Installation) -> None:
    repo = loopback_hub.repo("org/name", license="apache-2.0", gated=True)
    commit = repo.commit({"config.json": CONFIG, "model.safetensors": WEIGHTS})
    with hf.start() as client:
        info = client.call("model_info", repo_id="org/name", files_metadata=True, securityStatus=True)
        bare = client.call("model_info", repo_id="org/name", revision=commit)
        chosen = client.call("model_info", repo_id="org/name", expand=["sha", "gated"])
    assert (info["id"], info["sha"], info["private"], info["gated"]) == ("org/name", commit, False, "auto")
    assert info["disabled"] is False
    assert info["last_modified"] == "2026-01-01 00:00:00+00:00"
    assert info["card_data"]["license"] == "apache-2.0"
    assert "license:apache-2.0" in info["tags"]
    assert info["security_repo_status"] == {"scansDone": True, "filesWithIssues": []}
    small, large = info["siblings"]
    assert (small["rfilename"], small["size"], small["blob_id"]) == ("config.json", CONFIG.size, CONFIG.oid)
    assert small["lfs"] is None
    assert (large["size"], large["blob_id"]) == (WEIGHTS.size, WEIGHTS.oid)
    assert large["lfs"]["sha256"] == WEIGHTS.sha256
    assert large["lfs"]["pointer_size"] == WEIGHTS.pointer_size
    assert [sibling["blob_id"] for sibling in bare["siblings"]] == [None, None]
    assert (chosen["sha"], chosen["gated"], chosen["siblings"]) == (commit, "auto", None)


def test_every_way_to_name_a_revision(loopback_hub: LoopbackHub, hf: Installation) -> None:
    repo = loopback_hub.repo("org/name")
    old = repo.commit({"a.txt": b"old"})
    new = repo.commit({"a.txt": b"new"})
    repo.tag("v1.0", old)
    repo.branch("dev/next", old)
    repo.pull_request(1, old)
    expected = {
        "main": new,
        "HEAD": new,
        "v1.0": old,
        "dev/next": old,
        "refs/pr/1": old,
        "refs/tags/v1.0": old,
        "refs/heads/main": new,
        old: old,
        old[:7]: old,
        new[:12]: new,
    }
    with hf.start() as client:
        for revision, commit in expected.items():
            assert client.call("model_info", repo_id="org/name", revision=revision)["sha"] == commit, revision
        for revision in ("v2.0", "0" * 40, old[:6], "refs/pr/2"):
            kinds = client.error("model_info", repo_id="org/name", revision=revision)
            assert kinds[0] == "RevisionNotFoundError", revision


def test_refs_and_history(loopback_hub: LoopbackHub, hf: Installation) -> None:
    repo = loopback_hub.repo("org/name")
    commits = [repo.commit({"a.txt": str(number).encode()}, title=f"step {number}") for number in range(5)]
    repo.tag("v1.0", commits[0])
    repo.branch("dev", commits[1])
    repo.pull_request(1, commits[2])
    loopback_hub.manners = Manners(page=2)
    with hf.start() as client:
        refs = client.call("list_repo_refs", repo_id="org/name", include_pull_requests=True)
        short = client.call("list_repo_refs", repo_id="org/name")
        history = client.call("list_repo_commits", repo_id="org/name")
    found = {
        kind: {(ref["name"], ref["ref"], ref["target_commit"]) for ref in refs[kind]}
        for kind in ("branches", "tags", "pull_requests")
    }
    assert found == {
        "branches": {("main", "refs/heads/main", commits[4]), ("dev", "refs/heads/dev", commits[1])},
        "tags": {("v1.0", "refs/tags/v1.0", commits[0])},
        "pull_requests": {("1", "refs/pr/1", commits[2])},
    }
    assert short["pull_requests"] is None
    assert [step["commit_id"] for step in history] == commits[::-1]
    assert history[0]["title"] == "step 4"


def test_trees_are_paged_and_know_directories(loopback_hub: LoopbackHub, hf: Installation) -> None:
    files = {f"folder {number % 3}/sub/{number}.txt": plain(str(number).encode()) for number in range(20)}
    repo = loopback_hub.repo("org/name")
    repo.commit(files | {"model.safetensors": WEIGHTS})
    loopback_hub.manners = Manners(page=4)
    with hf.start() as client:
        everything = client.call("list_repo_tree", repo_id="org/name", recursive=True)
        top = client.call("list_repo_tree", repo_id="org/name")
        inner = client.call("list_repo_tree", repo_id="org/name", path_in_repo="folder 0/sub", expand=True)
        missing = client.error("list_repo_tree", repo_id="org/name", path_in_repo="nowhere")
    assert len(everything) == 20 + 6 + 1
    assert {entry["path"]: entry["blob_id"] for entry in everything if "blob_id" in entry} == {
        path: file.oid for path, file in files.items()
    } | {"model.safetensors": WEIGHTS.oid}
    assert [entry["path"] for entry in top] == ["folder 0", "folder 1", "folder 2", "model.safetensors"]
    assert top[-1]["lfs"]["sha256"] == WEIGHTS.sha256
    assert len(top[0]["tree_id"]) == 40
    assert {entry["path"] for entry in inner} == {path for path in files if path.startswith("folder 0/")}
    assert inner[0]["security"]["safe"] is True
    assert inner[0]["last_commit"]["oid"] == repo.refs["refs/heads/main"]
    assert missing[0] == "RemoteEntryNotFoundError"
    pages = [line for line in loopback_hub.requests if "cursor" in line.query]
    assert len(pages) == 6 + 1  # 27 entries of the whole tree and 7 of the folder, by fours


def test_paths_info(loopback_hub: LoopbackHub, hf: Installation) -> None:
    loopback_hub.repo("org/name").commit({"a/b.txt": CONFIG, "model.safetensors": WEIGHTS})
    asked = ["model.safetensors", "a", "missing.txt", "a/b.txt"]
    with hf.start() as client:
        told = client.call("get_paths_info", repo_id="org/name", paths=asked)
        expanded = client.call("get_paths_info", repo_id="org/name", paths="a/b.txt", expand=True)
    assert [entry["path"] for entry in told] == ["model.safetensors", "a", "a/b.txt"]
    assert told[0]["lfs"]["sha256"] == WEIGHTS.sha256
    assert told[2]["blob_id"] == CONFIG.oid
    assert expanded[0]["security"]["status"] == "safe"


def test_datasets_and_spaces(loopback_hub: LoopbackHub, hf: Installation) -> None:
    data = loopback_hub.repo("org/data", repo_type="dataset", license="cc0-1.0").commit({"x.npz": b"1"})
    space = loopback_hub.repo("org/space", repo_type="space").commit({"app.py": b"2"})
    with hf.start() as client:
        dataset = client.call("dataset_info", repo_id="org/data", files_metadata=True)
        assert (dataset["id"], dataset["sha"]) == ("org/data", data)
        assert dataset["siblings"][0]["lfs"]["size"] == 1
        assert client.call("space_info", repo_id="org/space")["sha"] == space
        assert "HfHubHTTPError" in client.error("model_info", repo_id="org/data")


def test_resolve_revision(loopback_hub: LoopbackHub, hf: Installation) -> None:
    commit = loopback_hub.repo("org/name").commit({"a.txt": b"1"})
    with hf.start() as client:
        exists = client.call("file_exists", repo_id="org/name", filename="a.txt")
        missing = client.call("file_exists", repo_id="org/name", filename="b.txt")
        files = client.call("list_repo_files", repo_id="org/name", revision=commit)
    assert (exists, missing, files) == (True, False, ["a.txt"])
