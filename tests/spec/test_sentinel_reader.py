"""Sentinels of any program: ours, mlx-knife's, and what is none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlxlock.spec.names import CommitHash, RepoId
from mlxlock.spec.sentinel import Sentinel
from mlxlock.spec.sentinel_reader import MAX_BYTES, SeenSentinel, parse_sentinel

COMMIT = CommitHash("d149729398750b98c0af14eb82c78cfe92750796")


def test_ours_says_everything() -> None:
    ours = Sentinel(
        source_repo=RepoId("org/m"),
        source_revision=COMMIT,
        operation="clone",
        content_hash=f"sha256:{'a' * 64}",
    )
    now = "2026-02-08T10:30:00Z"
    seen = parse_sentinel(json.dumps(ours.written(version="1", now=now)).encode())
    assert seen == SeenSentinel(
        source="org/m",
        repo=RepoId("org/m"),
        revision=COMMIT,
        operation="clone",
        created_at=now,
        version="1",
        managed=True,
        content_hash=f"sha256:{'a' * 64}",
        hash_algorithm="sha256-lines-1",
    )


def test_the_peers_null_revision_and_local_source_are_no_errors() -> None:
    seen = parse_sentinel(
        b'{"mlxk_version": "2.0.8", "source_repo": "/Users/a/m", "source_revision": null, "managed": true,'
        b' "operation": "convert", "hash_algorithm": "v2", "content_hash": "sha256:00"}'
    )
    assert (seen.source, seen.repo, seen.revision) == ("/Users/a/m", None, None)
    assert (seen.operation, seen.hash_algorithm, seen.managed) == ("convert", "v2", True)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 200_000, "nested too deeply"),
        (b"1" * 5000, "not JSON"),
        (b" " * (MAX_BYTES + 1), "too large"),
    ],
)
def test_what_is_no_sentinel_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_sentinel(data)


@pytest.mark.parametrize("value", [1, [], {}, "", "a\x1b[2Jb", True])
def test_a_value_of_the_wrong_kind_is_not_said(value: object) -> None:
    names = ("source_repo", "source_revision", "operation", "created_at", "mlxk_version", "content_hash")
    document = dict.fromkeys((*names, "hash_algorithm"), value)
    assert parse_sentinel(json.dumps(document).encode()) == SeenSentinel()


@given(
    st.binary(max_size=200) | st.text(max_size=100).map(lambda text: json.dumps({"operation": text}).encode())
)
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    try:
        parse_sentinel(data)
    except ValueError:
        return
