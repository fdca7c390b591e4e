"""The listeners: faults of the transport, keep-alive, and an end that leaves nothing behind."""

import http.client
import socket
import ssl
import threading
import time
from urllib.parse import urlsplit

import pytest

from tests.certificates import Authority
from tests.testhub import Drop, Hang, Held, LoopbackHub, Slow, Status, Truncate, lfs
from tests.testhub.wire import ask

BODY = bytes(range(256)) * 400


@pytest.fixture
def url(loopback_hub: LoopbackHub) -> str:
    """The CDN's URL of a file that holds `BODY`."""
    loopback_hub.repo("org/name").commit({"model.safetensors": lfs(BODY)})
    return ask(f"{loopback_hub.endpoint}/org/name/resolve/main/model.safetensors").headers["location"]


def _connect(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)


def _target(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def test_a_connection_serves_many_requests(loopback_hub: LoopbackHub) -> None:
    loopback_hub.repo("org/name").commit({"a.txt": b"1"})
    connection = _connect(loopback_hub.endpoint)
    try:
        for path in ("/api/models/org/name", "/api/models/org/missing", "/org/name/resolve/main/a.txt"):
            connection.request("GET", path)
            sock = connection.sock
            assert connection.getresponse().read()
            assert connection.sock is sock
    finally:
        connection.close()
    assert [line.status for line in loopback_hub.requests] == [200, 401, 307]


def test_truncation_breaks_the_promise(loopback_hub: LoopbackHub, url: str) -> None:
    loopback_hub.fault("model.safetensors", Truncate(at=1000))
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(url)
    assert caught.value.partial == BODY[:1000]
    assert caught.value.expected == len(BODY) - 1000
    assert ask(url).body == BODY


def test_dropping_says_nothing(loopback_hub: LoopbackHub, url: str) -> None:
    loopback_hub.fault("model.safetensors", Drop(), times=2)
    for _ in range(2):
        with pytest.raises(http.client.RemoteDisconnected):
            ask(url)
    assert ask(url).body == BODY
    assert [line.status for line in loopback_hub.requests if line.server == "cdn"] == [0, 0, 200]


def test_slowness_is_paced(loopback_hub: LoopbackHub, url: str) -> None:
    loopback_hub.fault("model.safetensors", Slow(delay_s=0.2, bytes_per_s=500_000))
    begin = time.monotonic()
    assert ask(url).body == BODY
    assert 0.35 < time.monotonic() - begin < 30


def no_more_than_half_arrives(url: str) -> None:
    connection = _connect(url)
    try:
        connection.request("GET", _target(url))
        answer = connection.getresponse()
        assert answer.read(500) == BODY[:500]
        assert connection.sock is not None
        connection.sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            answer.read(1)
    finally:
        connection.close()


def test_a_body_is_held_until_the_test_lets_it_go(loopback_hub: LoopbackHub, url: str) -> None:
    go = threading.Event()
    loopback_hub.fault("model.safetensors", Held(at=500, until=go))
    no_more_than_half_arrives(url)
    go.set()
    loopback_hub.fault("model.safetensors", Held(at=500, until=go))
    assert ask(url).body == BODY


def test_hanging_in_the_middle_of_a_body(loopback_hub: LoopbackHub, url: str) -> None:
    loopback_hub.fault("model.safetensors", Hang(at=500))
    no_more_than_half_arrives(url)


def test_faults_are_chosen_by_server_method_and_count(loopback_hub: LoopbackHub) -> None:
    loopback_hub.repo("org/name").commit({"a.txt": b"1"})
    path = f"{loopback_hub.endpoint}/org/name/resolve/main/a.txt"
    loopback_hub.fault(r"resolve/.*\.txt", Status(code=503, body=b"busy"), method="GET", times=None)
    loopback_hub.fault("a.txt", Status(code=500), server="cdn")
    assert [ask(path, "HEAD").status, ask(path).status, ask(path).body] == [307, 503, b"busy"]
    loopback_hub.clear_faults()
    assert ask(path).status == 307


def test_closing_ends_every_thread_and_whoever_waits() -> None:
    before = threading.active_count()
    with LoopbackHub() as hub:
        hub.fault("/api", Hang())
        hub.fault("/other", Slow(delay_s=60))
        hanging, slow, idle = _connect(hub.endpoint), _connect(hub.endpoint), _connect(hub.cdn)
        hanging.request("GET", "/api/models/a/b")
        slow.request("GET", "/other")
        idle.connect()
        begin = time.monotonic()
        while len(hub.requests) < 2:
            assert time.monotonic() - begin < 20
            time.sleep(0.01)
        begin = time.monotonic()
    assert time.monotonic() - begin < 30
    assert threading.active_count() == before
    for connection in (hanging, slow, idle):
        connection.close()


def test_a_client_that_does_not_trust_the_authority(authority: Authority) -> None:
    with LoopbackHub(tls=authority.server) as hub:
        address = ("localhost", int(hub.endpoint.rpartition(":")[2]))
        with (
            socket.create_connection(address, timeout=60) as raw,
            pytest.raises(ssl.SSLCertVerificationError),
        ):
            ssl.create_default_context().wrap_socket(raw, server_hostname="localhost")
        trusting = ssl.create_default_context(cafile=str(authority.ca))
        with (
            socket.create_connection(address, timeout=60) as raw,
            trusting.wrap_socket(raw, server_hostname="localhost") as secure,
        ):
            secure.sendall(b"GET /api/whoami-v2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert secure.recv(12) == b"HTTP/1.1 401"


def _provoke_a_bug() -> None:
    with LoopbackHub() as hub:
        hub.repo("org/name").commit({"a.txt": b"1"})
        with pytest.raises(http.client.RemoteDisconnected):
            ask(f"{hub.endpoint}/api/models/org/name/tree/main?limit=many")


def test_a_bug_in_a_handler_fails_the_test_that_met_it() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        _provoke_a_bug()
