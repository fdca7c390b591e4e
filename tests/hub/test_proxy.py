"""Proxies of the environment are used, and those that `NO_PROXY` names are not."""

import pytest

from mlxlock.errors import HubUnreachableError
from mlxlock.hub.client import HubSource
from mlxlock.hub.endpoint import Endpoint
from mlxlock.store import DirectoryStore
from tests.hub.support import Pauses, contents, remotes, wanted
from tests.testhub import LoopbackHub

FILES = {"config.json": b"{}", "w.safetensors": b"weights" * 99}
# Nobody but the proxy could know this name, and the suite's guard refuses to look it up.
FAR = "http://hub.example"


def test_api_and_files_go_through_the_proxy(
    loopback_hub: LoopbackHub, store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The Hub takes a request's path from an absolute URL too, which is all that an http proxy needs.
    monkeypatch.setenv("http_proxy", loopback_hub.endpoint.replace("http://", "http://ada:s%40fe@"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    loopback_hub.repo("org/m").commit(FILES)
    source = HubSource(Endpoint(url=FAR), wait=Pauses())
    files = remotes(source.resolve(wanted("org/m")))
    source.fetch(files, store)
    assert contents(store, files) == FILES
    hosts = {(request.server, request.headers["host"].partition(":")[0]) for request in loopback_hub.requests}
    assert hosts == {("hub", "hub.example"), ("cdn", "127.0.0.1")}
    for request in loopback_hub.requests:
        login = "Basic YWRhOnNAZmU=" if request.server == "hub" else None
        assert request.headers.get("proxy-authorization") == login


def test_no_proxy_for_the_hub_itself(
    loopback_hub: LoopbackHub, store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    loopback_hub.repo("org/m").commit(FILES)
    source = HubSource(Endpoint(url=loopback_hub.endpoint), wait=Pauses())
    files = remotes(source.resolve(wanted("org/m")))
    source.fetch(files, store)
    assert contents(store, files) == FILES


def test_a_dead_proxy_is_unreachable(
    loopback_hub: LoopbackHub, store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    loopback_hub.repo("org/m").commit(FILES)
    files = remotes(HubSource(Endpoint(url=loopback_hub.endpoint)).resolve(wanted("org/m")))
    monkeypatch.setenv("all_proxy", "127.0.0.1:9")
    with pytest.raises(HubUnreachableError, match="no connection"):
        HubSource(Endpoint(url=FAR), wait=Pauses()).fetch(files, store)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", ":::"])
def test_an_unknown_kind_of_proxy_is_named(
    loopback_hub: LoopbackHub, store: DirectoryStore, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    loopback_hub.repo("org/m").commit(FILES)
    files = remotes(HubSource(Endpoint(url=loopback_hub.endpoint)).resolve(wanted("org/m")))
    monkeypatch.setenv("all_proxy", proxy)
    with pytest.raises(HubUnreachableError, match="not supported"):
        HubSource(Endpoint(url=FAR), wait=Pauses()).fetch(files, store)
    with pytest.raises(HubUnreachableError, match="not supported"):
        HubSource(Endpoint(url=FAR), wait=Pauses()).resolve(wanted("org/m"))
