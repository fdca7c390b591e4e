"""What keeps the suite off the network and out of its owner's home.

Owns the environment every test starts from and the audit hook that refuses sockets. The hook sees this
process only; the environment reaches children as well.
"""

import ipaddress
import os
import socket
import sys
from collections.abc import MutableMapping
from typing import Final

# Below a device there are no directories: whoever opens or makes something here gets NotADirectoryError,
# root included.
NOWHERE: Final = "/dev/null/mlxlock-tests-must-not-touch-this"
# Nobody listens on the discard port, so that a test which names no Hub is refused at once.
NO_HUB: Final = "http://127.0.0.1:9"

REAL_ENVIRONMENT: Final = dict(os.environ)

GUARDED: Final = {
    "HOME": NOWHERE,
    "XDG_CACHE_HOME": f"{NOWHERE}/cache",
    "XDG_CONFIG_HOME": f"{NOWHERE}/config",
    "XDG_DATA_HOME": f"{NOWHERE}/data",
    "XDG_STATE_HOME": f"{NOWHERE}/state",
    "HF_HOME": f"{NOWHERE}/huggingface",
    "MLXK_STORE_DIR": f"{NOWHERE}/store",
    "HF_ENDPOINT": NO_HUB,
}
_NAMES_THAT_STEER = ("HF_", "HUGGING", "MLXK_", "TRANSFORMERS_", "SSL_CERT_", "REQUESTS_CA_")
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})
_KEPT = frozenset({"MLXK_TEST_CACHE"})

refused_addresses: list[str] = []


class OutsideWorldError(RuntimeError):
    """Something in this process wanted to leave the machine."""


def guard_environment(environment: MutableMapping[str, str]) -> None:
    """Point every home, cache, store and endpoint to nowhere; drop what would steer a client elsewhere."""
    for name in list(environment):
        if name not in _KEPT and (name.startswith(_NAMES_THAT_STEER) or name.lower() in _PROXIES):
            del environment[name]
    environment.update(GUARDED)


def refuse_outside_sockets() -> None:
    """Refuse, from now on, every connection and every look-up of a name that is not loopback."""
    sys.addaudithook(_refuse_outside)


def is_loopback(host: object) -> bool:
    """Return whether an address given to `connect` or `getaddrinfo` stays on this machine."""
    if host is None or isinstance(host, bytes | bytearray):
        return host is None or is_loopback(bytes(host).decode())
    if host in {"", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


def _refuse_outside(event: str, arguments: tuple[object, ...]) -> None:
    match event, arguments:
        case "socket.connect" | "socket.sendto", (socket.socket() as sock, address):
            host = address[0] if isinstance(address, tuple) else None
            if sock.family in {socket.AF_INET, socket.AF_INET6}:
                _refuse_unless_loopback(host, address)
        case "socket.getaddrinfo" | "socket.gethostbyname", (host, *_):
            _refuse_unless_loopback(host, host)
        case _:
            return


def _refuse_unless_loopback(host: object, address: object) -> None:
    if not is_loopback(host):
        refused_addresses.append(str(address))
        raise OutsideWorldError(f"tests talk to loopback only, not to {address}")
