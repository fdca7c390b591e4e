"""One call a model finds commit and hashes; whatever the Hub calls a commit, and however it behaves."""

import json
from pathlib import Path

import pytest

from mlxlock.errors import HubError, HubUnreachableError, RateLimitedError, RevisionNotFoundError
from mlxlock.hub.client import HubSource
from mlxlock.hub.endpoint import Endpoint
from mlxlock.ports import Wanted
from mlxlock.spec.names import RepoId, RepoType
from tests.hub.support import Pauses, api_calls, source_for, wanted
from tests.testhub import Drop, LoopbackHub, Manners, MoveRef, Pattern, Status

FILES = {"config.json": b'{"a": 1}', "sub/w.safetensors": b"weights" * 99, "README.md": b"# hi\n"}


def described(path: str, size: object) -> bytes:
    """The info of a repo with one file."""
    sibling = {"rfilename": path, "size": size, "blobId": "2" * 40}
    return json.dumps({"id": "org/m", "sha": "1" * 40, "siblings": [sibling]}).encode()


def test_one_call_tells_everything(loopback_hub: LoopbackHub) -> None:
    repo = loopback_hub.repo("org/m", license="mit", gated=True)
    commit = repo.commit(FILES)
    resolution = source_for(loopback_hub).resolve(wanted("org/m"))
    known = repo.commits[commit]
    assert (resolution.commit, resolution.revision, resolution.canonical) == (commit, "main", None)
    assert (resolution.license, resolution.gated, resolution.date) == ("mit", True, "2026-01-01")
    assert [file.path for file in resolution.files] == ["README.md", "config.json", "sub/w.safetensors"]
    for file in resolution.files:
        assert (file.etag, file.size_bytes) == (known.files[file.path].etag, known.files[file.path].size)
    weights = resolution.files[2]
    assert weights.git is None, "an LFS file's git blob is a pointer, which no one downloads"
    assert [request.path for request in api_calls(loopback_hub)] == ["/api/models/org/m/revision/main"]


@pytest.mark.parametrize("revision", ["dev", "v1.0", "refs/pr/3", "short", "full", "feature/x"])
def test_every_kind_of_revision_finds_its_commit(loopback_hub: LoopbackHub, revision: str) -> None:
    repo = loopback_hub.repo("org/m")
    old = repo.commit(FILES)
    repo.branch("dev", old)
    repo.branch("feature/x", old)
    repo.tag("v1.0", old)
    repo.pull_request(3, old)
    repo.commit({"config.json": b"new"})
    asked = {"short": old[:7], "full": old}.get(revision, revision)
    resolution = source_for(loopback_hub).resolve(wanted("org/m", asked))
    assert (resolution.commit, resolution.revision) == (old, asked)
    assert len(resolution.files) == 3
    assert len(api_calls(loopback_hub)) == 1


@pytest.mark.parametrize("repo_type", ["dataset", "space"])
def test_datasets_and_spaces_resolve_too(loopback_hub: LoopbackHub, repo_type: RepoType) -> None:
    commit = loopback_hub.repo("org/d", repo_type=repo_type, license="cc0-1.0").commit({"a.txt": b"x"})
    asked = Wanted(repo=RepoId("org/d"), repo_type=repo_type)
    resolution = source_for(loopback_hub).resolve(asked)
    assert (resolution.commit, resolution.license) == (commit, "cc0-1.0")
    assert resolution.remote(resolution.files[0]).repo_type == repo_type


def test_a_range_takes_the_newest_tag_with_two_calls(loopback_hub: LoopbackHub) -> None:
    repo = loopback_hub.repo("org/m")
    for name in ("v1.0", "v1.10", "v1.9", "v2.0"):
        repo.commit({"config.json": name.encode()})
        repo.tag(name)
    resolution = source_for(loopback_hub).resolve(wanted("org/m", version=">=1.0,<2"))
    assert resolution.revision == "v1.10"
    assert resolution.commit == repo.refs["refs/tags/v1.10"]
    assert len(api_calls(loopback_hub)) == 2


def test_a_tag_that_moves_between_the_calls_does_not_mix(loopback_hub: LoopbackHub) -> None:
    repo = loopback_hub.repo("org/m")
    old = repo.commit({"config.json": b"old"})
    repo.tag("v1.0", old)
    new = repo.commit({"config.json": b"new"})
    loopback_hub.fault("/refs", MoveRef(repo="org/m", ref="refs/tags/v1.0", commit=new))
    assert source_for(loopback_hub).resolve(wanted("org/m", version=">=1")).commit == old


def test_a_range_without_a_tag_is_an_error(loopback_hub: LoopbackHub) -> None:
    loopback_hub.repo("org/m").commit(FILES)
    with pytest.raises(RevisionNotFoundError, match=">=3"):
        source_for(loopback_hub).resolve(wanted("org/m", version=">=3"))


def test_a_renamed_repo_keeps_the_asked_name_and_tells_the_new_one(loopback_hub: LoopbackHub) -> None:
    commit = loopback_hub.repo("old/m").commit(FILES)
    loopback_hub.rename("old/m", "new/m")
    resolution = source_for(loopback_hub).resolve(wanted("old/m"))
    assert (resolution.repo, resolution.canonical, resolution.commit) == ("old/m", "new/m", commit)


def test_a_legacy_id_resolves(loopback_hub: LoopbackHub) -> None:
    commit = loopback_hub.repo("google-t5/t5-base").commit(FILES)
    loopback_hub.alias("t5-base", "google-t5/t5-base")
    resolution = source_for(loopback_hub).resolve(wanted("t5-base"))
    assert (resolution.canonical, resolution.commit) == ("google-t5/t5-base", commit)


# --- careless mirrors ---------------------------------------------------------------------------------------


def test_siblings_without_hashes_are_looked_up_in_the_paged_tree(loopback_hub: LoopbackHub) -> None:
    repo = loopback_hub.repo("org/m")
    commit = repo.commit({f"d{n % 7}/f{n:02}.json": b"%d" % n for n in range(50)})
    full = source_for(loopback_hub).resolve(wanted("org/m"))
    loopback_hub.forget_requests()
    loopback_hub.manners = Manners(sibling_hashes=False, page=9)
    assert source_for(loopback_hub).resolve(wanted("org/m")) == full
    paths = [request.path for request in api_calls(loopback_hub)]
    assert paths[1:] == [f"/api/models/org/m/tree/{commit}"] * 7, "57 entries, 9 a page"


def test_a_list_of_whole_thousands_may_be_cut_and_is_asked_for_again(loopback_hub: LoopbackHub) -> None:
    commit = loopback_hub.repo("org/m").commit({f"{n:04}.json": b"" for n in range(1003)})
    siblings = [{"rfilename": f"{n:04}.json", "size": 0, "blobId": "2" * 40} for n in range(1000)]
    cut = json.dumps({"id": "org/m", "sha": commit, "siblings": siblings}).encode()
    loopback_hub.fault("/revision/", Status(code=200, body=cut))
    assert len(source_for(loopback_hub).resolve(wanted("org/m")).files) == 1003


def test_a_branch_that_moves_under_the_tree_does_not_mix(loopback_hub: LoopbackHub) -> None:
    repo = loopback_hub.repo("org/m")
    old = repo.commit({"config.json": b"old", "only-old.json": b"x"})
    new = repo.commit({"config.json": b"new"}, ref=None)
    loopback_hub.sloppy()
    loopback_hub.fault("/revision/main", MoveRef(repo="org/m", commit=new))
    resolution = source_for(loopback_hub).resolve(wanted("org/m"))
    assert resolution.commit == old
    assert [file.path for file in resolution.files] == ["config.json", "only-old.json"]
    assert resolution.files[0].git == repo.commits[old].files["config.json"].oid


@pytest.mark.parametrize(
    "tree",
    [
        b'[{"type": "file", "path": "a", "size": 1}]',
        b'[{"type": "file", "path": "a", "size": 1, "oid": ""}]',
        b'[{"type": "file", "path": "a", "size": null, "oid": "' + b"a" * 40 + b'"}]',
        b'{"error": "not here"}',
        b"<html>",
    ],
    ids=["no-oid", "empty-oid", "no-size", "an-object", "html"],
)
def test_a_mirror_that_knows_no_hashes_is_named(loopback_hub: LoopbackHub, tree: bytes) -> None:
    loopback_hub.repo("org/m").commit(FILES)
    loopback_hub.sloppy()
    loopback_hub.fault("/tree/", Status(code=200, body=tree), times=None)
    with pytest.raises(HubError, match=loopback_hub.endpoint):
        source_for(loopback_hub).resolve(wanted("org/m"))


@pytest.mark.parametrize(
    "body",
    [b"<html>captive portal</html>", b"[]", b'{"id": 7}', b'{"id": "org/m"}', b'{"id": "org/m", "sha": "x"}'],
    ids=["html", "list", "no-text", "no-sha", "bad-sha"],
)
def test_an_answer_that_is_no_hubs_is_an_error(loopback_hub: LoopbackHub, body: bytes) -> None:
    loopback_hub.fault("/api/models/org/m", Status(code=200, body=body), times=None)
    with pytest.raises(HubError):
        source_for(loopback_hub).resolve(wanted("org/m"))


@pytest.mark.parametrize(
    "wrong",
    [{"sha": 7}, {"id": ["org/m"]}, {"siblings": [{"rfilename": None, "blobId": "a" * 40, "size": 1}]}],
    ids=["sha", "id", "path"],
)
def test_a_value_of_another_type_is_an_error(loopback_hub: LoopbackHub, wrong: dict[str, object]) -> None:
    answer = {**json.loads(described("a", 1)), **wrong}
    loopback_hub.fault("/api/models/org/m", Status(code=200, body=json.dumps(answer).encode()))
    with pytest.raises(HubError, match="not the Hub's"):
        source_for(loopback_hub).resolve(wanted("org/m"))


@pytest.mark.parametrize("name", ['"v1"', "7"])
def test_a_tag_of_another_type_is_an_error(loopback_hub: LoopbackHub, name: str) -> None:
    refs = f'{{"branches": [], "tags": [{{"name": {name}, "ref": "r", "targetCommit": 7}}], "converts": []}}'
    loopback_hub.fault("/api/models/org/m/refs", Status(code=200, body=refs.encode()))
    with pytest.raises(HubError, match="not the Hub's"):
        source_for(loopback_hub).resolve(wanted("org/m", version=">=1"))


def test_another_commit_than_asked_for_is_an_error(loopback_hub: LoopbackHub) -> None:
    repo = loopback_hub.repo("org/m")
    repo.commit(FILES)
    loopback_hub.fault("/revision/", Status(code=200, body=described("a", 1)))
    with pytest.raises(HubError, match="1" * 40):
        source_for(loopback_hub).resolve(wanted("org/m", "2" * 40))


@pytest.mark.parametrize(
    "path",
    ["../evil", "/etc/passwd", "a/../../b", "a\\b", ".git/config", "a//b", "con", "a\x1b[2Jb", "x\u202ey"],
)
def test_a_hostile_path_is_refused_and_shown_harmless(loopback_hub: LoopbackHub, path: str) -> None:
    loopback_hub.fault("/api/models/org/m", Status(code=200, body=described(path, 1)))
    with pytest.raises(HubError, match="org/m") as caught:
        source_for(loopback_hub).resolve(wanted("org/m"))
    said = "\n".join([caught.value.reason, *caught.value.details])
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert repr(path) in said


@pytest.mark.parametrize("size", [-1, "7", 1.5, True])
def test_a_size_that_is_none_is_refused(loopback_hub: LoopbackHub, size: object) -> None:
    loopback_hub.fault("/api/models/org/m", Status(code=200, body=described("a", size)))
    with pytest.raises(HubError, match="`a`"):
        source_for(loopback_hub).resolve(wanted("org/m"))


# --- trouble ------------------------------------------------------------------------------------------------


def test_a_rate_limit_is_waited_for(loopback_hub: LoopbackHub) -> None:
    commit = loopback_hub.repo("org/m").commit(FILES)
    limited = Status(code=429, headers={"RateLimit": '"api";r=0;t=55'})
    loopback_hub.fault("/api/models/", limited)
    pauses = Pauses()
    assert source_for(loopback_hub, pauses=pauses).resolve(wanted("org/m")).commit == commit
    assert [55 < seconds < 60 for seconds in pauses.seconds] == [True]


def test_a_rate_limit_without_end_is_an_error(loopback_hub: LoopbackHub) -> None:
    loopback_hub.fault("/api/models/", Status(code=429, headers={"Retry-After": "3600"}), times=None)
    with pytest.raises(RateLimitedError, match="fewer requests"):
        source_for(loopback_hub).resolve(wanted("org/m"))
    assert len(api_calls(loopback_hub)) == 1


def test_a_stumble_is_forgiven_and_a_fall_is_not(loopback_hub: LoopbackHub) -> None:
    commit = loopback_hub.repo("org/m").commit(FILES)
    loopback_hub.fault("/api/models/", Status(code=503), times=2)
    loopback_hub.fault("/api/models/", Drop(), times=1)
    assert source_for(loopback_hub).resolve(wanted("org/m")).commit == commit
    loopback_hub.fault("/api/models/", Status(code=500), times=None)
    with pytest.raises(HubError, match="answers 500"):
        source_for(loopback_hub).resolve(wanted("org/m"))


def test_a_page_of_the_tree_is_retried_by_our_patience(loopback_hub: LoopbackHub) -> None:
    loopback_hub.repo("org/m").commit(FILES)
    loopback_hub.sloppy()
    loopback_hub.fault("/tree/", Status(code=503))
    pauses = Pauses()
    assert len(source_for(loopback_hub, pauses=pauses).resolve(wanted("org/m")).files) == 3
    assert len(pauses.seconds) == 1


def test_nobody_listening_is_unreachable() -> None:
    source = HubSource(Endpoint(url="http://127.0.0.1:9"), wait=Pauses())
    with pytest.raises(HubUnreachableError, match=r"127\.0\.0\.1:9"):
        source.resolve(wanted("org/m"))


def test_the_hub_learns_who_asks(loopback_hub: LoopbackHub) -> None:
    loopback_hub.repo("org/m").commit(FILES)
    source_for(loopback_hub).resolve(wanted("org/m"))
    assert "mlxlock" in loopback_hub.requests[0].user_agent


def test_a_big_repo_needs_no_bytes(loopback_hub: LoopbackHub, tmp_path: Path) -> None:
    loopback_hub.repo("org/m").commit({"w.safetensors": Pattern(size=50_000_000)})
    source_for(loopback_hub).resolve(wanted("org/m"))
    assert [request.path for request in loopback_hub.requests] == ["/api/models/org/m/revision/main"]
    assert list(tmp_path.iterdir()) == []
