"""The guards themselves: no home, no default store, no network, and nothing that is swallowed in silence."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import constants

from tests.guards import (
    GUARDED,
    NO_HUB,
    NOWHERE,
    OutsideWorldError,
    guard_environment,
    is_loopback,
    refused_addresses,
)
from tests.testhub import LoopbackHub


@pytest.mark.parametrize("name", sorted(set(GUARDED) - {"HF_ENDPOINT"}))
def test_a_home_or_store_cannot_be_made(name: str) -> None:
    place = Path(os.environ[name])
    with pytest.raises(NotADirectoryError):
        place.mkdir(parents=True)
    with pytest.raises(NotADirectoryError):
        (place / "token").read_text(encoding="utf-8")


def test_the_home_that_python_finds_is_the_guarded_one() -> None:
    assert Path.home() == Path(NOWHERE)
    assert Path("~/.cache").expanduser() == Path(NOWHERE) / ".cache"


def test_huggingface_hub_was_imported_after_the_guards() -> None:
    assert Path(NOWHERE) / "huggingface" / "hub" == Path(constants.HF_HUB_CACHE)
    assert constants.ENDPOINT == NO_HUB


def test_what_would_steer_a_client_is_dropped() -> None:
    environment = {
        "HF_TOKEN": "secret",
        "HF_HUB_CACHE": "/cache",
        "HUGGING_FACE_HUB_TOKEN": "secret",
        "HTTPS_PROXY": "http://proxy",
        "no_proxy": "*",
        "MLXK_STORE_DIR": "/store",
        "SSL_CERT_FILE": "/ca.pem",
        "MLXK_TEST_CACHE": "/kept",
        "PATH": "/bin",
    }
    guard_environment(environment)
    assert environment == GUARDED | {"MLXK_TEST_CACHE": "/kept", "PATH": "/bin"}


def _connect_by_name() -> None:
    socket.create_connection(("example.com", 443), timeout=1)


def _connect_by_address() -> None:
    with socket.socket() as sock:
        sock.settimeout(1)
        sock.connect(("192.0.2.1", 443))


def _connect_by_address_6() -> None:
    with socket.socket(socket.AF_INET6) as sock:
        sock.settimeout(1)
        sock.connect(("2001:db8::1", 443))


def _send_datagram() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.sendto(b"?", ("192.0.2.1", 53))


def _look_up() -> None:
    socket.gethostbyname("example.com")


@pytest.mark.parametrize(
    "leave", [_connect_by_name, _connect_by_address, _connect_by_address_6, _send_datagram, _look_up]
)
def test_every_way_out_is_refused_and_noted(leave: Callable[[], None]) -> None:
    with pytest.raises(OutsideWorldError, match="loopback only"):
        leave()
    assert len(refused_addresses) == 1
    refused_addresses.clear()


def test_loopback_stays_open(loopback_hub: LoopbackHub) -> None:
    port = int(loopback_hub.endpoint.rpartition(":")[2])
    with socket.create_connection(("localhost", port), timeout=5):
        assert not refused_addresses


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        (None, True),
        (b"localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - an address to judge, not to bind
        ("10.0.0.1", False),
        ("localhost.example.com", False),
        ("::ffff:8.8.8.8", False),
    ],
)
def test_loopback_is_told_from_the_rest(host: object, local: bool) -> None:
    assert is_loopback(host) is local


def test_a_swallowed_refusal_fails_the_test_that_swallowed_it(tmp_path: Path) -> None:
    inner = tmp_path / "test_inner.py"
    inner.write_text(
        "import socket\n"
        "def test_swallow():\n"
        "    try:\n"
        "        socket.getaddrinfo('example.com', 443)\n"
        "    except RuntimeError:\n"
        "        pass\n",
        encoding="utf-8",
    )
    root = Path(__file__).resolve().parents[1]
    plugins = ["-p", "tests.conftest", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", *plugins, "-c", "pyproject.toml", str(inner)]
    done = subprocess.run(command, check=False, cwd=root, capture_output=True, timeout=240)
    assert done.returncode == 1, done.stdout.decode()
    assert b"tried to leave the machine: ['example.com']" in done.stdout
