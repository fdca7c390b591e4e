"""`mlxk push`: exactly the workspace becomes a commit, on what was looked at, and no secret leaves."""

import json
from pathlib import Path

import pytest

from tests.commands.site import Site
from tests.testhub import LoopbackHub, Repo, Status, plain
from tests.testhub.content import read_all

TINY, MINE = "org/tiny", "ada/mine"
FILES = {"config.json": b"{}", "model.safetensors": b"w" * 50_000, "sub/vocab.txt": b"v" * 40}
SECRET = "hf_" + "a" * 34


@pytest.fixture
def site(loopback_hub: LoopbackHub, tmp_path: Path) -> Site:
    loopback_hub.repo(TINY).commit({**FILES, "model.safetensors": plain(FILES["model.safetensors"])})
    loopback_hub.user("writer", writes=["ada"], grants=[MINE])
    site = Site(tmp_path / "here", loopback_hub.endpoint)
    site.mlxk("clone", TINY, "--link-mode", "copy")
    site.env |= {"MLXK_ENDPOINT_TOKEN": "writer"}
    return site


@pytest.fixture
def mine(loopback_hub: LoopbackHub) -> Repo:
    repo = loopback_hub.repo(MINE, private=True)
    repo.commit({"config.json": b"{ }", "old.txt": b"old", ".gitattributes": b"x"})
    return repo


def held(repo: Repo | None, revision: str = "main") -> dict[str, bytes]:
    commit = None if repo is None else repo.find(revision)
    assert commit is not None
    return {path: read_all(file.content) for path, file in commit.files.items()}


def writes(hub: LoopbackHub) -> list[str]:
    return [request.path for request in hub.requests if request.method in {"PUT", "POST"}]


def test_a_workspace_becomes_the_repo(site: Site, mine: Repo, loopback_hub: LoopbackHub) -> None:
    before = mine.refs["refs/heads/main"]
    told = site.data("push", "./tiny", MINE, "--private", "--message", "mine now")
    assert held(mine) == {**FILES, ".gitattributes": b"x"}
    made = mine.find("main")
    assert made is not None
    assert (made.parent, made.title, made.id) == (before, "mine now", told["commit"])
    assert (told["added"], told["modified"], told["removed"]) == (
        ["model.safetensors", "sub/vocab.txt"],
        ["config.json"],
        ["old.txt"],
    )
    loopback_hub.forget_requests()
    assert site.data("push", "./tiny", MINE)["changed"] is False
    assert not writes(loopback_hub)


def test_a_dry_run_shows_added_changed_and_removed_and_sends_nothing(
    site: Site, mine: Repo, loopback_hub: LoopbackHub
) -> None:
    before = mine.refs["refs/heads/main"]
    lines = site.mlxk("push", "./tiny", MINE, "--dry-run").splitlines()
    assert lines[:-1] == ["+ model.safetensors", "+ sub/vocab.txt", "~ config.json", "- old.txt"]
    assert not writes(loopback_hub)
    assert mine.refs["refs/heads/main"] == before


def test_private_is_checked_and_not_only_said(site: Site, loopback_hub: LoopbackHub) -> None:
    public = loopback_hub.repo(MINE)
    before = public.commit({"a.txt": b"a"})
    code, kind, told = site.refusal("push", "./tiny", MINE, "--private")
    assert (code, kind) == (1, "policy")
    assert "is public" in told
    assert not writes(loopback_hub)
    assert public.refs["refs/heads/main"] == before


def test_create_makes_it_and_private_when_asked(site: Site, loopback_hub: LoopbackHub) -> None:
    code, kind, told = site.refusal("push", "./tiny", MINE)
    assert (code, kind) == (2, "repo-not-found")
    assert "--create" in told
    site.mlxk("push", "./tiny", MINE, "--create", "--private")
    repo = loopback_hub.find(MINE)
    assert repo is not None
    assert repo.private
    assert {path: data for path, data in held(repo).items() if path != ".gitattributes"} == FILES
    site.mlxk("push", "./tiny", "ada/open", "--create")
    opened = loopback_hub.find("ada/open")
    assert opened is not None
    assert not opened.private


def test_no_secret_no_cache_and_no_sentinel_is_ever_sent(site: Site, mine: Repo) -> None:
    tiny = site.root / "tiny"
    for name in (
        ".hf_cache/token",
        ".hf_cache/hub/x.json",
        ".cache/huggingface/download/x.metadata",
        ".git/config",
        "__pycache__/x.pyc",
        "token",
        "sub/stored_tokens",
        ".env",
        ".git-credentials",
        ".aws/credentials",
        "keys/id_ed25519",
        "server.KEY",
        ".DS_Store",
        "x.log",
    ):
        (tiny / name).parent.mkdir(parents=True, exist_ok=True)
        (tiny / name).write_text(SECRET)
    site.mlxk("push", "./tiny", MINE)
    assert held(mine) == {**FILES, ".gitattributes": b"x"}


@pytest.mark.parametrize("before", [0, (1 << 20) - 20, 5 << 20], ids=["small", "torn by two reads", "large"])
def test_a_file_that_holds_a_token_stops_the_push(
    site: Site, mine: Repo, loopback_hub: LoopbackHub, before: int
) -> None:
    padding = "." * before
    head = mine.refs["refs/heads/main"]
    (site.root / "tiny" / "train.json").write_text(padding + json.dumps({"key": SECRET}))
    code, kind, told = site.refusal("push", "./tiny", MINE)
    assert (code, kind) == (1, "policy")
    assert "train.json" in told
    assert SECRET not in told
    assert not writes(loopback_hub)
    assert mine.refs["refs/heads/main"] == head


def test_a_branch_is_a_branch(site: Site, mine: Repo) -> None:
    mine.branch("next")
    before = held(mine)
    site.mlxk("push", "./tiny", MINE, "--branch", "next")
    assert held(mine) == before
    assert held(mine, "next") == {**FILES, ".gitattributes": b"x"}
    assert site.refusal("push", "./tiny", MINE, "--branch", "nowhere")[:2] == (2, "revision-not-found")


def test_who_may_not_write_is_told(site: Site, loopback_hub: LoopbackHub) -> None:
    repo = loopback_hub.repo("other/repo")
    before = repo.commit({"a.txt": b"a"})
    assert site.refusal("push", "./tiny", "other/repo")[:2] == (2, "auth-invalid")
    assert repo.refs["refs/heads/main"] == before
    del site.env["MLXK_ENDPOINT_TOKEN"]
    assert site.refusal("push", "./tiny", "other/repo")[:2] == (2, "auth-invalid")


@pytest.mark.parametrize("match", ["/upload/", "/commit/main"])
def test_a_push_that_is_cut_off_commits_nothing(
    site: Site, mine: Repo, loopback_hub: LoopbackHub, match: str
) -> None:
    before = mine.refs["refs/heads/main"]
    loopback_hub.fault(match, Status(code=500), times=None)
    code, kind, _ = site.refusal("push", "./tiny", MINE)
    assert (code, kind) == (2, "hub-unreachable")
    assert mine.refs["refs/heads/main"] == before
    loopback_hub.clear_faults()
    site.mlxk("push", "./tiny", MINE)
    assert held(mine) == {**FILES, ".gitattributes": b"x"}


def test_the_token_goes_to_its_endpoint_only(site: Site, mine: Repo, loopback_hub: LoopbackHub) -> None:
    site.mlxk("push", "./tiny", MINE)
    assert mine.refs
    assert all(request.authorized for request in loopback_hub.requests if "/preupload/" in request.path)
    uploads = [request for request in loopback_hub.requests if request.method == "PUT"]
    assert [request.server for request in uploads] == ["cdn"]
    assert not any(request.authorized for request in uploads)


def test_what_is_no_workspace_is_not_pushed(site: Site) -> None:
    (site.root / "empty").mkdir()
    for argv in (
        ["./empty", MINE],
        ["./nowhere", MINE],
        ["./tiny", "no repo"],
        ["./tiny", MINE, "--offline"],
    ):
        assert site.refusal("push", *argv)[:2] == (2, "usage")
