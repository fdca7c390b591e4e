"""Files that go out as they come in: early, in constant memory, and never whole before they are verified."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from mlxlock import loopback
from mlxlock.errors import MismatchError
from mlxlock.hub.flows import HELD_BYTES
from mlxlock.spec.digest import Sha256
from mlxlock.spec.names import RepoPath
from mlxlock.spec.resolution import FileEntry
from tests.hub.mirrors import TOKEN, Bench, serving_mirror
from tests.testhub import Corrupt, Hang, Held, LoopbackHub, NoRange, Pattern, Slow, Truncate
from tests.testhub.clients import Installation
from tests.testhub.content import read_all

SIZE = 5_000_000
WEIGHTS = read_all(Pattern(size=SIZE))
PATH = "/org/model/resolve/main/model.safetensors"


@pytest.fixture
def bench(loopback_hub: LoopbackHub, tmp_path: Path) -> Iterator[Bench]:
    loopback_hub.user(TOKEN)
    loopback_hub.repo("org/model").commit({"model.safetensors": Pattern(size=SIZE)})
    with serving_mirror(loopback_hub, tmp_path) as opened:
        yield opened


@contextmanager
def download(bench: Bench) -> Iterator[http.client.HTTPResponse]:
    """Ask for the weights, and give what has the status line."""
    connection = http.client.HTTPConnection("127.0.0.1", bench.port, timeout=60)
    try:
        connection.request("GET", f"{bench.mirror.prefix}{PATH}")
        yield connection.getresponse()
    finally:
        connection.close()


def taken(bench: Bench, followed: threading.Event | None = None) -> bytes:
    """All that arrives until the mirror hangs up; who waits for `followed` hears of the first byte."""
    with download(bench) as answer:
        first = answer.read(1)
        if followed is not None:
            followed.set()
        try:
            return first + answer.read()
        except http.client.IncompleteRead as cut:
            return first + cut.partial


def held() -> Held:
    """What lets the Hub go on only once a client follows, however busy the machine is."""
    return Held(at=1_500_000, until=threading.Event())


def test_bytes_go_out_while_others_come_in(loopback_hub: LoopbackHub, bench: Bench) -> None:
    loopback_hub.fault("model.safetensors", Hang(at=3_000_000), server="cdn")
    with download(bench) as answer:
        assert answer.headers["Content-Length"] == str(SIZE)
        assert answer.read(2_000_000) == WEIGHTS[:2_000_000]
        (told,) = bench.mirror.exchanges()
        assert told.denied == "it was not sent to its end"


def test_the_end_waits_for_the_verification(loopback_hub: LoopbackHub, bench: Bench) -> None:
    pause = held()
    loopback_hub.fault("model.safetensors", Corrupt(offset=SIZE - 1), pause, server="cdn", times=None)
    got = taken(bench, pause.until)
    assert got == WEIGHTS[: len(got)]
    assert 0 < len(got) <= SIZE - HELD_BYTES
    (told,) = bench.mirror.exchanges()
    assert (told.status, told.path) == (200, "model.safetensors")
    assert "not those that were promised" in str(told.denied)
    (failure,) = bench.mirror.failures()
    assert isinstance(failure, MismatchError)
    assert not list(bench.store.root.glob("blobs/*/*"))


def test_who_was_sent_wrong_bytes_cannot_complete_them(loopback_hub: LoopbackHub, bench: Bench) -> None:
    pause = held()
    loopback_hub.fault("model.safetensors", Corrupt(offset=10), pause, server="cdn")
    got = taken(bench, pause.until)
    assert got[10] != WEIGHTS[10]
    for asked in (f"bytes={len(got)}-{SIZE - 1}", f"bytes={len(got)}-", "bytes=0-9", "none"):
        assert bench.ask(PATH, Range=asked).status == 424


def test_a_fetch_that_begins_again_cuts_off_who_followed_it(loopback_hub: LoopbackHub, bench: Bench) -> None:
    pause = held()
    loopback_hub.fault("model.safetensors", Truncate(at=2_000_000), Corrupt(offset=10), pause, server="cdn")
    loopback_hub.fault("model.safetensors", NoRange(), server="cdn")
    assert len(taken(bench, pause.until)) < SIZE
    assert "begun again" in str(bench.mirror.exchanges()[-1].denied)
    assert bench.ask(PATH).status == 424


def test_a_broken_connection_to_the_hub_is_nothing_that_a_child_sees(
    loopback_hub: LoopbackHub, bench: Bench
) -> None:
    loopback_hub.fault("model.safetensors", Truncate(at=2_000_000), server="cdn")
    assert taken(bench) == WEIGHTS
    assert [exchange.denied for exchange in bench.mirror.exchanges()] == [None]


def test_bytes_of_an_earlier_run_are_never_sent_unverified(loopback_hub: LoopbackHub, bench: Bench) -> None:
    digest = Sha256(sha256(WEIGHTS).hexdigest())
    file = FileEntry(path=RepoPath("model.safetensors"), size_bytes=SIZE, sha256=digest)
    with bench.store.deposit(file) as deposit:
        deposit.write(b"!" * 2_000_000)
    assert taken(bench) == WEIGHTS
    assert [exchange.denied for exchange in bench.mirror.exchanges()] == [None]
    assert sum(request.server == "cdn" for request in loopback_hub.requests) == 2


def test_several_followers_share_one_fetch(loopback_hub: LoopbackHub, bench: Bench) -> None:
    loopback_hub.fault("model.safetensors", Truncate(at=2_000_000), server="cdn")
    got: list[bytes] = []
    threads = [threading.Thread(target=lambda: got.append(taken(bench))) for _ in range(5)]
    for thread in threads:
        thread.start()
    part = bench.ask(PATH, Range="bytes=4000000-4000009")
    for thread in threads:
        thread.join()
    assert [sha256(each).hexdigest() for each in got] == [sha256(WEIGHTS).hexdigest()] * 5
    assert (part.status, part.body) == (206, WEIGHTS[4_000_000:4_000_010])
    assert sum(request.server == "cdn" for request in loopback_hub.requests) == 2


def test_a_client_that_leaves_keeps_nobody_from_the_rest(bench: Bench) -> None:
    with download(bench) as answer:
        assert answer.read(10) == WEIGHTS[:10]
    assert taken(bench) == WEIGHTS


def test_the_end_of_a_mirror_does_not_wait_for_a_silent_hub(
    loopback_hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loopback, "_FAREWELL_S", 60.0)  # so that whoever is waited for is no mere slowness
    loopback_hub.user(TOKEN)
    loopback_hub.repo("org/model").commit({"model.safetensors": Pattern(size=SIZE)})
    loopback_hub.fault("model.safetensors", Hang(at=3_000_000), server="cdn")
    with ExitStack() as client:
        with serving_mirror(loopback_hub, tmp_path) as bench:
            answer = client.enter_context(download(bench))
            assert answer.read(2_000_000) == WEIGHTS[:2_000_000]
            began = time.monotonic()
        assert time.monotonic() - began < 30


@pytest.mark.parametrize("version", ["1.33", "2"])
def test_what_a_client_kept_of_wrong_bytes_never_becomes_a_file(
    version: str, hub_pythons: dict[str, Path], loopback_hub: LoopbackHub, bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()

    def client(endpoint: str) -> Installation:
        return Installation(python=hub_pythons[version], home=tmp_path / "home", endpoint=endpoint)

    loopback_hub.fault("model.safetensors", Corrupt(offset=10), server="cdn")
    with client(bench.endpoint).start() as running:
        running.error("hf_hub_download", repo_id="org/model", filename="model.safetensors")
    assert not list(client(bench.endpoint).cache.glob("*/snapshots/*/*"))
    with (
        serving_mirror(loopback_hub, tmp_path / "next") as repaired,
        client(repaired.endpoint).start() as running,
    ):
        got = Path(running.call("hf_hub_download", repo_id="org/model", filename="model.safetensors"))
        assert sha256(got.read_bytes()).hexdigest() == sha256(WEIGHTS).hexdigest()


def test_the_time_that_children_wait_is_counted_once_for_all(loopback_hub: LoopbackHub, bench: Bench) -> None:
    loopback_hub.fault("model.safetensors", Slow(bytes_per_s=10_000_000), server="cdn")
    assert bench.mirror.fetching_s() == 0
    begun = time.monotonic()
    threads = [threading.Thread(target=taken, args=(bench,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0.4 < bench.mirror.fetching_s() <= time.monotonic() - begun
    assert [exchange.denied for exchange in bench.mirror.exchanges()] == [None] * 3  # it has its name by now
    waited_s = bench.mirror.fetching_s()
    assert taken(bench) == WEIGHTS
    assert bench.mirror.fetching_s() == waited_s
