"""What a child gets from outside the Hub: nothing but reads of allowed hosts, all of it noted and hashed."""

import hashlib
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
import tracemalloc
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mlxlock.capture.egress import EgressProxy, Limits
from mlxlock.hub.offline import OfflineWeb
from mlxlock.hub.retry import Patience
from mlxlock.hub.web import HttpWeb
from mlxlock.spec.effects import Download
from mlxlock.spec.names import RepoPath
from mlxlock.spec.resolution import FileEntry
from mlxlock.store import DirectoryStore
from tests.hub.support import Heard, Pauses
from tests.standins import Page, StandIns

WHEEL = "https://files.example/en_core-1.0-py3-none-any.whl"
RELEASE = "https://git.example/releases/en_core.whl"
SIGNED = f"{WHEEL}?X-Amz-Signature=sEcReT"
GONE = "https://files.example/gone"
DATA = b"wheel" * 40_000
PAGES = {
    WHEEL: Page(body=DATA, headers={"Content-Type": "application/zip", "Set-Cookie": "a=b"}),
    SIGNED: Page(body=DATA),
    "https://files.example/unframed": Page(body=DATA, framed=False),
    "https://files.example/nothing": Page(status=204),
    "https://files.example/cut": Page(body=DATA, cut=len(DATA) // 2),
    "https://files.example/busy": Page(status=503),
    GONE: Page(status=410),
    **{f"https://files.example/{n}": Page(status=n, body=b"no") for n in (400, 401, 403, 405, 418, 451, 501)},
    "https://files.example/loop": Page(status=302, headers={"Location": "/loop"}),
    "https://files.example/elsewhere": Page(
        status=302, headers={"Location": "https://evil.example/x?sig=sEcReT"}
    ),
    RELEASE: Page(status=302, headers={"Location": SIGNED}),
    "https://evil.example/x": Page(body=b"evil"),
}
IMPATIENT = Patience(tries=2, connects=1, total_s=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A child that uses the proxy as its environment says."""

    proxy: EgressProxy
    port: int
    store: DirectoryStore
    standins: StandIns
    ca: Path
    heard: Heard

    def ask(
        self,
        url: str,
        method: str = "GET",
        *,
        login: str | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        scheme, _, rest = url.partition("://")
        host, _, path = rest.partition("/")
        told = f"Basic {b64encode((login or self.proxy.login).encode()).decode()}"
        sent = dict(headers or {})
        if scheme == "https":
            context = ssl.create_default_context(cadata=self.proxy.certificate.decode())
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=240, context=context
            )
            connection.set_tunnel(host, 443, {"Proxy-Authorization": told})
            target = f"/{path}"
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=240)
            target, sent = url, {**sent, "Proxy-Authorization": told}
        try:
            connection.request(method, target, body=body, headers=sent)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def refused(self, url: str, method: str = "GET", body: bytes | None = None) -> str:
        """Why the one request that was noted got nothing."""
        status, _, told = self.ask(url, method, body=body)
        (noted,) = self.proxy.exchanges()
        assert (noted.method, noted.url, noted.status) == (method, url, status)
        assert noted.denied is not None
        assert noted.denied in told.decode()
        assert status in {403, 502}
        assert self.proxy.bodies() == ()
        return noted.denied

    @property
    def environment(self) -> dict[str, str]:
        proxy = f"http://{self.proxy.login}@127.0.0.1:{self.port}"
        trusted = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
        proxies = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
        return {
            "PATH": os.environ["PATH"],
            **dict.fromkeys(trusted, str(self.ca)),
            **dict.fromkeys(proxies, proxy),
        }


@pytest.fixture(scope="module")
def standins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIns]:
    with StandIns(tmp_path_factory.mktemp("standins"), PAGES) as standins:
        yield standins


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
def client(
    standins: StandIns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: Limits
) -> Iterator[Client]:
    for name, value in standins.environment.items():
        monkeypatch.setenv(name, value)
    standins.asked.clear()
    store = DirectoryStore(tmp_path / "store")
    web = HttpWeb(wait=Pauses(), haste=IMPATIENT)
    hosts = ["Files.example", "git.example", "unknown.example"]
    heard = Heard()
    proxy = EgressProxy(
        web=web,
        store=store,
        allow_hosts=hosts,
        phase=lambda: "load",
        limits=limits,
        on_event=heard,
    )
    ca = tmp_path / "ca.pem"
    ca.write_bytes(proxy.certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener, proxy.serve(listener):
        port = listener.getsockname()[1]
        yield Client(proxy=proxy, port=port, store=store, standins=standins, ca=ca, heard=heard)


def test_a_refusal_names_the_whole_url_and_asks_nobody(client: Client) -> None:
    assert "`evil.example` is not in `allow-hosts`" in client.refused("https://evil.example/deep/path?q=1")
    assert client.standins.asked == []


def test_a_plain_url_is_refused_alike(client: Client) -> None:
    assert "`evil.example` is not in `allow-hosts`" in client.refused("http://evil.example/deep/path?q=1")


def test_an_allowed_file_comes_and_is_hashed_into_the_store(client: Client) -> None:
    status, headers, body = client.ask(WHEEL)
    assert (status, body) == (200, DATA)
    assert headers["content-type"] == "application/zip"
    assert "set-cookie" not in headers
    (found,) = client.proxy.bodies()
    assert (found.url, found.size_bytes, found.when) == (WHEEL, len(DATA), "load")
    assert found.sha256 == hashlib.sha256(DATA).hexdigest()
    (noted,) = client.proxy.exchanges()
    assert (noted.method, noted.url, noted.status, noted.denied) == ("GET", WHEEL, 200, None)
    assert noted.phase == "load"
    entry = FileEntry(path=RepoPath("x"), size_bytes=len(DATA), sha256=found.sha256, blake3=found.blake3)
    blob = client.store.find(entry)
    assert blob is not None
    assert blob.path.read_bytes() == DATA


def test_the_same_url_twice_is_one_body(client: Client) -> None:
    assert [client.ask(WHEEL)[0] for _ in range(2)] == [200, 200]
    assert client.heard.notes == [f"gave `{WHEEL}` to the first run"] * 2
    assert len(client.proxy.bodies()) == 1
    assert len(client.proxy.exchanges()) == 2


def test_a_head_has_the_length_and_no_bytes(client: Client) -> None:
    status, headers, body = client.ask(WHEEL, "HEAD")
    assert (status, headers["content-length"], body) == (200, str(len(DATA)), b"")
    assert client.proxy.bodies() == ()
    assert client.standins.urls("HEAD") == [WHEEL]


def locked(client: Client, url: str) -> Download:
    """What a URL gives now, as a lock would have it."""
    assert client.ask(url)[0] == 200
    (first,) = client.proxy.bodies()
    return Download(
        url=first.url,
        size_bytes=first.size_bytes,
        sha256=first.sha256,
        blake3=first.blake3,
        path=RepoPath("x"),
    )


@contextmanager
def knowing(client: Client, known: Download) -> Iterator[Client]:
    """The same client, behind a proxy with a lock, and a store that has lost all that it had."""
    shutil.rmtree(client.store.root)
    store = DirectoryStore(client.store.root)
    web = HttpWeb(wait=Pauses(), haste=IMPATIENT)
    hosts = ["files.example", "git.example"]
    proxy = EgressProxy(web=web, store=store, allow_hosts=hosts, pinned={known.url: known}.get)
    with socket.create_server(("127.0.0.1", 0)) as listener, proxy.serve(listener):
        yield replace(client, proxy=proxy, port=listener.getsockname()[1], store=store)


@pytest.mark.parametrize("url", [WHEEL, RELEASE])
@pytest.mark.parametrize("framed", [True, False])
@pytest.mark.parametrize("other", [DATA[:-1] + b"X", DATA + b"X", DATA[:-1], b"X"])
def test_bytes_that_are_not_the_locked_ones_are_never_whole_and_get_no_name(
    client: Client, monkeypatch: pytest.MonkeyPatch, url: str, other: bytes, *, framed: bool
) -> None:
    known = locked(client, url)
    with knowing(client, known) as again:
        for changed in (WHEEL, SIGNED):
            monkeypatch.setitem(client.standins.pages, changed, Page(body=other, framed=framed))
        for _ in range(2):
            with pytest.raises((http.client.IncompleteRead, ConnectionError, ssl.SSLError)):
                again.ask(url)
        assert again.proxy.bodies() == ()
        assert [path.name for path in again.store.root.rglob("*") if path.is_file()] == ["CACHEDIR.TAG"]
        assert "not the file that was locked" in (again.proxy.exchanges()[-1].denied or "")
        (failure,) = again.proxy.failures()
        assert url in failure.reason
        now = hashlib.sha256(other).hexdigest()
        assert failure.details == (f"expected: sha256:{known.sha256}", f"actual: sha256:{now}")
        assert "`mlxk lock --upgrade`" in (failure.hint or "")


def test_the_locked_bytes_are_fetched_anew_where_the_store_has_lost_them(client: Client) -> None:
    known = locked(client, WHEEL)
    with knowing(client, known) as again:
        assert again.ask(WHEEL)[::2] == (200, DATA)
        assert again.proxy.failures() == ()
        assert [body.blake3 for body in again.proxy.bodies()] == [known.blake3]
        assert again.store.find(known.file) is not None


@pytest.mark.parametrize("status", [204, 404, 410])
def test_what_is_locked_and_not_there_any_more_is_a_denial(
    client: Client, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    with knowing(client, locked(client, WHEEL)) as again:
        monkeypatch.setitem(client.standins.pages, WHEEL, Page(status=status))
        assert again.ask(WHEEL)[0] == status
        (noted,) = again.proxy.exchanges()
        assert noted.denied == f"`files.example` answers {status}, and the lock has a file that it gave"


def test_what_a_url_gave_before_it_gives_again_and_nobody_is_asked(client: Client) -> None:
    known = locked(client, WHEEL)
    asked = len(client.standins.asked)
    web = HttpWeb(wait=Pauses(), haste=IMPATIENT)
    proxy = EgressProxy(web=web, store=client.store, allow_hosts=["files.example"], pinned={WHEEL: known}.get)
    with socket.create_server(("127.0.0.1", 0)) as listener, proxy.serve(listener):
        again = replace(client, proxy=proxy, port=listener.getsockname()[1])
        assert again.ask(WHEEL)[::2] == (200, DATA)
        assert [body.blake3 for body in proxy.bodies()] == [known.blake3]
        assert len(client.standins.asked) == asked
        assert again.ask("https://files.example/unframed")[::2] == (200, DATA)
        (client.store.root / "blobs" / known.blake3[:2] / known.blake3).unlink()
        assert again.ask(WHEEL)[::2] == (200, DATA)
    assert len(client.standins.asked) == asked + 2


def test_what_has_no_body_says_so(client: Client) -> None:
    assert client.ask("https://files.example/nothing")[::2] == (204, b"")
    status, headers, body = client.ask("https://files.example/unframed", "HEAD")
    assert (status, headers.get("content-length"), body) == (200, None, b"")
    assert client.proxy.bodies() == ()


def test_offline_a_child_gets_nothing_and_it_is_noted(client: Client) -> None:
    proxy = EgressProxy(web=OfflineWeb("--offline"), store=client.store, allow_hosts=["files.example"])
    with socket.create_server(("127.0.0.1", 0)) as listener, proxy.serve(listener):
        offline = replace(client, proxy=proxy, port=listener.getsockname()[1])
        assert "`--offline`" in offline.refused(WHEEL)
    assert client.standins.asked == []


def test_redirects_are_followed_for_the_child_and_no_signature_is_kept(client: Client) -> None:
    assert client.ask(RELEASE)[::2] == (200, DATA)
    (found,) = client.proxy.bodies()
    assert found.url == RELEASE
    assert client.ask(SIGNED)[::2] == (200, DATA)
    assert [(body.url, body.signed) for body in client.proxy.bodies()] == [(RELEASE, False), (WHEEL, True)]
    assert "sEcReT" not in repr(client.proxy.exchanges())


def test_a_redirect_to_a_host_that_is_not_allowed_is_refused(client: Client) -> None:
    why = client.refused("https://files.example/elsewhere")
    assert "redirects" in why
    assert "`evil.example` is not in `allow-hosts`" in why
    assert client.standins.urls() == ["https://files.example/elsewhere"]
    assert client.proxy.exchanges()[0].led_to == "https://evil.example/"


def test_a_redirect_in_circles_ends(client: Client) -> None:
    assert "circles" in client.refused("https://files.example/loop")


def test_nothing_but_reads_leaves(client: Client) -> None:
    assert "`POST` is not a read" in client.refused(WHEEL, "POST", b"my secrets")
    assert client.standins.asked == []


@pytest.mark.parametrize(("url", "status"), [("https://files.example/none", 404), (GONE, 410)])
def test_what_a_host_says_is_not_there_is_passed_on_and_is_no_body(
    client: Client, url: str, status: int
) -> None:
    assert client.ask(url)[0] == status
    (noted,) = client.proxy.exchanges()
    assert (noted.status, noted.denied) == (status, None)
    assert client.proxy.bodies() == ()


@pytest.mark.parametrize("status", [400, 401, 403, 405, 418, 451, 501])
def test_any_other_error_of_a_host_is_a_denial(client: Client, status: int) -> None:
    url = f"https://files.example/{status}"
    assert client.ask(url)[::2] == (status, b"no")
    (noted,) = client.proxy.exchanges()
    assert (noted.url, noted.status, noted.denied) == (url, status, f"`files.example` answers {status}")
    assert client.proxy.bodies() == ()


@pytest.mark.parametrize("url", ["https://files.example/busy", "https://unknown.example/x"])
def test_a_host_that_cannot_serve_is_told(client: Client, url: str) -> None:
    assert "cannot be fetched" in client.refused(url)


def test_a_server_that_nobody_vouches_for_is_not_believed(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(client.ca))
    assert "not trusted" in client.refused(WHEEL)
    assert client.standins.asked == []


def test_a_body_of_unknown_length_comes_whole(client: Client) -> None:
    status, headers, body = client.ask("https://files.example/unframed")
    assert (status, headers["transfer-encoding"], body) == (200, "chunked", DATA)
    assert client.proxy.bodies()[0].size_bytes == len(DATA)


def test_a_body_that_breaks_off_breaks_off_for_the_child_too(client: Client) -> None:
    with pytest.raises((http.client.IncompleteRead, ConnectionError, ssl.SSLError)):
        client.ask("https://files.example/cut")
    assert client.proxy.bodies() == ()
    assert [(noted.status, bool(noted.denied)) for noted in client.proxy.exchanges()] == [
        (200, False),
        (502, True),
    ]


@pytest.mark.parametrize("limits", [Limits(body_bytes=1000)])
def test_a_body_without_an_end_is_cut(client: Client) -> None:
    with pytest.raises((http.client.IncompleteRead, ConnectionError, ssl.SSLError)):
        client.ask("https://files.example/unframed")
    assert client.proxy.bodies() == ()
    assert "more than 1000 bytes" in (client.proxy.exchanges()[-1].denied or "")


@pytest.mark.parametrize("limits", [Limits(requests=2)])
def test_after_so_many_requests_nobody_is_answered(client: Client) -> None:
    assert [client.ask(WHEEL)[0] for _ in range(4)] == [200, 200, 403, 403]
    assert len(client.proxy.exchanges()) == 2


@pytest.mark.parametrize("url", [WHEEL, "http://files.example/x"])
def test_who_does_not_know_the_password_gets_nothing(client: Client, url: str) -> None:
    if url.startswith("https"):
        with pytest.raises(OSError, match="407"):
            client.ask(url, login="mlxk:guess")
    else:
        status, headers, _ = client.ask(url, login="mlxk:guess")
        assert (status, headers["proxy-authenticate"]) == (407, 'Basic realm="mlxlock"')
    assert client.proxy.exchanges() == ()
    assert client.standins.asked == []


def test_a_client_that_trusts_only_its_own_list_is_told_of(client: Client) -> None:
    context = ssl.create_default_context(cafile=client.standins.environment["SSL_CERT_FILE"])
    connection = http.client.HTTPSConnection("127.0.0.1", client.port, timeout=240, context=context)
    told = f"Basic {b64encode(client.proxy.login.encode()).decode()}"
    connection.set_tunnel("files.example", 443, {"Proxy-Authorization": told})
    with pytest.raises(ssl.SSLCertVerificationError):
        connection.request("GET", "/")
    connection.close()
    end = time.monotonic() + 60
    while not client.proxy.exchanges() and time.monotonic() < end:
        time.sleep(0.01)
    (noted,) = client.proxy.exchanges()
    assert (noted.method, noted.url) == ("CONNECT", "https://files.example/")
    assert "does not trust" in (noted.denied or "")


@pytest.mark.parametrize("line", ["GET /x HTTP/1.1", "GET ftp://x/ HTTP/1.1", "CONNECT x HTTP/1.1"])
def test_what_is_no_proxy_request_is_refused(client: Client, line: str) -> None:
    told = b64encode(client.proxy.login.encode()).decode()
    with socket.create_connection(("127.0.0.1", client.port), timeout=240) as raw:
        raw.sendall(f"{line}\r\nHost: x\r\nProxy-Authorization: Basic {told}\r\n\r\n".encode())
        assert raw.makefile("rb").readline().split()[1] == b"400"
    assert client.proxy.exchanges() == ()


def test_a_large_file_needs_no_memory(client: Client, tmp_path: Path) -> None:
    big = "https://files.example/big"
    client.standins.pages[big] = Page(body=bytes(48 << 20))
    environment = {**client.environment, "NO_PROXY": ""}
    tracemalloc.start()
    try:
        command = ["curl", "-sf", "--cacert", str(client.ca), "-o", str(tmp_path / "big"), big]
        subprocess.run(command, env=environment, check=True, timeout=240)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        del client.standins.pages[big]
    assert client.proxy.bodies()[0].size_bytes == 48 << 20
    assert peak < 12 << 20


@pytest.mark.parametrize("limits", [Limits()])
def test_leaving_ends_a_client_that_says_nothing(client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with client.proxy.serve(listener):
            silent = socket.create_connection(listener.getsockname(), timeout=240)
            told = b64encode(client.proxy.login.encode()).decode()
            silent.sendall(
                f"CONNECT files.example:443 HTTP/1.1\r\nProxy-Authorization: Basic {told}\r\n\r\n".encode()
            )
            assert b"200" in silent.recv(100)
            begun = time.monotonic()
        assert silent.recv(100) == b""
        assert time.monotonic() - begun < 30
        silent.close()


CLIENTS = {
    "urllib": "import sys, urllib.request as u; data = u.urlopen(sys.argv[1]).read()",
    "requests": "import sys, requests; data = requests.get(sys.argv[1]).content",
    "hub": "import sys; from huggingface_hub import get_session as s; data = s().get(sys.argv[1]).content",
}


@pytest.mark.parametrize("name", CLIENTS)
def test_libraries_use_it_by_their_environment_alone(client: Client, name: str) -> None:
    program = f"{CLIENTS[name]}; import hashlib, json; print(json.dumps(hashlib.sha256(data).hexdigest()))"
    done = subprocess.run(
        [sys.executable, "-c", program, WHEEL],
        env=client.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    found: Any = json.loads(done.stdout)
    assert found == hashlib.sha256(DATA).hexdigest() == client.proxy.bodies()[0].sha256
