"""Locked URLs come back: whole, compared, resumed where they broke off, and never more than once."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from mlxlock.errors import DownloadError, MismatchError
from mlxlock.hub.web import HttpWeb
from mlxlock.spec.digest import Blake3, Sha256
from mlxlock.spec.effects import Download
from mlxlock.spec.names import RepoPath
from mlxlock.spec.urls import Url
from mlxlock.store import DirectoryStore
from tests.hub.support import Heard, Pauses
from tests.standins import Page, StandIns

URL = "https://files.example/data.bin"
DATA = bytes(range(256)) * 20_000
RANGES = {"Accept-Ranges": "bytes"}


@pytest.fixture
def standins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIns]:
    (tmp_path / "standins").mkdir()
    with StandIns(tmp_path / "standins", {URL: Page(body=DATA, headers=RANGES)}) as standins:
        for name, value in standins.environment.items():
            monkeypatch.setenv(name, value)
        yield standins


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


def locked(data: bytes = DATA, url: str = URL) -> Download:
    return Download(
        url=Url(url),
        size_bytes=len(data),
        sha256=Sha256(hashlib.sha256(data).hexdigest()),
        blake3=Blake3(blake3(data).hexdigest()),
        path=RepoPath("data.bin"),
    )


def fetch(store: DirectoryStore, *downloads: Download, heard: Heard | None = None) -> None:
    HttpWeb(wait=Pauses()).fetch(downloads, store, heard or Heard())


def content(store: DirectoryStore, download: Download) -> bytes | None:
    blob = store.find(download.file)
    return blob.path.read_bytes() if blob else None


def test_it_comes_once(standins: StandIns, store: DirectoryStore) -> None:
    heard = Heard()
    fetch(store, locked(), heard=heard)
    assert content(store, locked()) == DATA
    assert (heard.bytes_advanced, heard.finished) == (len(DATA), 1)
    fetch(store, locked())
    assert standins.urls() == [URL]
    assert "Authorization" not in standins.asked[0].headers


def test_what_broke_off_is_resumed(standins: StandIns, store: DirectoryStore) -> None:
    standins.pages[URL] = Page(body=DATA, headers=RANGES, cut=2_000_000)
    heard = Heard()
    fetch(store, locked(), heard=heard)
    assert content(store, locked()) == DATA
    ranges = [asked.headers.get("Range") for asked in standins.asked]
    assert ranges == [None, "bytes=2000000-", "bytes=4000000-"]
    assert heard.bytes_advanced == len(DATA)


def test_a_server_without_ranges_begins_again(standins: StandIns, store: DirectoryStore) -> None:
    with store.deposit(locked().file) as deposit:
        deposit.write(DATA[:1000])
    standins.pages[URL] = Page(body=DATA)
    heard = Heard()
    fetch(store, locked(), heard=heard)
    assert content(store, locked()) == DATA
    assert heard.bytes_advanced == len(DATA)
    assert len(standins.asked) == 1


def test_bytes_of_another_file_that_were_left_get_one_more_try(
    standins: StandIns, store: DirectoryStore
) -> None:
    with store.deposit(locked().file) as deposit:
        deposit.write(b"not these")
    fetch(store, locked())
    assert content(store, locked()) == DATA
    assert len(standins.asked) == 2


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (Page(body=DATA[:-1] + b"!"), "not those that were promised"),
        (Page(body=DATA + b"!"), "not the file that was locked"),
        (Page(body=DATA + b"!", framed=False), "not those that were promised"),
    ],
)
def test_another_file_gets_no_name(
    standins: StandIns, store: DirectoryStore, page: Page, reason: str
) -> None:
    standins.pages[URL] = page
    with pytest.raises(MismatchError, match=reason):
        fetch(store, locked())
    assert content(store, locked()) is None


def test_what_is_gone_is_told_by_its_url(standins: StandIns, store: DirectoryStore) -> None:
    with pytest.raises(DownloadError, match=r"`https://files.example/gone` answers 404") as caught:
        fetch(store, locked(url="https://files.example/gone"))
    assert "mlxk lock --upgrade" in (caught.value.hint or "")
    assert len(standins.asked) == 1


def test_a_server_that_stumbles_is_asked_again_and_then_told(
    standins: StandIns, store: DirectoryStore
) -> None:
    standins.pages[URL] = Page(status=503)
    with pytest.raises(DownloadError, match=r"cannot be fetched: .* answers 503"):
        fetch(store, locked())
    assert len(standins.asked) == 5


def test_a_short_body_of_unknown_length_is_not_the_end(standins: StandIns, store: DirectoryStore) -> None:
    standins.pages[URL] = Page(body=DATA, headers=RANGES, framed=False, cut=3_000_000)
    fetch(store, locked())
    assert content(store, locked()) == DATA


def test_redirects_are_followed(standins: StandIns, store: DirectoryStore) -> None:
    standins.pages["https://files.example/short"] = Page(status=302, headers={"Location": URL})
    fetch(store, locked(url="https://files.example/short"))
    assert content(store, locked()) == DATA
