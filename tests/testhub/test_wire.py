"""Headers, redirects and ranges, looked at one by one: what a client of any language relies on."""

import gzip
import json
import re
from urllib.parse import urlsplit

import pytest

from tests.testhub import LoopbackHub, Manners, NoRange, Repo, WrongEtag, lfs, plain
from tests.testhub.wire import Response, ask

TEXT = b'{"key": "value"}' * 200
WEIGHTS = bytes(range(256)) * 40


@pytest.fixture
def repo(loopback_hub: LoopbackHub) -> Repo:
    repo = loopback_hub.repo("org/name")
    repo.commit({"config.json": TEXT, "model.safetensors": WEIGHTS, "empty.bin": b"", "none.txt": b""})
    return repo


def _resolve(hub: LoopbackHub, path: str, *, method: str = "GET", revision: str = "main") -> Response:
    return ask(f"{hub.endpoint}/org/name/resolve/{revision}/{path}", method)


def _location(hub: LoopbackHub, path: str) -> str:
    location = _resolve(hub, path).headers["location"]
    return location if location.startswith("http") else hub.endpoint + location


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_git_file_redirects_to_the_resolve_cache(
    loopback_hub: LoopbackHub, repo: Repo, method: str
) -> None:
    commit, oid = repo.refs["refs/heads/main"], plain(TEXT).oid
    first = _resolve(loopback_hub, "config.json", method=method)
    assert first.status == 307
    assert first.headers["x-repo-commit"] == commit
    assert first.headers["x-linked-etag"] == f'"{oid}"'
    assert "x-linked-size" not in first.headers
    assert first.headers["location"].startswith(f"/api/resolve-cache/models/org/name/{commit}/config.json?")
    assert first.headers["location"].endswith(f"etag=%22{oid}%22")
    second = ask(loopback_hub.endpoint + first.headers["location"], method)
    assert (second.status, second.headers["etag"]) == (200, f'"{oid}"')
    assert second.headers["x-repo-commit"] == commit
    assert second.headers["content-length"] == str(len(TEXT))
    assert second.body == (TEXT if method == "GET" else b"")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_lfs_file_redirects_to_the_cdn(loopback_hub: LoopbackHub, repo: Repo, method: str) -> None:
    sha256 = lfs(WEIGHTS).sha256
    first = _resolve(loopback_hub, "model.safetensors", method=method)
    assert first.status == 302
    assert first.headers["x-repo-commit"] == repo.refs["refs/heads/main"]
    assert first.headers["x-linked-etag"] == f'"{sha256}"'
    assert first.headers["x-linked-size"] == str(len(WEIGHTS))
    assert "x-xet-hash" not in first.headers
    location = first.headers["location"]
    assert urlsplit(location).hostname != urlsplit(loopback_hub.endpoint).hostname
    second = ask(location, method)
    assert second.status == 200
    assert sha256 not in second.headers["etag"]
    assert second.headers["content-length"] == str(len(WEIGHTS))
    assert second.body == (WEIGHTS if method == "GET" else b"")


def test_a_signature_covers_the_path_and_the_expiry(loopback_hub: LoopbackHub, repo: Repo) -> None:
    del repo
    location = _location(loopback_hub, "model.safetensors")
    assert ask(location).status == 200
    assert ask(re.sub(r"Expires=(\d)", r"Expires=9\1", location)).status == 403
    assert ask(location.replace("/repos/", "/other/")).status == 403
    assert ask(location.partition("?")[0]).status == 403


@pytest.mark.parametrize("path", ["config.json", "model.safetensors"])
@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-", 100, None),
        ("bytes=5-9", 5, 10),
        ("bytes=5-99999999", 5, None),
        ("bytes=-7", -7, None),
    ],
)
def test_a_range_is_honoured(
    loopback_hub: LoopbackHub, repo: Repo, path: str, asked: str, start: int, stop: int | None
) -> None:
    del repo
    whole = TEXT if path == "config.json" else WEIGHTS
    answer = ask(_location(loopback_hub, path), Range=asked)
    assert (answer.status, answer.body) == (206, whole[start:stop])
    first = start % len(whole)
    last = first + len(answer.body) - 1
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(whole)}"


def test_ranges_that_get_no_part(loopback_hub: LoopbackHub, repo: Repo) -> None:
    del repo
    url = _location(loopback_hub, "model.safetensors")
    beyond = ask(url, Range=f"bytes={len(WEIGHTS)}-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{len(WEIGHTS)}")
    assert ask(url, Range="bytes=9-5").status == 416
    assert ask(url, Range="bytes=0-1,5-6").status == 200
    assert ask(url, Range="bytes=5-", If_Range='"another"').status == 200
    etag = ask(url, "HEAD").headers["etag"]
    assert ask(url, Range="bytes=5-", If_Range=etag).status == 206
    loopback_hub.fault("model.safetensors", NoRange(), server="cdn")
    assert ask(url, Range="bytes=5-").body == WEIGHTS
    for path in ("empty.bin", "none.txt"):
        answer = ask(_location(loopback_hub, path), Range="bytes=0-0")
        assert (answer.status, answer.body) == (200, b"")


def test_text_is_compressed_for_those_who_ask(loopback_hub: LoopbackHub, repo: Repo) -> None:
    del repo
    url = _location(loopback_hub, "config.json")
    packed = ask(url, Accept_Encoding="gzip, deflate")
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-length" not in packed.headers
    assert packed.headers["etag"] == f'W/"{plain(TEXT).oid}"'
    assert gzip.decompress(packed.body) == TEXT
    assert ask(url, Accept_Encoding="identity").body == TEXT
    assert ask(url, Accept_Encoding="gzip", Range="bytes=0-").headers.get("content-encoding") is None
    weights = ask(_location(loopback_hub, "model.safetensors"), Accept_Encoding="gzip")
    assert "content-encoding" not in weights.headers


def test_errors_name_their_reason(loopback_hub: LoopbackHub, repo: Repo) -> None:
    private = loopback_hub.repo("org/private", private=True)
    private.commit({"a": b""})
    loopback_hub.user("token")
    hub = loopback_hub.endpoint
    missing = _resolve(loopback_hub, "missing.json", method="HEAD")
    assert (missing.status, missing.headers["x-error-code"]) == (404, "EntryNotFound")
    assert missing.headers["x-repo-commit"] == repo.refs["refs/heads/main"]
    revision = ask(f"{hub}/api/models/org/name/revision/nowhere")
    assert (revision.status, revision.headers["x-error-code"]) == (404, "RevisionNotFound")
    assert revision.headers["x-error-message"] == "Invalid rev id: nowhere"
    for repo_id in ("org/private", "org/missing"):
        anonymous = ask(f"{hub}/api/models/{repo_id}")
        assert anonymous.status == 401
        assert anonymous.headers["x-error-message"] == "Invalid username or password."
        assert "x-error-code" not in anonymous.headers
        stranger = ask(f"{hub}/api/models/{repo_id}", Authorization="Bearer token")
        assert (stranger.status, stranger.headers["x-error-code"]) == (404, "RepoNotFound")
    unknown = ask(f"{hub}/api/models/org/name", Authorization="Bearer nobody")
    assert unknown.headers["x-error-message"] == "Invalid credentials in Authorization header"
    assert ask(f"{hub}/api/agent-harnesses").status == 404


def test_an_error_text_that_no_header_can_hold(loopback_hub: LoopbackHub, repo: Repo) -> None:
    del repo
    answer = ask(f"{loopback_hub.endpoint}/api/models/org/name/revision/%0D%0AX-Evil:%20%E2%82%AC")
    assert answer.status == 404
    assert "x-evil" not in answer.headers


def test_renamed_repos_answer_with_a_relative_redirect(loopback_hub: LoopbackHub, repo: Repo) -> None:
    loopback_hub.rename("org/name", "new/place")
    hub = loopback_hub.endpoint
    for path in (
        "/api/models/{}",
        "/api/models/{}/revision/main?blobs=true",
        "/api/models/{}/tree/main?recursive=true",
        "/{}/resolve/main/config.json",
    ):
        answer = ask(hub + path.format("org/name"))
        assert (answer.status, answer.headers["location"]) == (307, path.format("new/place"))
        assert ask(hub + path.format("new/place")).status in {200, 307}
    repo.private = True
    assert ask(f"{hub}/api/models/org/name").status == 401


def test_the_next_page_is_an_absolute_url(loopback_hub: LoopbackHub, repo: Repo) -> None:
    del repo
    loopback_hub.manners = Manners(page=3)
    url = f"{loopback_hub.endpoint}/api/models/org/name/tree/main?recursive=true&expand=false"
    first = ask(url)
    following = re.fullmatch(r'<(.+)>; rel="next"', first.headers["link"])
    assert following is not None
    assert following[1].startswith(f"{loopback_hub.endpoint}/api/models/org/name/tree/main?recursive=true&")
    second = ask(following[1])
    assert "link" not in second.headers
    assert len(json.loads(first.body)) + len(json.loads(second.body)) == 4


def test_paths_info_takes_json_as_well_as_a_form(loopback_hub: LoopbackHub, repo: Repo) -> None:
    del repo
    url = f"{loopback_hub.endpoint}/api/models/org/name/paths-info/main"
    as_json = json.dumps({"paths": ["config.json", "none"], "expand": True}).encode()
    told = ask(url, "POST", as_json, Content_Type="application/json")
    assert [entry["path"] for entry in json.loads(told.body)] == ["config.json"]
    assert "lastCommit" in json.loads(told.body)[0]
    form = b"paths=config.json&paths=empty.bin&expand=False"
    told = ask(url, "POST", form, Content_Type="application/x-www-form-urlencoded")
    assert [entry["path"] for entry in json.loads(told.body)] == ["config.json", "empty.bin"]


def test_quotas_are_told_before_they_are_used_up(loopback_hub: LoopbackHub, repo: Repo) -> None:
    del repo
    loopback_hub.limit("api", quota=2, window_s=300)
    loopback_hub.limit("resolvers", quota=1, window_s=300)
    url = f"{loopback_hub.endpoint}/api/models/org/name"
    told = [ask(url) for _ in range(3)]
    assert [answer.status for answer in told] == [200, 200, 429]
    assert told[0].headers["ratelimit"] == '"api";r=1;t=300'
    assert told[0].headers["ratelimit-policy"] == '"fixed window";"api";q=2;w=300'
    assert told[2].headers["ratelimit"].startswith('"api";r=0;t=')
    assert int(told[2].headers["retry-after"]) > 0
    files = [_resolve(loopback_hub, "config.json") for _ in range(2)]
    assert [answer.status for answer in files] == [307, 429]


def test_xet_is_announced_on_request_only(loopback_hub: LoopbackHub, repo: Repo) -> None:
    loopback_hub.manners = Manners(xet=True)
    answer = _resolve(loopback_hub, "model.safetensors", method="HEAD")
    assert answer.headers["x-xet-hash"] == lfs(WEIGHTS).xet_hash
    commit = repo.refs["refs/heads/main"]
    route = f"{loopback_hub.endpoint}/api/models/org/name/xet-read-token/{commit}"
    assert answer.headers["link"] == f'<{route}>; rel="xet-auth"'
    assert ask(route).headers["x-xet-access-token"]
    assert "x-xet-hash" not in _resolve(loopback_hub, "config.json").headers


def test_a_sloppy_mirror(loopback_hub: LoopbackHub, repo: Repo) -> None:
    del repo
    loopback_hub.sloppy()
    answer = ask(f"{loopback_hub.endpoint}/org/name/resolve/main/model.safetensors", Range="bytes=5-")
    assert (answer.status, answer.body) == (200, WEIGHTS)
    assert answer.headers["etag"] == lfs(WEIGHTS).sha256
    assert not {"x-linked-etag", "x-linked-size", "accept-ranges"} & set(answer.headers)
    missing = _resolve(loopback_hub, "missing.json")
    assert missing.status == 404
    assert "x-error-code" not in missing.headers
    info = json.loads(ask(f"{loopback_hub.endpoint}/api/models/org/name?blobs=true").body)
    assert info["siblings"][0] == {"rfilename": "config.json"}
    loopback_hub.sloppy(ranges=True)
    partial = ask(f"{loopback_hub.endpoint}/org/name/resolve/main/model.safetensors", Range="bytes=5-")
    assert (partial.status, partial.body) == (206, WEIGHTS[5:])


def test_a_wrong_etag(loopback_hub: LoopbackHub, repo: Repo) -> None:
    del repo
    loopback_hub.fault("resolve/main/config.json", WrongEtag(etag="f" * 40))
    assert _resolve(loopback_hub, "config.json").headers["x-linked-etag"] == f'"{"f" * 40}"'
    assert _resolve(loopback_hub, "config.json").headers["x-linked-etag"] == f'"{plain(TEXT).oid}"'


def test_a_repo_without_commits_has_no_revision(loopback_hub: LoopbackHub) -> None:
    loopback_hub.repo("org/bare")
    answer = ask(f"{loopback_hub.endpoint}/api/models/org/bare")
    assert (answer.status, answer.headers["x-error-code"]) == (404, "RevisionNotFound")
