"""huggingface_hub 1.33 and 2 create, announce, upload and commit; the loopback Hub holds what they sent."""

from pathlib import Path

import pytest

from tests.testhub import LoopbackHub, Repo, lfs
from tests.testhub.clients import ClientError, Installation
from tests.testhub.content import read_all

OFF = {"HF_HUB_DISABLE_XET": "1", "HF_TOKEN": "writer"}
REPO = "ada/made"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# made\n")
    (folder / "config.json").write_text("{}")
    (folder / "sub" / "model.safetensors").write_bytes(b"w" * 300_000)
    return folder


def held(repo: Repo | None, revision: str = "main") -> dict[str, bytes]:
    commit = None if repo is None else repo.find(revision)
    assert commit is not None
    return {path: read_all(file.content) for path, file in commit.files.items()}


def test_a_folder_becomes_a_repo(loopback_hub: LoopbackHub, hf: Installation, folder: Path) -> None:
    loopback_hub.user("writer", writes=["ada"])
    with hf.start(**OFF) as client:
        client.call("create_repo", repo_id=REPO, private=True)
        client.call("upload_folder", repo_id=REPO, folder_path=str(folder), commit_message="first")
        info = client.call("model_info", repo_id=REPO)
    repo = loopback_hub.find(REPO)
    assert repo is not None
    assert (repo.private, info["sha"]) == (True, repo.refs["refs/heads/main"])
    files = held(repo)
    assert files.pop(".gitattributes")
    assert files == {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    made = repo.find("main")
    assert made is not None
    assert made.files["sub/model.safetensors"].lfs
    assert not made.files["config.json"].lfs
    uploads = [request for request in loopback_hub.requests if request.method == "PUT"]
    assert [(request.server, request.authorized) for request in uploads] == [("cdn", False)]


def test_what_is_there_is_not_sent_again_and_what_is_deleted_goes(
    loopback_hub: LoopbackHub, hf: Installation, folder: Path
) -> None:
    loopback_hub.user("writer", writes=[REPO])
    repo = loopback_hub.repo(REPO)
    weights = lfs((folder / "sub" / "model.safetensors").read_bytes())
    repo.commit({"sub/model.safetensors": weights, "old.txt": b"old"})
    with hf.start(**OFF) as client:
        client.call("create_branch", repo_id=REPO, branch="next")
        client.call(
            "upload_folder", repo_id=REPO, folder_path=str(folder), revision="next", delete_patterns="*.txt"
        )
    assert "old.txt" in held(repo)
    assert sorted(held(repo, "next")) == ["README.md", "config.json", "sub/model.safetensors"]
    assert not [request for request in loopback_hub.requests if request.method == "PUT"]


def test_who_may_not_write_is_refused(loopback_hub: LoopbackHub, hf: Installation, folder: Path) -> None:
    loopback_hub.user("writer")
    repo = loopback_hub.repo(REPO)
    before = repo.commit({"a.txt": b"a"})
    with hf.start(**OFF) as client:
        for name, arguments in (
            ("upload_folder", {"folder_path": str(folder)}),
            ("create_branch", {"branch": "next"}),
        ):
            with pytest.raises(ClientError, match="403"):
                client.call(name, repo_id=REPO, **arguments)
        with pytest.raises(ClientError, match="403"):
            client.call("create_repo", repo_id="other/made")
    assert repo.refs == {"refs/heads/main": before}


def test_a_commit_on_an_old_parent_is_refused(
    loopback_hub: LoopbackHub, hf: Installation, folder: Path
) -> None:
    loopback_hub.user("writer", writes=[REPO])
    repo = loopback_hub.repo(REPO)
    old = repo.commit({"a.txt": b"a"})
    new = repo.commit({"a.txt": b"b"})
    with hf.start(**OFF) as client, pytest.raises(ClientError, match="412"):
        client.call("upload_folder", repo_id=REPO, folder_path=str(folder), parent_commit=old)
    assert repo.refs["refs/heads/main"] == new
