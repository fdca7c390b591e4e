"""The sentinel says where a directory came from, in the fields and the order of its decision record."""

from dataclasses import replace

import pytest

from mlxlock.spec.names import CommitHash, RepoId
from mlxlock.spec.sentinel import HASH_EXCLUDES, SENTINEL_NAME, Sentinel, is_hashed, lasting_part

SENTINEL = Sentinel(
    source_repo=RepoId("org/name"),
    source_revision=CommitHash("a" * 40),
    operation="sync",
    content_hash="sha256:" + "b" * 64,
)


def test_every_field_is_written_in_its_order() -> None:
    written = SENTINEL.written(version="0.1.0", now="2026-01-02T03:04:05Z")
    assert written == {
        "mlxk_version": "0.1.0",
        "created_at": "2026-01-02T03:04:05Z",
        "source_repo": "org/name",
        "source_revision": "a" * 40,
        "managed": True,
        "operation": "sync",
        "content_hash": "sha256:" + "b" * 64,
        "hash_algorithm": "sha256-lines-1",
        "hash_excludes": list(HASH_EXCLUDES),
        "hash_computed_at": "2026-01-02T03:04:05Z",
    }
    assert list(written) == [
        "mlxk_version",
        "created_at",
        *SENTINEL.lasting(),
        "hash_computed_at",
    ]


def test_what_lasts_is_the_same_whenever_and_by_whomever_it_was_written() -> None:
    early = SENTINEL.written(version="0.1.0", now="2026-01-02T03:04:05Z")
    late = SENTINEL.written(version="9.0.0", now="2030-01-01T00:00:00Z")
    assert early != late
    assert lasting_part(early) == lasting_part(late) == lasting_part(SENTINEL.lasting())


def test_what_lasts_is_the_same_whether_clone_or_sync_wrote_it() -> None:
    cloned = replace(SENTINEL, operation="clone", parameters={"exclude": ["*.md"]})
    assert cloned.lasting()["parameters"] == {"exclude": ["*.md"]}
    assert lasting_part(cloned.lasting()) == lasting_part(SENTINEL.lasting())


def test_a_changed_origin_is_seen() -> None:
    moved = {**SENTINEL.written(version="0.1.0", now=""), "source_revision": "c" * 40}
    assert lasting_part(moved) != lasting_part(SENTINEL.lasting())


@pytest.mark.parametrize(
    ("path", "hashed"),
    [
        ("config.json", True),
        ("sub/model.safetensors", True),
        ("changelog", True),
        (".git", True),
        ("gitignore/x", True),
        (SENTINEL_NAME, False),
        (".hf_cache/hub/x", False),
        ("sub/.hf_cache/x", False),
        (".DS_Store", False),
        ("sub/.DS_Store", False),
        (".git/HEAD", False),
        ("a/__pycache__/b.pyc", False),
        ("train.log", False),
        ("sub/x.tmp", False),
    ],
)
def test_the_content_hash_covers_all_but_the_exclude_list(path: str, hashed: bool) -> None:
    assert is_hashed(path) is hashed


def test_the_sentinel_does_not_hash_itself() -> None:
    assert SENTINEL_NAME in HASH_EXCLUDES
