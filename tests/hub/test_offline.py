"""Offline, what the store has is enough, and what it lacks is named."""

import pytest

from mlxlock.errors import OfflineMissingError
from mlxlock.hub.offline import OfflineSource
from mlxlock.store import DirectoryStore
from tests.hub.support import remotes, source_for, wanted
from tests.testhub import LoopbackHub


def test_resolving_is_refused() -> None:
    with pytest.raises(OfflineMissingError, match="--offline"):
        OfflineSource("--offline").resolve(wanted("org/m"))


def test_a_full_store_needs_nobody(loopback_hub: LoopbackHub, store: DirectoryStore) -> None:
    loopback_hub.repo("org/m").commit({"a.json": b"{}", "b.json": b"[]"})
    source = source_for(loopback_hub)
    files = remotes(source.resolve(wanted("org/m")))
    source.fetch(files, store)
    loopback_hub.forget_requests()
    OfflineSource("--offline").fetch(files, store)
    assert loopback_hub.requests == ()


def test_every_missing_file_is_named(loopback_hub: LoopbackHub, store: DirectoryStore) -> None:
    loopback_hub.repo("org/m").commit({"a.json": b"{}", "b.json": b"[]", "c.json": b"1"})
    source = source_for(loopback_hub)
    files = remotes(source.resolve(wanted("org/m")))
    source.fetch(files[:1], store)
    with pytest.raises(OfflineMissingError, match="2 of 3") as caught:
        OfflineSource("HF_HUB_OFFLINE").fetch(files, store)
    assert [line.rpartition(" ")[2] for line in caught.value.details] == ["b.json", "c.json"]
