"""A file entry keeps apart what the Hub asserts and what we saw."""

from dataclasses import replace

import pytest

from mlxlock.spec.digest import EMPTY_BLAKE3, Blake3, GitOid, Sha256
from mlxlock.spec.names import CommitHash, RepoId, RepoPath, Revision
from mlxlock.spec.resolution import FileEntry, RemoteFile, Resolution

OID = GitOid("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")
SHA = Sha256("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
BLAKE = Blake3(EMPTY_BLAKE3)
PATH = RepoPath("config.json")
GIT = FileEntry(path=PATH, size_bytes=0, git=OID)
LFS = FileEntry(path=PATH, size_bytes=0, sha256=SHA)


def test_the_etag_is_what_the_hub_asserts() -> None:
    assert GIT.etag == OID
    assert LFS.etag == SHA
    assert GIT.with_seen(sha256=SHA, blake3=BLAKE).etag == OID


def test_a_file_of_which_nothing_is_known_has_no_etag() -> None:
    with pytest.raises(ValueError, match=r"no hash is known for 'config.json'"):
        _ = FileEntry(path=PATH, size_bytes=0).etag


@pytest.mark.parametrize("file", [GIT, LFS])
def test_what_was_seen_can_be_told_from_what_was_asserted(file: FileEntry) -> None:
    seen = file.with_seen(sha256=SHA, blake3=BLAKE)
    assert not file.seen
    assert seen.seen
    assert (seen.sha256, seen.blake3) == (SHA, BLAKE)
    assert seen.asserted() == file
    assert file.asserted() == file


def test_a_resolution_says_where_each_file_is_to_be_had() -> None:
    resolution = Resolution(
        repo=RepoId("org/data"),
        repo_type="dataset",
        revision=Revision("main"),
        commit=CommitHash("a" * 40),
        files=(GIT,),
    )
    expected = RemoteFile(repo=RepoId("org/data"), repo_type="dataset", commit=CommitHash("a" * 40), file=GIT)
    assert resolution.remote(GIT) == expected


def test_a_file_is_lacking_only_where_all_are_known_or_it_is_known_to_be_absent() -> None:
    whole = Resolution(
        repo=RepoId("org/it"), revision=Revision("main"), commit=CommitHash("a" * 40), files=(GIT,)
    )
    some = replace(whole, absent=frozenset({RepoPath("never.json")}))
    assert [whole.lacks(path) for path in ("config.json", "never.json", "other.json")] == [False, True, True]
    assert [some.lacks(path) for path in ("config.json", "never.json", "other.json")] == [False, True, False]
