"""What a run was refused has a name that the manifest can accept, and nothing wider than it says."""

import pytest

from mlxlock.planning.denials import accepts, allow_hosts_hint, denials
from mlxlock.spec.names import CommitHash, RepoId, RepoPath
from mlxlock.spec.record import CaptureRecord, Exchange, RunnerEnvironment

COMMIT = CommitHash("a" * 40)
LLAMA = RepoId("meta-llama/Llama-3.2-1B-Instruct")


def record(*exchanges: Exchange, reached: tuple[str, ...] = ()) -> CaptureRecord:
    return CaptureRecord(
        first_run="default",
        sandbox="full",
        environment=RunnerEnvironment(platform="linux-x86_64", python="3.12", packages={}),
        output=None,
        exchanges=exchanges,
        pins=(),
        cache=(),
        reached=reached,
    )


def exchange(status: int = 403, **told: object) -> Exchange:
    return Exchange(**{"method": "GET", "url": "/x", "status": status, **told})  # type: ignore[arg-type]


def names(*exchanges: Exchange) -> list[str]:
    return [entry.url for entry in denials(record(*exchanges), ())]


def test_a_gated_file_a_dataset_a_missing_repo_and_what_is_no_read_have_names() -> None:
    gated = exchange(repo=LLAMA, commit=COMMIT, path=RepoPath("tokenizer.json"), denied="gated")
    dataset = exchange(repo=RepoId("a/b"), repo_type="dataset", denied="gated")
    missing = exchange(404, repo=RepoId("gone/repo"))
    written = exchange(url="/api/telemetry", denied="no read")
    outside = exchange(url="https://raw.githubusercontent.com/x", denied="not allowed")
    assert names(gated, gated, dataset, missing, written, outside) == [
        "/api/telemetry",
        "hf://datasets/a/b",
        "hf://gone/repo",
        "hf://meta-llama/Llama-3.2-1B-Instruct/tokenizer.json",
        "https://raw.githubusercontent.com/x",
    ]


def test_an_answer_is_no_denial() -> None:
    absent = exchange(404, repo=LLAMA, commit=COMMIT, path=RepoPath("added_tokens.json"))
    assert names(absent, exchange(200, repo=LLAMA, commit=COMMIT), exchange(404)) == []


def test_an_address_that_was_tried_past_us_is_one() -> None:
    (found,) = denials(record(reached=("example.org:443",)), ["https://example.org/en.whl"])
    assert (found.url, found.accepted) == ("tcp://example.org:443", True)


def test_a_mere_look_up_of_a_host_that_was_asked_through_the_proxy_is_none() -> None:
    asked = exchange(200, url="https://files.example/x")
    found = denials(record(asked, reached=("files.example:None", "files.example:443", "other:None")), ())
    assert [entry.url for entry in found] == ["tcp://files.example:443", "tcp://other:None"]


def test_the_line_that_lets_a_run_ask_is_whole() -> None:
    urls = ["https://b.example:8443/x", "http://a.example/y", "hf://org/name", "tcp://c.example:443"]
    assert allow_hosts_hint(["z.example"], urls) == (
        'to let it, say `allow-hosts = ["a.example", "b.example", "z.example"]` in `[sandbox]`'
    )
    assert allow_hosts_hint([], ["hf://org/name"]) is None
    assert allow_hosts_hint(["a.example"], ["https://a.example/x"]) is None


@pytest.mark.parametrize(
    ("entry", "name", "covered"),
    [
        ("org/name", "hf://org/name", True),
        ("org/name", "hf://org/name/a/b.json", True),
        ("org/name", "hf://org/name-2/a.json", False),
        ("org/name/a.json", "hf://org/name/a.json", True),
        ("org/name/a.json", "hf://org/name/b.json", False),
        ("org/name", "hf://datasets/org/name", False),
        ("datasets/org/name", "hf://datasets/org/name/x.csv", True),
        ("t5-base", "hf://t5-base/config.json", True),
        ("https://x.org/a", "https://x.org/a", True),
        ("https://x.org/a", "https://x.org/ab", False),
        ("https://x.org/", "https://x.org/a/b", True),
        ("https://x.org", "https://x.org.evil/a", False),
        ("https://x.org/a", "tcp://x.org:443", True),
        ("https://x.org:8443/a", "tcp://x.org:8443", True),
        ("https://x.org/a", "tcp://y.org:443", False),
        ("tcp://x.org:80", "tcp://x.org:80", True),
        ("/api/telemetry", "/api/telemetry", True),
        ("/api/telemetry", "/api/other", False),
        ("x.org", "tcp://x.org:443", False),
    ],
)
def test_an_entry_covers_what_it_names_and_what_is_below(entry: str, name: str, *, covered: bool) -> None:
    assert accepts([entry], name) is covered
    assert not accepts([], name)
