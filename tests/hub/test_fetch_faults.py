"""Nothing wrong gets a name, what broke is continued, and patience ends."""

import dataclasses
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate

import pytest

from mlxlock.errors import HubError, HubUnreachableError, MismatchError, RateLimitedError
from mlxlock.errors import RevisionNotFoundError as NoRevisionError
from mlxlock.hub import fetch
from mlxlock.hub.client import HubSource
from mlxlock.hub.endpoint import Endpoint
from mlxlock.hub.fetch import Fetcher
from mlxlock.hub.transport import CHUNK_BYTES
from mlxlock.ports import Advanced, Blob, Deposit, OnEvent, ignore
from mlxlock.spec.names import CommitHash, RepoPath
from mlxlock.spec.resolution import FileEntry, RemoteFile
from mlxlock.store import DirectoryStore
from tests.hub.support import Heard, Pauses, contents, downloads, remotes, source_for, wanted
from tests.testhub import (
    Corrupt,
    Drop,
    Expired,
    Fault,
    Hang,
    LoopbackHub,
    NoRange,
    Pattern,
    Short,
    Slow,
    Status,
    Truncate,
    WrongEtag,
)

SIZE = 3 * CHUNK_BYTES + 77
WEIGHTS = Pattern(size=SIZE)
PLACES = pytest.mark.parametrize("path", ["w.safetensors", "config.json"], ids=["lfs", "git"])


def offered(hub: LoopbackHub, *paths: str, size: int = SIZE) -> tuple[RemoteFile, ...]:
    """Files of one repo, resolved; `.json` below 10 MB is a git file."""
    hub.repo("org/m").commit({path: Pattern(size=size, seed=n) for n, path in enumerate(paths)})
    files = remotes(source_for(hub).resolve(wanted("org/m")))
    hub.forget_requests()
    return files


def ranges(hub: LoopbackHub) -> list[str | None]:
    """The `Range` of every request that was answered with bytes."""
    return [request.range for request in downloads(hub)]


def arrived(store: DirectoryStore, files: tuple[RemoteFile, ...]) -> bool:
    return all(store.find(remote.file) is not None for remote in files)


def nothing_has_a_name(store: DirectoryStore) -> bool:
    return not [path for path in (store.root / "blobs").rglob("*") if path.is_file()]


# --- wrong bytes --------------------------------------------------------------------------------------------


@PLACES
@pytest.mark.parametrize("offset", [0, SIZE - 1])
def test_one_flipped_bit_is_found(
    loopback_hub: LoopbackHub, store: DirectoryStore, path: str, offset: int
) -> None:
    files = offered(loopback_hub, path)
    loopback_hub.fault(path, Corrupt(offset=offset), times=None)
    with pytest.raises(MismatchError, match=path):
        source_for(loopback_hub).fetch(files, store)
    assert nothing_has_a_name(store)
    assert len(downloads(loopback_hub)) == 1, "wrong bytes are an error, not a reason to try again"


@PLACES
def test_a_body_that_is_short_and_says_so_is_found_before_it_is_read(
    loopback_hub: LoopbackHub, store: DirectoryStore, path: str
) -> None:
    files = offered(loopback_hub, path)
    loopback_hub.fault(path, Short(by=7), times=None)
    heard = Heard()
    with pytest.raises(MismatchError, match="another size") as caught:
        source_for(loopback_hub).fetch(files, store, heard)
    assert f"expected {SIZE} bytes" in caught.value.details
    assert heard.bytes_advanced == 0


def test_a_range_too_far_to_be_a_number_is_one_more_wrong_range(
    loopback_hub: LoopbackHub, store: DirectoryStore
) -> None:
    files = offered(loopback_hub, "config.json")
    headers = {"Content-Range": f"bytes {'9' * 5000}-1/{SIZE}"}
    loopback_hub.fault("/resolve/", Status(code=206, headers=headers, body=b"x"), times=None)
    with pytest.raises(HubError, match="another range"):
        source_for(loopback_hub).fetch(files, store)


@PLACES
def test_another_etag_is_found_before_a_byte_is_read(
    loopback_hub: LoopbackHub, store: DirectoryStore, path: str
) -> None:
    files = offered(loopback_hub, path)
    loopback_hub.fault("/resolve/", WrongEtag(etag="f" * 64), times=None)
    with pytest.raises(MismatchError, match="announces another file"):
        source_for(loopback_hub).fetch(files, store)
    assert downloads(loopback_hub) == []


def test_an_etag_that_only_the_cdn_says_means_nothing(
    loopback_hub: LoopbackHub, store: DirectoryStore
) -> None:
    files = offered(loopback_hub, "w.safetensors")
    loopback_hub.fault("w.safetensors", WrongEtag(etag="e" * 64), server="cdn", times=None)
    source_for(loopback_hub).fetch(files, store)
    assert arrived(store, files)


@pytest.mark.parametrize("etag", ['W/"5f3-1a2b"', "5f3-1a2b", '"d41d8cd98f00b204e9800998ecf8427e"'])
def test_an_etag_that_is_no_hubs_leaves_it_to_the_bytes(
    loopback_hub: LoopbackHub, store: DirectoryStore, etag: str
) -> None:
    files = offered(loopback_hub, "w.safetensors")
    loopback_hub.sloppy()
    loopback_hub.fault("w.safetensors", WrongEtag(etag=etag.strip('W/"')), times=None)
    source_for(loopback_hub).fetch(files, store)
    assert arrived(store, files)


def test_another_commit_than_asked_for_is_an_error(loopback_hub: LoopbackHub, store: DirectoryStore) -> None:
    files = offered(loopback_hub, "config.json")
    answer = Status(code=200, headers={"X-Repo-Commit": "1" * 40}, body=b"x")
    loopback_hub.fault("/resolve/", answer)
    with pytest.raises(HubError, match="mixes commits"):
        source_for(loopback_hub).fetch(files, store)


def test_a_compressed_body_is_refused(loopback_hub: LoopbackHub, store: DirectoryStore) -> None:
    files = offered(loopback_hub, "config.json")
    loopback_hub.fault("/resolve/", Status(code=200, headers={"Content-Encoding": "gzip"}, body=b"x"))
    with pytest.raises(HubError, match="compresses"):
        source_for(loopback_hub).fetch(files, store)


# --- broken connections -------------------------------------------------------------------------------------


@PLACES
def test_a_cut_body_is_continued_where_it_broke(
    loopback_hub: LoopbackHub, store: DirectoryStore, path: str
) -> None:
    files = offered(loopback_hub, path)
    loopback_hub.fault("/api/resolve-cache/|/repos/", Truncate(at=2 * CHUNK_BYTES))
    heard = Heard()
    source_for(loopback_hub).fetch(files, store, heard)
    assert arrived(store, files)
    assert ranges(loopback_hub) == [None, f"bytes={2 * CHUNK_BYTES}-"]
    assert heard.bytes_advanced == SIZE


def test_a_line_that_breaks_all_the_time_gets_there(loopback_hub: LoopbackHub, store: DirectoryStore) -> None:
    files = offered(loopback_hub, "w.safetensors", size=12 * CHUNK_BYTES)
    loopback_hub.fault("w.safetensors", Truncate(at=CHUNK_BYTES), server="cdn", times=11)
    source_for(loopback_hub).fetch(files, store)
    assert arrived(store, files)
    assert len(downloads(loopback_hub)) == 12


def test_a_line_that_breaks_at_one_place_is_given_up(
    loopback_hub: LoopbackHub, store: DirectoryStore
) -> None:
    files = offered(loopback_hub, "w.safetensors")
    loopback_hub.fault("w.safetensors", Truncate(at=CHUNK_BYTES), NoRange(), server="cdn", times=None)
    heard = Heard()
    with pytest.raises(HubUnreachableError):
        source_for(loopback_hub).fetch(files, store, heard)
    assert len(downloads(loopback_hub)) == 5


def test_a_server_without_ranges_starts_over_and_counts_right(
    loopback_hub: LoopbackHub, store: DirectoryStore
) -> None:
    files = offered(loopback_hub, "w.safetensors")
    loopback_hub.sloppy()
    loopback_hub.fault("w.safetensors", Truncate(at=CHUNK_BYTES))
    heard = Heard()
    source_for(loopback_hub).fetch(files, store, heard)
    assert arrived(store, files)
    assert ranges(loopback_hub) == [None, f"bytes={CHUNK_BYTES}-"]
    assert heard.bytes_advanced == SIZE


@pytest.mark.parametrize(
    "content_range",
    ["bytes 0-99/{size}", "bytes 5-99/{size}", "items 1-2/3", ""],
    ids=["start", "other", "unit", "none"],
)
def test_a_range_that_was_not_asked_for_is_not_believed(
    loopback_hub: LoopbackHub, store: DirectoryStore, content_range: str
) -> None:
    files = offered(loopback_hub, "w.safetensors")
    loopback_hub.fault("w.safetensors", Truncate(at=CHUNK_BYTES), server="cdn")
    body = b"z" * (SIZE - CHUNK_BYTES)
    wrong = Status(code=206, headers={"Content-Range": content_range.format(size=SIZE)}, body=body)
    loopback_hub.fault("w.safetensors", wrong, server="cdn")
    heard = Heard()
    source_for(loopback_hub).fetch(files, store, heard)
    assert arrived(store, files)
    assert [request.range for request in loopback_hub.requests if request.server == "cdn"] == [
        None,
        f"bytes={CHUNK_BYTES}-",
        None,
    ]
    amounts = [event.amount for event in heard.events if isinstance(event, Advanced)]
    assert sum(amount for amount in amounts if amount > 0) == CHUNK_BYTES + SIZE, "not a byte of it was taken"
    assert sum(amounts) == SIZE


def test_a_range_of_another_file_is_a_mismatch(loopback_hub: LoopbackHub, store: DirectoryStore) -> None:
    files = offered(loopback_hub, "w.safetensors")
    loopback_hub.fault("w.safetensors", Truncate(at=CHUNK_BYTES), server="cdn")
    other = Status(code=206, headers={"Content-Range": f"bytes {CHUNK_BYTES}-{SIZE}/{SIZE + 1}"}, body=b"z")
    loopback_hub.fault("w.safetensors", other, server="cdn", times=None)
    with pytest.raises(MismatchError, match="another size"):
        source_for(loopback_hub).fetch(files, store)


def test_wrong_bytes_after_a_resume_are_fetched_once_more_from_zero(
    loopback_hub: LoopbackHub, store: DirectoryStore
) -> None:
    files = offered(loopback_hub, "w.safetensors")
    loopback_hub.fault("w.safetensors", Truncate(at=CHUNK_BYTES), server="cdn")
    loopback_hub.fault("w.safetensors", Corrupt(offset=SIZE - 1), server="cdn")
    heard = Heard()
    source_for(loopback_hub).fetch(files, store, heard)
    assert arrived(store, files)
    assert ranges(loopback_hub) == [None, f"bytes={CHUNK_BYTES}-", None]
    assert heard.bytes_advanced == SIZE


def test_wrong_bytes_after_a_resume_and_again_are_an_error(
    loopback_hub: LoopbackHub, store: DirectoryStore
) -> None:
    files = offered(loopback_hub, "w.safetensors")
    for _ in range(3):
        loopback_hub.fault("w.safetensors", Truncate(at=CHUNK_BYTES), server="cdn")
        loopback_hub.fault("w.safetensors", Corrupt(offset=SIZE - 1), server="cdn")
    with pytest.raises(MismatchError):
        source_for(loopback_hub).fetch(files, store)
    assert len(downloads(loopback_hub)) == 4
    assert nothing_has_a_name(store)


def test_a_silent_server_is_left(loopback_hub: LoopbackHub, store: DirectoryStore) -> None:
    files = offered(loopback_hub, "w.safetensors")
    loopback_hub.fault("w.safetensors", Hang(at=CHUNK_BYTES), server="cdn")
    fetcher = Fetcher(Endpoint(url=loopback_hub.endpoint), wait=Pauses(), read_s=2)
    fetcher.fetch(files, store)
    assert arrived(store, files)
    assert ranges(loopback_hub)[1] is not None


@pytest.mark.parametrize("server", ["hub", "cdn"])
@pytest.mark.parametrize("fault", [Drop(), Status(code=503), Status(code=500), Status(code=504)])
def test_a_stumble_of_hub_or_cdn_is_forgiven(
    loopback_hub: LoopbackHub, store: DirectoryStore, server: str, fault: Fault
) -> None:
    files = offered(loopback_hub, "w.safetensors")
    loopback_hub.fault("w.safetensors", fault, server="hub" if server == "hub" else "cdn", times=2)
    pauses = Pauses()
    source_for(loopback_hub, pauses=pauses).fetch(files, store)
    assert arrived(store, files)
    assert len(pauses.seconds) == 2


def test_a_rate_limit_is_waited_for_and_told(loopback_hub: LoopbackHub, store: DirectoryStore) -> None:
    files = offered(loopback_hub, "w.safetensors")
    limited = Status(code=429, headers={"RateLimit": '"resolvers";r=0;t=55'})
    loopback_hub.fault("/resolve/", limited)
    pauses, heard = Pauses(), Heard()
    source_for(loopback_hub, pauses=pauses).fetch(files, store, heard)
    assert arrived(store, files)
    assert [55 < seconds < 60 for seconds in pauses.seconds] == [True]
    assert "asks for fewer requests" in heard.notes[0]


def test_a_rate_limit_without_end_is_an_error(loopback_hub: LoopbackHub, store: DirectoryStore) -> None:
    files = offered(loopback_hub, "w.safetensors")
    loopback_hub.fault("/resolve/", Status(code=429, headers={"Retry-After": "99999"}), times=None)
    with pytest.raises(RateLimitedError):
        source_for(loopback_hub).fetch(files, store)


def test_an_expired_link_is_asked_for_again(loopback_hub: LoopbackHub, store: DirectoryStore) -> None:
    files = offered(loopback_hub, "w.safetensors")
    loopback_hub.fault("w.safetensors", Truncate(at=CHUNK_BYTES), server="cdn")
    loopback_hub.fault("w.safetensors", Expired(), server="cdn")
    source_for(loopback_hub).fetch(files, store)
    assert arrived(store, files)
    assert len([request for request in loopback_hub.requests if request.server == "hub"]) == 3


def test_links_that_are_always_expired_are_an_error(loopback_hub: LoopbackHub, store: DirectoryStore) -> None:
    files = offered(loopback_hub, "w.safetensors")
    loopback_hub.fault("w.safetensors", Expired(), server="cdn", times=None)
    with pytest.raises(HubError, match="link") as caught:
        source_for(loopback_hub).fetch(files, store)
    assert "Signature" not in f"{caught.value.reason} {caught.value.details}"


# --- the Hub says no ----------------------------------------------------------------------------------------


def test_a_commit_that_vanished_is_named(loopback_hub: LoopbackHub, store: DirectoryStore) -> None:
    files = offered(loopback_hub, "w.safetensors")
    gone = [dataclasses.replace(remote, commit=CommitHash("e" * 40)) for remote in files]
    with pytest.raises(NoRevisionError, match="e" * 40):
        source_for(loopback_hub).fetch(gone, store)


@pytest.mark.parametrize("codes", [True, False])
def test_a_file_that_vanished_is_named(
    loopback_hub: LoopbackHub, store: DirectoryStore, *, codes: bool
) -> None:
    (remote,) = offered(loopback_hub, "w.safetensors")
    loopback_hub.manners = dataclasses.replace(loopback_hub.manners, error_codes=codes)
    gone = dataclasses.replace(remote.file, path=RepoPath("gone.safetensors"))
    with pytest.raises(HubError, match=r"gone\.safetensors"):
        source_for(loopback_hub).fetch([dataclasses.replace(remote, file=gone)], store)


@pytest.mark.parametrize(
    "location", ["/a", "file:///etc/passwd", "http:///nowhere", "gopher://a/b", "http://["]
)
def test_a_redirect_to_nowhere_is_an_error(
    loopback_hub: LoopbackHub, store: DirectoryStore, location: str
) -> None:
    files = offered(loopback_hub, "w.safetensors")
    loopback_hub.fault("", Status(code=302, headers={"Location": location}), times=None)
    with pytest.raises(HubError, match="redirects"):
        source_for(loopback_hub).fetch(files, store)
    assert len(loopback_hub.requests) <= 8


def test_nobody_listening_is_unreachable(loopback_hub: LoopbackHub, store: DirectoryStore) -> None:
    files = offered(loopback_hub, "w.safetensors")
    source = HubSource(Endpoint(url="http://127.0.0.1:9"), wait=Pauses())
    with pytest.raises(HubUnreachableError, match=r"127\.0\.0\.1:9"):
        source.fetch(files, store)


# --- together -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("silent_at", "farewell_s"), [(9, 180), (None, 2)], ids=["in-the-body", "before-the-answer"]
)
def test_the_first_error_ends_the_others_soon_and_keeps_what_came(
    loopback_hub: LoopbackHub,
    store: DirectoryStore,
    monkeypatch: pytest.MonkeyPatch,
    silent_at: int | None,
    farewell_s: float,
) -> None:
    monkeypatch.setattr(fetch, "_FAREWELL_S", farewell_s)  # shared by three: who waits for one, waits long
    files = offered(loopback_hub, "a.bin", "b.bin", "c.bin", "d.bin", "z.bin")
    loopback_hub.fault("a.bin", Hang(at=CHUNK_BYTES + 9), server="cdn")
    let_go = threading.Event()
    loopback_hub.fault("b.bin", Hang(at=silent_at, until=let_go), server="cdn")
    loopback_hub.fault("c.bin", Corrupt(), Slow(delay_s=0.3), server="cdn")
    fetcher = Fetcher(Endpoint(url=loopback_hub.endpoint), jobs=3, wait=Pauses(), read_s=90)
    started = time.monotonic()
    with pytest.raises(MismatchError) as caught:
        fetcher.fetch(files, store)
    assert time.monotonic() - started < 45, "nobody waits until a and b are given up"
    assert caught.value.details[-1].startswith("0 of 5 files were fetched")
    assert not any("z.bin" in request.path for request in loopback_hub.requests)
    loopback_hub.clear_faults()
    let_go.set()
    source_for(loopback_hub).fetch(files, store)
    assert len(contents(store, files)) == 5


class Counted:
    """A store that remembers when its deposits were opened and left."""

    def __init__(self, inner: DirectoryStore) -> None:
        self.inner = inner
        self.changes: list[int] = []

    def find(self, file: FileEntry) -> Blob | None:
        return self.inner.find(file)

    def adopt(self, files: Sequence[RemoteFile], on_event: OnEvent = ignore) -> tuple[RemoteFile, ...]:
        return self.inner.adopt(files, on_event)

    @contextmanager
    def deposit(self, file: FileEntry) -> Iterator[Deposit]:
        self.changes.append(1)
        with self.inner.deposit(file) as deposit:
            yield deposit
        self.changes.append(-1)


def test_no_more_than_jobs_files_at_a_time(loopback_hub: LoopbackHub, store: DirectoryStore) -> None:
    files = offered(loopback_hub, *[f"{n}.bin" for n in range(6)], size=1000)
    loopback_hub.fault(".bin", Slow(delay_s=0.1), server="cdn", times=None)
    counted = Counted(store)
    source_for(loopback_hub, jobs=2).fetch(files, counted)
    assert max(accumulate(counted.changes)) == 2
