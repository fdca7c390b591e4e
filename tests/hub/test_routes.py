"""Which paths are reads of the Hub."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlxlock.hub.ranges import UnsatisfiableError, wanted_part
from mlxlock.hub.routes import Asked, location, parse


def brief(asked: Asked | None) -> tuple[str, str, str, str, str] | None:
    if asked is None:
        return None
    return asked.verb, asked.repo_type, asked.repo, asked.revision, asked.path


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/api/models/org/model", ("info", "model", "org/model", "main", "")),
        ("/api/models/gpt2", ("info", "model", "gpt2", "main", "")),
        ("/api/models/gpt2?blobs=true", ("info", "model", "gpt2", "main", "")),
        ("/api/datasets/org/data/revision/refs%2Fpr%2F1", ("info", "dataset", "org/data", "refs/pr/1", "")),
        ("/api/models/gpt2/revision/v1.0", ("info", "model", "gpt2", "v1.0", "")),
        ("/api/models/gpt2/tree/main", ("tree", "model", "gpt2", "main", "")),
        ("/api/spaces/org/app/tree/main/a%2Fb", ("tree", "space", "org/app", "main", "a/b")),
        ("/api/spaces/org/app/tree/main/a/b", ("tree", "space", "org/app", "main", "a/b")),
        ("/api/models/org/model/refs", ("refs", "model", "org/model", "main", "")),
        ("/org/model/resolve/main/a/b.json", ("resolve", "model", "org/model", "main", "a/b.json")),
        ("/gpt2/resolve/main/a%20b", ("resolve", "model", "gpt2", "main", "a b")),
        ("/datasets/squad/resolve/refs%2Fpr%2F1/x", ("resolve", "dataset", "squad", "refs/pr/1", "x")),
        (
            "/datasets/org/data/resolve/main/resolve/x",
            ("resolve", "dataset", "org/data", "main", "resolve/x"),
        ),
    ],
)
def test_reads(target: str, expected: tuple[str, str, str, str, str]) -> None:
    assert brief(parse("GET", target)) == brief(parse("HEAD", target)) == expected
    assert parse("POST", target) is None
    assert parse("DELETE", target) is None


def test_paths_info_is_a_read_by_post() -> None:
    target = "/api/models/org/model/paths-info/main"
    assert brief(parse("POST", target)) == ("paths-info", "model", "org/model", "main", "")
    assert parse("GET", target) is None


@pytest.mark.parametrize(
    "target",
    [
        "",
        "/",
        "api/models/org/model",
        "http://huggingface.co/api/models/org/model",
        "/api/models",
        "/api/models/",
        "/api/models/org/model/tree",
        "/api/models/org/model/revision",
        "/api/models/org/model/revision/main/more",
        "/api/models/org/model/refs/main",
        "/api/models/org/model/commits/main",
        "/api/models/a--b/c",
        "/api/models/../x",
        "/api/kernels/org/kernel",
        "/api/whoami-v2",
        "/org/model/raw/main/x",
        "/org/model/resolve/main",
        "/org/model/resolve/main/",
        "/a/b/c/resolve/main/x",
        "/org/model/resolve/main/x?" + "&".join(f"a{n}=1" for n in range(2000)),
    ],
)
def test_everything_else_is_none(target: str) -> None:
    assert parse("GET", target) is None


@given(st.sampled_from(["GET", "HEAD", "POST"]), st.text(max_size=60))
def test_no_text_breaks_the_grammar(method: str, rest: str) -> None:
    for start in ("", "/", "/api/models/", "/org/model/resolve/", "/api/models/org/model/tree/main/"):
        parse(method, start + rest)
        shown = location(start + rest)
        assert shown.isascii()
        assert shown.isprintable()
        assert "?" not in shown


@pytest.mark.parametrize(
    ("header", "size", "expected"),
    [
        (None, 10, None),
        ("bytes=0-", 10, None),
        ("bytes=4-", 10, None),
        ("bytes=3-5", 10, (3, 6)),
        ("bytes= 3 - 5", 10, (3, 6)),
        ("bytes=-3", 10, (7, 10)),
        ("bytes=9-9999999999999999999", 10, (9, 10)),
        ("bytes=0-0", 0, None),
        ("bytes=", 10, None),
        ("bytes=1-2,4-5", 10, None),
        ("bytes=\u0663-\u0665", 10, None),
        ("bytes=" + "9" * 30 + "-", 10, None),
    ],
)
def test_parts(header: str | None, size: int, expected: tuple[int, int] | None) -> None:
    assert wanted_part(header, size) == expected


@pytest.mark.parametrize("header", ["bytes=10-11", "bytes=-0"])
def test_parts_behind_the_end(header: str) -> None:
    with pytest.raises(UnsatisfiableError):
        wanted_part(header, 10)
