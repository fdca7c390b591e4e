"""A login goes only to the endpoint it belongs to, and no token is ever shown."""

import pytest

from mlxlock.errors import AuthError, UsageError
from mlxlock.hub.endpoint import Endpoint, endpoint_from, origin
from mlxlock.spec.digest import GitOid
from mlxlock.spec.names import CommitHash, RepoId, RepoPath
from mlxlock.spec.resolution import FileEntry, RemoteFile

LOGIN = "hf_stored"
MINE = "geheim"
COMMIT = "0123456789" * 4


def logged_in() -> str:
    return LOGIN


def never() -> str:
    raise AssertionError("the stored login is not for this endpoint")


def test_without_hf_endpoint_the_hub_is_huggingface_co_with_the_stored_login() -> None:
    endpoint = endpoint_from({}, login=logged_in)
    assert endpoint.url == "https://huggingface.co"
    assert endpoint.authorization("https://huggingface.co/api/models/a/b") == {
        "Authorization": f"Bearer {LOGIN}"
    }


@pytest.mark.parametrize("name", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
def test_a_variable_comes_before_the_stored_login(name: str) -> None:
    assert endpoint_from({name: f" {MINE}\n"}, login=never) == Endpoint(token=MINE)


def test_the_user_can_forbid_the_implicit_token() -> None:
    environ = {"HF_TOKEN": "hf_env", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}
    assert endpoint_from(environ, login=never).token is None


@pytest.mark.parametrize(
    "url", ["https://hub.example.org", "http://huggingface.co", "https://huggingface.co.evil.org"]
)
def test_another_endpoint_never_gets_a_token_of_huggingface_co(url: str) -> None:
    tokens = {"HF_TOKEN": "hf_env", "HUGGING_FACE_HUB_TOKEN": "hf_old"}
    assert endpoint_from({"HF_ENDPOINT": url, **tokens}, login=never).token is None


def test_another_endpoint_gets_the_token_that_was_given_for_it() -> None:
    environ = {"HF_ENDPOINT": "https://hub.example.org/", "MLXK_ENDPOINT_TOKEN": MINE}
    endpoint = endpoint_from(environ, login=never)
    assert endpoint == Endpoint(url="https://hub.example.org", token=MINE)


def test_huggingface_co_does_not_get_the_token_of_another_endpoint() -> None:
    assert endpoint_from({"MLXK_ENDPOINT_TOKEN": MINE}, login=logged_in).token == LOGIN


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8000/x",
        "https://localhost:8001/x",
        "https://localhost.evil.org:8000/",
        "https://127.0.0.1:8000/x",
        "https://localhost:8000@evil.org/x",
    ],
)
def test_only_the_own_origin_sees_the_token(url: str) -> None:
    endpoint = Endpoint(url="https://localhost:8000", token=MINE)
    assert endpoint.authorization(url) == {}
    assert endpoint.authorization("https://LOCALHOST:8000/other")


def test_a_url_that_another_parser_takes_for_another_servers_has_no_origin() -> None:
    with pytest.raises(ValueError, match="is not an http or https URL"):
        origin("https://evil.org\\@a.org/x")


def test_a_default_port_is_the_same_origin() -> None:
    assert origin("https://a.org/x") == origin("https://a.org:443")


def test_a_token_is_in_no_repr_and_no_error() -> None:
    endpoint = Endpoint(url="https://a.org", token=MINE)
    assert MINE not in repr(endpoint)
    with pytest.raises(AuthError) as caught:
        Endpoint(url="https://a.org", token=f"{MINE}\r\nX-Evil: 1")
    assert MINE not in f"{caught.value.reason}{caught.value.hint}{caught.value.details}"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.org",
        "a.org",
        "https://",
        "https://user:pass@a.org",
        "https://a.org?x=1",
        "https://[::1",
        "https://a.org/\x1b[2J",
    ],
)
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        endpoint_from({"HF_ENDPOINT": url}, login=never)


def test_a_password_in_the_url_is_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        endpoint_from({"HF_ENDPOINT": "https://user:geheim@a.org"}, login=never)
    assert MINE not in f"{caught.value.reason}{caught.value.hint}{caught.value.details}"


def test_paths_are_quoted_and_types_have_their_prefix() -> None:
    file = FileEntry(path=RepoPath("sub dir/ü#?.json"), size_bytes=1, git=GitOid("0" * 40))
    endpoint = Endpoint(url="https://a.org/hf")
    remote = RemoteFile(repo=RepoId("o/n"), commit=CommitHash(COMMIT), file=file, repo_type="dataset")
    expected = f"https://a.org/hf/datasets/o/n/resolve/{COMMIT}/sub%20dir/%C3%BC%23%3F.json"
    assert endpoint.file_url(remote) == expected
