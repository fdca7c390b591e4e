"""What `Workspaces`, `Library` and `HubCache` promise together: whole or not there, and as it was made."""

import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from mlxlock.errors import DiskError, MismatchError
from mlxlock.ports import Blob, Building, CachedFile, LocalModel
from mlxlock.spec.digest import content_hash
from mlxlock.spec.names import CommitHash, RepoId, RepoPath
from mlxlock.spec.sentinel import SENTINEL_NAME, Sentinel
from mlxlock.spec.sentinel_reader import parse_sentinel
from mlxlock.workspace.building import DirectoryWorkspaces, stage_of
from mlxlock.workspace.hub_cache import DirectoryHubCache
from mlxlock.workspace.library import DirectoryLibrary
from tests.commands.site import contents
from tests.fakes import MemoryStore

REPO, COMMIT, OTHER = RepoId("org/m"), CommitHash("1" * 40), CommitHash("2" * 40)
FILES = {"config.json": b"{}", "sub/w.safetensors": b"w" * 5000}


class Desk:
    """A store, a place for workspaces, and the library that looks at them."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.store = MemoryStore(base / "blobs")
        self.workspaces = DirectoryWorkspaces(base / "records", version="1")
        self.library = DirectoryLibrary(
            roots=[base / "home"], caches=[base / "hub"], home=base, records=base / "records"
        )
        self.cache = DirectoryHubCache(base / "hub")

    @property
    def target(self) -> Path:
        return self.base / "home" / "m"

    def blobs(self, files: Mapping[str, bytes] = FILES) -> dict[RepoPath, Blob]:
        return {RepoPath(path): self.store.put(data) for path, data in files.items()}

    def make(self, building: Building, files: Mapping[str, bytes] = FILES) -> None:
        building.add(self.blobs(files))
        building.finish(sentinel(content_hash(dict(building.seal()))))

    def model(self) -> LocalModel:
        model = self.library.model(self.target)
        assert model is not None
        return model


def sentinel(hashed: str) -> Sentinel:
    return Sentinel(source_repo=REPO, source_revision=COMMIT, operation="clone", content_hash=hashed)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "blobs").mkdir()
    return Desk(tmp_path)


def files_of(directory: Path) -> dict[str, bytes | str]:
    return contents(directory, lambda name: name != SENTINEL_NAME)


def test_a_building_is_hidden_until_it_is_finished_and_then_whole(desk: Desk) -> None:
    with desk.workspaces.building(desk.target) as building:
        building.add(desk.blobs())
        assert building.stage.parent == desk.target.parent
        assert not desk.target.exists()
        assert desk.library.shelves()[0].models == ()
        building.finish(sentinel(content_hash(dict(building.seal()))))
        assert files_of(desk.target) == FILES
    assert sorted(path.name for path in desk.target.parent.iterdir()) == [".hf_cache", "m"]
    told = parse_sentinel((desk.target / SENTINEL_NAME).read_bytes())
    assert told.content_hash == content_hash(dict(desk.library.hashes(desk.model())))


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError])
def test_leaving_without_finish_leaves_nothing(desk: Desk, failure: type[BaseException]) -> None:
    def give_up() -> None:
        with desk.workspaces.building(desk.target) as building:
            building.add(desk.blobs())
            raise failure

    with pytest.raises(failure):
        give_up()
    assert list(desk.target.parent.iterdir()) == []


def test_what_came_to_stand_at_the_target_is_never_replaced(desk: Desk) -> None:
    with desk.workspaces.building(desk.target) as building:
        building.add(desk.blobs())
        desk.target.mkdir()
        (desk.target / "mine").write_text("mine")
        with pytest.raises(DiskError):
            building.finish(sentinel("sha256:1"))
    assert files_of(desk.target) == {"mine": b"mine"}


def test_a_blob_that_changed_is_noticed_before_anything_is_there(desk: Desk) -> None:
    blobs = desk.blobs()
    path = blobs[RepoPath("config.json")].path
    path.chmod(0o644)
    path.write_bytes(b"[]")
    careful = DirectoryWorkspaces(desk.base / "records", version="1", link_mode="copy")
    with pytest.raises(MismatchError), careful.building(desk.target) as building:
        building.add(blobs)
    assert not desk.target.exists()


def test_two_who_make_one_target_do_it_one_after_the_other(desk: Desk) -> None:
    order: list[str] = []
    inside = threading.Event()

    def second() -> None:
        inside.wait(60)
        with desk.workspaces.building(desk.target):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with desk.workspaces.building(desk.target) as building:
        inside.set()
        thread.join(0.3)
        desk.make(building)
        order.append("first")
    thread.join(60)
    assert order == ["first", "second"]
    assert files_of(desk.target) == FILES


def test_the_library_knows_what_was_made_and_what_was_changed_since(desk: Desk) -> None:
    with desk.workspaces.building(desk.target) as building:
        desk.make(building)
    assert desk.library.as_made(desk.model()) is True
    (desk.target / "config.json").write_bytes(b"[]")
    assert desk.library.as_made(desk.model()) is False
    (desk.target / "config.json").write_bytes(b"{}")
    assert desk.library.as_made(desk.model()) is True
    (desk.target / "new").write_bytes(b"")
    assert desk.library.as_made(desk.model()) is False
    (desk.target / "new").unlink()
    (desk.target / SENTINEL_NAME).unlink()
    assert desk.library.as_made(desk.model()) is None


def test_what_is_removed_is_gone_with_its_record_and_with_what_a_killed_removal_left(desk: Desk) -> None:
    with desk.workspaces.building(desk.target) as building:
        desk.make(building)
    stage_of(desk.target).mkdir()
    (stage_of(desk.target) / "left").write_text("by a killed run")
    desk.workspaces.remove(desk.target)
    assert sorted(path.name for path in desk.target.parent.iterdir()) == [".hf_cache"]
    assert not list((desk.base / "records").glob("*.index"))


def test_copied_files_are_followed_and_become_regular(desk: Desk) -> None:
    source = desk.base / "source"
    (source / "sub").mkdir(parents=True)
    (source / "real").write_bytes(b"data")
    (source / "sub" / "link").symlink_to("../real")
    with desk.workspaces.building(desk.target) as building:
        building.copy(source, [RepoPath("sub/link")])
        building.finish(sentinel("sha256:1"))
    assert files_of(desk.target) == {"sub/link": b"data"}
    assert not (desk.target / "sub" / "link").is_symlink()


def cached(desk: Desk, files: Mapping[str, bytes]) -> dict[RepoPath, CachedFile]:
    return {path: CachedFile(etag=blob.sha256, blob=blob) for path, blob in desk.blobs(files).items()}


def test_a_cache_holds_what_was_put_and_gives_up_exactly_what_is_removed(desk: Desk) -> None:
    changed = {**FILES, "config.json": b"[]"}
    assert desk.cache.put(REPO, COMMIT, cached(desk, FILES), "main")
    assert not desk.cache.put(REPO, COMMIT, cached(desk, FILES), "main")
    assert desk.cache.put(REPO, OTHER, cached(desk, changed), "refs/pr/1")
    models = {model.revision: model for model in desk.library.shelves()[-1].models}
    assert {commit: model.refs for commit, model in models.items()} == {
        COMMIT: ("main",),
        OTHER: ("refs/pr/1",),
    }
    desk.cache.remove(REPO, COMMIT)
    (left,) = desk.library.shelves()[-1].models
    assert left.revision == OTHER
    assert {
        file.path: (left.directory / file.path).read_bytes() for file in desk.library.files(left)
    } == changed
    blobs = left.directory.parent.parent / "blobs"
    assert len(list(blobs.iterdir())) == len(changed)
    desk.cache.remove(REPO, None)
    assert desk.library.shelves()[-1].models == ()
