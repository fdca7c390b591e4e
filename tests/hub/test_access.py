"""Who may read what, in words that say the cure; over http and https alike; and where the token goes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlxlock.errors import AuthError, GatedError, HubError, HubUnreachableError, RepoNotFoundError, UsageError
from mlxlock.errors import RevisionNotFoundError as NoRevisionError
from mlxlock.store import DirectoryStore
from tests.certificates import Authority
from tests.hub.support import contents, remotes, source_for, wanted
from tests.testhub import LoopbackHub, Status

FILES = {"config.json": b"{}", "w.safetensors": b"weights" * 999}
ADA = "hf_secret_of_ada"
WRONG = "hf_wrong"


@pytest.fixture(params=["http", "https"])
def hub(
    request: pytest.FixtureRequest, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LoopbackHub]:
    """A Hub over both schemes: huggingface_hub itself tells errors apart over https only."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    with LoopbackHub(tls=authority.server if request.param == "https" else None) as hub:
        hub.user(ADA, grants=["org/gated", "org/private"])
        hub.user("hf_bob", name="bob")
        yield hub


def test_everything_works_over_both(hub: LoopbackHub, store: DirectoryStore) -> None:
    hub.repo("org/m").commit(FILES)
    source = source_for(hub)
    files = remotes(source.resolve(wanted("org/m")))
    source.fetch(files, store)
    assert contents(store, files) == FILES


@pytest.mark.parametrize("repo", ["org/missing", "org/private"])
def test_anonymously_missing_and_private_are_one(hub: LoopbackHub, repo: str) -> None:
    hub.repo("org/private", private=True).commit(FILES)
    with pytest.raises(RepoNotFoundError, match=repo) as caught:
        source_for(hub).resolve(wanted(repo))
    assert "MLXK_ENDPOINT_TOKEN" in (caught.value.hint or "")


def test_a_missing_repo_is_missing_with_a_token_too(hub: LoopbackHub) -> None:
    with pytest.raises(RepoNotFoundError) as caught:
        source_for(hub, token=ADA).resolve(wanted("org/missing"))
    assert "TOKEN" not in (caught.value.hint or "")


def test_a_private_repo_opens_with_a_token(hub: LoopbackHub, store: DirectoryStore) -> None:
    hub.repo("org/private", private=True).commit(FILES)
    source = source_for(hub, token=ADA)
    files = remotes(source.resolve(wanted("org/private")))
    source.fetch(files, store)
    assert contents(store, files) == FILES


def test_the_token_stays_with_the_hub(hub: LoopbackHub, store: DirectoryStore) -> None:
    hub.repo("org/gated", gated=True).commit(FILES)
    source = source_for(hub, token=ADA)
    source.fetch(remotes(source.resolve(wanted("org/gated"))), store)
    seen = {(request.server, request.authorized) for request in hub.requests}
    assert seen == {("hub", True), ("cdn", False)}


def test_a_redirect_that_only_looks_like_the_hub_does_not_get_the_token(
    hub: LoopbackHub, store: DirectoryStore
) -> None:
    hub.repo("org/m").commit(FILES)
    source = source_for(hub, token=ADA)
    files = remotes(source.resolve(wanted("org/m")))
    # Python takes what stands before the `@` for a user; who connects takes it for the host.
    thief = f"{hub.cdn}\\@{hub.endpoint.partition('//')[2]}/steal"
    hub.fault("/resolve/", Status(code=302, headers={"Location": thief}), times=None)
    with pytest.raises(HubError, match="redirects"):
        source.fetch(files, store)
    assert [request for request in hub.requests if request.server == "cdn"] == []


@pytest.mark.parametrize("token", [None, "hf_bob"])
def test_a_gated_repo_resolves_but_its_files_need_its_terms(
    hub: LoopbackHub, store: DirectoryStore, token: str | None
) -> None:
    hub.repo("org/gated", gated=True).commit(FILES)
    source = source_for(hub, token=token)
    resolution = source.resolve(wanted("org/gated"))
    assert resolution.gated
    with pytest.raises(GatedError) as caught:
        source.fetch(remotes(resolution), store)
    hint = caught.value.hint or ""
    assert f"{hub.endpoint}/org/gated" in hint
    assert ("MLXK_ENDPOINT_TOKEN" in hint) == (token is None)
    assert caught.value.details == ("0 of 2 files were fetched; what has arrived is kept",)


def test_a_wrong_token_is_named_and_not_shown(hub: LoopbackHub) -> None:
    hub.repo("org/m").commit(FILES)
    with pytest.raises(AuthError, match="does not accept the token") as caught:
        source_for(hub, token=WRONG).resolve(wanted("org/m"))
    chain: BaseException | None = caught.value
    while chain is not None:
        assert WRONG not in f"{chain!r} {chain}"
        chain = chain.__cause__


@pytest.mark.parametrize("revision", ["nope", "f" * 40, "abcdef1"])
def test_a_missing_revision_is_not_a_missing_repo(hub: LoopbackHub, revision: str) -> None:
    hub.repo("org/m").commit(FILES)
    with pytest.raises(NoRevisionError, match=revision):
        source_for(hub).resolve(wanted("org/m", revision))


def test_a_mirror_that_says_only_404_is_quoted_carefully(hub: LoopbackHub) -> None:
    hub.repo("org/m").commit(FILES)
    hub.fault("/api/", Status(code=404), times=None)
    with pytest.raises(RepoNotFoundError, match="`org/m` at `main`"):
        source_for(hub).resolve(wanted("org/m"))


def test_a_disabled_repo_is_no_login_problem(hub: LoopbackHub) -> None:
    hub.repo("org/m", disabled=True).commit(FILES)
    with pytest.raises(HubError, match="disabled") as caught:
        source_for(hub).resolve(wanted("org/m"))
    assert not isinstance(caught.value, AuthError)


def test_a_forbidden_answer_is_shown_without_its_escapes(hub: LoopbackHub) -> None:
    hub.fault("/api/", Status(code=403, headers={"X-Error-Message": "no\x1b[2Jway"}), times=None)
    with pytest.raises(AuthError) as caught:
        source_for(hub, token=ADA).resolve(wanted("org/m"))
    assert caught.value.details == ("no\\x1b[2Jway",)


def test_a_next_page_elsewhere_does_not_get_the_token(hub: LoopbackHub) -> None:
    hub.repo("org/m").commit(FILES)
    hub.sloppy()
    headers = {"Link": f'<{hub.cdn}/steal>; rel="next"', "Content-Type": "application/json"}
    hub.fault("/tree/", Status(code=200, headers=headers, body=b"[]"))
    with pytest.raises(HubError):
        source_for(hub, token=ADA).resolve(wanted("org/m"))
    stolen = [request for request in hub.requests if request.path == "/steal"]
    assert [request.authorized for request in stolen] == [False]


def test_a_certificate_that_nobody_knows_is_refused_at_once(
    authority: Authority, store: DirectoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LoopbackHub(tls=authority.server) as hub:
        hub.repo("org/m").commit(FILES)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
        files = remotes(source_for(hub).resolve(wanted("org/m")))
        empty = tmp_path / "certificates"
        empty.mkdir()
        monkeypatch.delenv("SSL_CERT_FILE")
        monkeypatch.setenv("SSL_CERT_DIR", str(empty))
        with pytest.raises(HubUnreachableError, match="not trusted") as caught:
            source_for(hub).resolve(wanted("org/m"))
        assert "SSL_CERT_FILE" in (caught.value.hint or "")
        with pytest.raises(HubUnreachableError, match="not trusted"):
            source_for(hub).fetch(files, store)


@pytest.mark.parametrize("thing", ["missing", "empty"])
def test_a_certificate_file_that_is_none_is_named_at_once(
    hub: LoopbackHub, store: DirectoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, thing: str
) -> None:
    hub.repo("org/m").commit(FILES)
    files = remotes(source_for(hub).resolve(wanted("org/m")))
    authority = tmp_path / "authority.pem"
    if thing == "empty":
        authority.touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with pytest.raises(UsageError, match=r"`SSL_CERT_FILE` is `.*authority\.pem`"):
        source_for(hub).resolve(wanted("org/m"))
    with pytest.raises(UsageError, match="SSL_CERT_FILE"):
        source_for(hub).fetch(files, store)
