"""What every `BlobStore` promises: held against the fake and against the real one."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from mlxlock.errors import MismatchError
from mlxlock.ports import Advanced, Blob, BlobStore, Event, Finished, IntakeStore, Note, Started
from mlxlock.spec.digest import Sha256
from mlxlock.spec.resolution import FileEntry, RemoteFile
from mlxlock.store import DirectoryStore
from tests.fakes import MemoryStore
from tests.store_files import DATA, git_file, lfs_file, remote

MAKERS = pytest.mark.parametrize("make", [git_file, lfs_file])
Make = Callable[[bytes], FileEntry]


@dataclass(frozen=True)
class Subject:
    """A store, and a way to put something into the Hugging Face cache that it adopts from."""

    store: IntakeStore
    offer: Callable[[RemoteFile, bytes], None]


def real(directory: Path) -> Subject:
    def offer(remote_file: RemoteFile, data: bytes) -> None:
        blob = directory / "hub" / remote_file.repo.cache_folder() / "blobs" / remote_file.file.etag
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(data)

    return Subject(DirectoryStore(directory / "store", adopt_from=[directory / "hub"]), offer)


def fake(directory: Path) -> Subject:
    store = MemoryStore(directory)

    def offer(remote_file: RemoteFile, data: bytes) -> None:
        store.adoptable[remote_file.file.etag] = data

    return Subject(store, offer)


@pytest.fixture(params=[fake, real])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    made: Subject = request.param(tmp_path)
    return made


def put(store: BlobStore, file: FileEntry, data: bytes) -> Blob:
    with store.deposit(file) as deposit:
        deposit.write(data[deposit.offset :])
        return deposit.commit()


@MAKERS
def test_nothing_is_found_before_it_is_there(subject: Subject, make: Make) -> None:
    assert subject.store.find(make(DATA)) is None


@MAKERS
def test_a_blob_is_found_by_each_of_its_hashes(subject: Subject, make: Make) -> None:
    file = make(DATA)
    blob = put(subject.store, file, DATA)
    assert blob.path.read_bytes() == DATA
    assert blob.path.stat().st_mode & 0o777 == 0o444
    assert blob.blake3 == blake3(DATA).hexdigest()
    seen = file.with_seen(sha256=blob.sha256, blake3=blob.blake3)
    by_sha256 = FileEntry(path=file.path, size_bytes=file.size_bytes, sha256=blob.sha256)
    by_blake3 = FileEntry(path=file.path, size_bytes=file.size_bytes, blake3=blob.blake3)
    assert {subject.store.find(each) for each in (file, seen, by_sha256, by_blake3)} == {blob}


@MAKERS
def test_what_contradicts_the_bytes_is_not_found(subject: Subject, make: Make) -> None:
    file = make(DATA)
    blob = put(subject.store, file, DATA)
    wrong_sha256 = file.with_seen(sha256=Sha256("0" * 64), blake3=blob.blake3)
    wrong_size = FileEntry(path=file.path, size_bytes=1, sha256=blob.sha256)
    assert subject.store.find(wrong_sha256) is None
    assert subject.store.find(wrong_size) is None


@pytest.mark.parametrize("make_subject", [fake, real])
@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=5), leave=st.booleans())
def test_any_split_over_any_deposits_gives_the_same_blob(
    make_subject: Callable[[Path], Subject], data: bytes, cuts: list[int], leave: bool
) -> None:
    with TemporaryDirectory() as directory:
        store, file = make_subject(Path(directory)).store, git_file(data)
        for cut in sorted(min(cut, len(data)) for cut in cuts):
            with store.deposit(file) as deposit:
                assert not leave or deposit.offset <= cut
                deposit.write(data[deposit.offset : max(cut, deposit.offset)])
        with store.deposit(file) as deposit:
            deposit.write(memoryview(data)[deposit.offset :])
            blob = deposit.commit()
        assert (blob.size_bytes, blob.blake3) == (len(data), blake3(data).hexdigest())
        assert store.find(file) == blob


@MAKERS
def test_a_deposit_left_early_resumes_and_restart_forgets(subject: Subject, make: Make) -> None:
    with subject.store.deposit(make(DATA)) as deposit:
        assert deposit.offset == 0
        deposit.write(DATA[:100])
        assert deposit.offset == 100
    with subject.store.deposit(make(DATA)) as deposit:
        assert deposit.offset == 100
        deposit.restart()
        assert deposit.offset == 0
        deposit.write(DATA)
        assert deposit.commit().path.read_bytes() == DATA


@MAKERS
def test_what_was_written_can_be_read_while_it_is_on_its_way(subject: Subject, make: Make) -> None:
    with subject.store.deposit(make(DATA)) as deposit, deposit.path.open("rb") as reader:
        deposit.write(DATA[:100])
        assert reader.read() == DATA[:100]
        deposit.write(DATA[100:])
        deposit.verify()
        deposit.commit()
        assert reader.read() == DATA[100:]


@MAKERS
def test_verifying_says_what_committing_would(subject: Subject, make: Make) -> None:
    with subject.store.deposit(make(DATA)) as deposit:
        deposit.write(DATA[:-1] + b"!")
        with pytest.raises(MismatchError):
            deposit.verify()
        assert deposit.offset == 0


def test_an_error_in_the_body_keeps_the_bytes(subject: Subject) -> None:
    def interrupted() -> None:
        with subject.store.deposit(lfs_file(DATA)) as deposit:
            deposit.write(DATA[:50])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    with subject.store.deposit(lfs_file(DATA)) as deposit:
        assert deposit.offset == 50


@MAKERS
@pytest.mark.parametrize(
    "bad", [DATA[:-1], DATA[:-1] + b"!", DATA + b"x", b""], ids=["short", "flip", "long", "no"]
)
def test_wrong_bytes_get_no_name_and_the_next_try_starts_clean(
    subject: Subject, make: Make, bad: bytes
) -> None:
    file = make(DATA)
    with pytest.raises(MismatchError) as caught:
        put(subject.store, file, bad)
    assert f"`{file.path}`" in caught.value.reason
    assert [line.partition(":")[0] for line in caught.value.details[:2]] == ["expected", "actual"]
    assert subject.store.find(file) is None
    with subject.store.deposit(file) as deposit:
        assert deposit.offset == 0


def test_a_lock_that_lies_about_the_blake3_is_a_mismatch(subject: Subject) -> None:
    other = blake3(b"other").hexdigest()
    honest = put(subject.store, lfs_file(b"other"), b"other")
    assert honest.blake3 == other
    lying = lfs_file(DATA).with_seen(sha256=Sha256(lfs_file(DATA).sha256 or ""), blake3=honest.blake3)
    with pytest.raises(MismatchError):
        put(subject.store, lying, DATA)


@MAKERS
def test_what_is_there_has_all_its_bytes_at_once(subject: Subject, make: Make) -> None:
    blob = put(subject.store, make(DATA), DATA)
    with subject.store.deposit(make(DATA)) as deposit:
        assert deposit.offset == len(DATA)
        assert deposit.commit() == blob
    with subject.store.deposit(make(DATA)) as deposit:
        deposit.restart()
        assert deposit.offset == 0
        deposit.write(DATA)
        assert deposit.commit() == blob


@MAKERS
def test_an_empty_file_needs_no_bytes(subject: Subject, make: Make) -> None:
    with subject.store.deposit(make(b"")) as deposit:
        blob = deposit.commit()
    assert blob.path.read_bytes() == b""
    assert subject.store.find(make(b"")) == blob


def test_two_identities_of_the_same_bytes_are_one_blob(subject: Subject) -> None:
    blob = put(subject.store, lfs_file(DATA), DATA)
    assert put(subject.store, git_file(DATA), DATA) == blob
    assert subject.store.find(lfs_file(DATA)) == subject.store.find(git_file(DATA)) == blob


@MAKERS
@pytest.mark.parametrize("position", [0, len(DATA) // 2, len(DATA) - 1])
def test_a_flipped_byte_is_never_returned(subject: Subject, make: Make, position: int) -> None:
    blob = put(subject.store, make(DATA), DATA)
    time.sleep(0.02)  # so that the write has another time, by which it is told
    blob.path.chmod(0o644)
    with blob.path.open("r+b") as stream:
        stream.seek(position)
        stream.write(bytes([DATA[position] ^ 1]))
    assert subject.store.find(make(DATA)) is None
    again = put(subject.store, make(DATA), DATA)
    assert again.path.read_bytes() == DATA


@pytest.mark.parametrize("data", [DATA, b""])
def test_what_nobody_knew_gets_the_name_that_follows_from_it(subject: Subject, data: bytes) -> None:
    with subject.store.intake() as intake:
        intake.write(data[:7])
        intake.write(memoryview(data)[7:])
        blob = intake.commit()
    assert blob == subject.store.find(lfs_file(data))
    assert (blob.size_bytes, blob.blake3) == (len(data), blake3(data).hexdigest())
    assert blob.path.read_bytes() == data
    assert blob.path.stat().st_mode & 0o777 == 0o444
    assert put(subject.store, git_file(data), data) == blob


def test_what_is_left_without_commit_is_gone(subject: Subject) -> None:
    with subject.store.intake() as intake:
        intake.write(DATA)
    assert subject.store.find(lfs_file(DATA)) is None


def test_threads_deposit_the_same_blob_once(subject: Subject) -> None:
    offsets: list[int] = []
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        with subject.store.deposit(lfs_file(DATA)) as deposit:
            offsets.append(deposit.offset)
            deposit.write(DATA[deposit.offset :])
            deposit.commit()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert offsets == [0, len(DATA), len(DATA), len(DATA)]


def test_adopting_returns_what_is_still_missing_in_order_and_tells_all_bytes(subject: Subject) -> None:
    datas = [b"a" * 10, b"b" * 20, b"c" * 30, b"d" * 40]
    files = [remote(git_file(data, f"{index}.json")) for index, data in enumerate(datas)]
    put(subject.store, files[0].file, datas[0])
    for index in (1, 3):
        subject.offer(files[index], datas[index])
    events: list[Event] = []
    assert subject.store.adopt(files, events.append) == (files[2],)
    assert [subject.store.find(each.file) is not None for each in files] == [True, True, False, True]
    assert [event.total for event in events if isinstance(event, Started)] == [60]
    assert sum(event.amount for event in events if isinstance(event, Advanced)) == 60
    assert isinstance(events[-1], Finished)


def test_nothing_to_adopt_says_nothing(subject: Subject) -> None:
    events: list[Event] = []
    files = [remote(lfs_file(DATA))]
    assert subject.store.adopt(files, events.append) == tuple(files)
    assert events == []


def test_bad_bytes_are_not_adopted_and_it_is_told(subject: Subject) -> None:
    file = remote(lfs_file(DATA))
    subject.offer(file, b"X" + DATA[1:])
    events: list[Event] = []
    assert subject.store.adopt([file], events.append) == (file,)
    assert subject.store.find(file.file) is None
    (note,) = [event for event in events if isinstance(event, Note)]
    assert note.level == "warning"
    assert "model.safetensors" in note.text
