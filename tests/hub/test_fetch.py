"""Files arrive once, in one request each, whole and compared; what is there already costs nothing."""

import dataclasses

import pytest

from mlxlock.hub.fetch import distinct
from mlxlock.ports import Finished, Started
from mlxlock.spec.names import RepoType
from mlxlock.store import DirectoryStore
from tests.hub.support import Heard, contents, downloads, remotes, source_for, wanted
from tests.testhub import LoopbackHub, Pattern, lfs, plain

FILES = {
    "config.json": b'{"a": 1}',
    "sub dir/w.safetensors": b"weights" * 9999,
    "sub dir/ü #%?.txt": b"odd name",
    "empty.txt": b"",
    "README.md": b"# read me\n" * 400,
}


def test_every_file_arrives_with_one_request(loopback_hub: LoopbackHub, store: DirectoryStore) -> None:
    loopback_hub.repo("org/m").commit(FILES)
    source = source_for(loopback_hub)
    files = remotes(source.resolve(wanted("org/m")))
    loopback_hub.forget_requests()
    source.fetch(files, store)
    assert contents(store, files) == FILES
    asked = sorted(request.path for request in loopback_hub.requests if "/resolve/" in request.path)
    commit = files[0].commit
    assert asked == sorted(f"/org/m/resolve/{commit}/{path}" for path, data in FILES.items() if data)
    assert len(downloads(loopback_hub)) == 4
    assert {request.method for request in loopback_hub.requests} == {"GET"}
    assert {request.headers["accept-encoding"] for request in loopback_hub.requests} == {"identity"}
    assert loopback_hub.requests[0].user_agent.startswith("mlxlock/")


@pytest.mark.parametrize("repo_type", ["dataset", "space"])
def test_datasets_and_spaces_are_fetched_too(
    loopback_hub: LoopbackHub, store: DirectoryStore, repo_type: RepoType
) -> None:
    loopback_hub.repo("org/d", repo_type=repo_type).commit(FILES)
    source = source_for(loopback_hub)
    asked = dataclasses.replace(wanted("org/d"), repo_type=repo_type)
    files = remotes(source.resolve(asked))
    source.fetch(files, store)
    assert contents(store, files) == FILES


def test_a_full_store_makes_no_request(loopback_hub: LoopbackHub, store: DirectoryStore) -> None:
    loopback_hub.repo("org/m").commit(FILES)
    source = source_for(loopback_hub)
    files = remotes(source.resolve(wanted("org/m")))
    source.fetch(files, store)
    loopback_hub.forget_requests()
    heard = Heard()
    source.fetch(files, store, heard)
    assert loopback_hub.requests == ()
    assert heard.events == []


def test_equal_bytes_are_fetched_once(loopback_hub: LoopbackHub, store: DirectoryStore) -> None:
    same = b"the same weights" * 5000
    loopback_hub.repo("org/a").commit({"1.safetensors": same, "2.safetensors": same, "c.json": b"{}"})
    loopback_hub.repo("org/b").commit({"3.safetensors": same, "c.json": b"{}"})
    source = source_for(loopback_hub)
    files = [file for repo in ("org/a", "org/b") for file in remotes(source.resolve(wanted(repo)))]
    loopback_hub.forget_requests()
    source.fetch(files, store)
    assert all(store.find(remote.file) for remote in files)
    assert len(downloads(loopback_hub)) == 2


def test_one_queue_over_all_repos_biggest_first(loopback_hub: LoopbackHub, store: DirectoryStore) -> None:
    sizes = {"org/a": [10, 3000, 70], "org/b": [200, 5]}
    for repo, lengths in sizes.items():
        loopback_hub.repo(repo).commit({f"{size}.bin": Pattern(size=size, seed=size) for size in lengths})
    source = source_for(loopback_hub, jobs=1)
    files = [file for repo in sizes for file in remotes(source.resolve(wanted(repo)))]
    heard = Heard()
    source.fetch(files, store, heard)
    assert heard.started == ["3000.bin", "200.bin", "70.bin", "10.bin", "5.bin"]
    assert (heard.finished, heard.bytes_advanced) == (5, 3285)
    assert all(isinstance(event, Started) for event in heard.events[:5]), "the whole is known from the start"
    ended = [event.task for event in heard.events if isinstance(event, Finished)]
    assert ended == [event.task for event in heard.events[:5] if isinstance(event, Started)]


def test_what_the_lock_knows_beyond_the_hub_is_compared_too(
    loopback_hub: LoopbackHub, store: DirectoryStore
) -> None:
    loopback_hub.repo("org/m").commit({"config.json": plain(b"{}")})
    source = source_for(loopback_hub)
    (remote,) = remotes(source.resolve(wanted("org/m")))
    source.fetch([remote], store)
    blob = store.find(remote.file)
    assert blob is not None
    seen = remote.file.with_seen(sha256=blob.sha256, blake3=blob.blake3)
    source.fetch([dataclasses.replace(remote, file=seen)], store)
    assert store.find(seen) == blob


def test_distinct_keeps_the_first_of_equal_files(loopback_hub: LoopbackHub) -> None:
    loopback_hub.repo("org/m").commit({"a.bin": lfs(b"x"), "b.bin": lfs(b"x"), "c.bin": lfs(b"yy")})
    files = remotes(source_for(loopback_hub).resolve(wanted("org/m")))
    assert [remote.file.path for remote in distinct(files)] == ["c.bin", "a.bin"]


def test_many_small_files_of_a_paged_tree(loopback_hub: LoopbackHub, store: DirectoryStore) -> None:
    tree = {f"d{n % 5}/f{n:02}.json": b'{"n": %d}' % n for n in range(50)}
    loopback_hub.repo("org/m").commit(tree)
    loopback_hub.manners = dataclasses.replace(loopback_hub.manners, page=10)
    loopback_hub.sloppy(ranges=True)
    source = source_for(loopback_hub, jobs=8)
    files = remotes(source.resolve(wanted("org/m")))
    source.fetch(files, store)
    assert contents(store, files) == tree


def test_a_branch_that_moves_while_fetching_changes_nothing(
    loopback_hub: LoopbackHub, store: DirectoryStore
) -> None:
    repo = loopback_hub.repo("org/m")
    repo.commit(FILES)
    source = source_for(loopback_hub)
    files = remotes(source.resolve(wanted("org/m")))
    repo.commit(dict.fromkeys(FILES, b"moved on"))
    source.fetch(files, store)
    assert contents(store, files) == FILES


def test_a_renamed_repo_is_fetched_under_its_old_name(
    loopback_hub: LoopbackHub, store: DirectoryStore
) -> None:
    loopback_hub.repo("old/m").commit(FILES)
    source = source_for(loopback_hub)
    files = remotes(source.resolve(wanted("old/m")))
    loopback_hub.rename("old/m", "new/m")
    source.fetch(files, store)
    assert contents(store, files) == FILES


def test_a_xet_announcement_is_passed_over(loopback_hub: LoopbackHub, store: DirectoryStore) -> None:
    loopback_hub.repo("org/m").commit(FILES)
    loopback_hub.manners = dataclasses.replace(loopback_hub.manners, xet=True)
    source = source_for(loopback_hub)
    files = remotes(source.resolve(wanted("org/m")))
    source.fetch(files, store)
    assert contents(store, files) == FILES
