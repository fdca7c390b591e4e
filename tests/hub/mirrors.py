"""A recording mirror between a test's Hub and whoever asks: the real source, the real store, a real socket.

Owns wiring, and a raw HTTP client that says exactly what it is told to say.
"""

import http.client
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlxlock.hub.client import HubSource
from mlxlock.hub.endpoint import Endpoint
from mlxlock.hub.server import RecordingMirror
from mlxlock.store.blobs import DirectoryStore
from tests.testhub import LoopbackHub

TOKEN = "hf_parents_only"  # noqa: S105 - the Hub is the test's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A mirror that serves.

    Attributes:
        port: Where, on 127.0.0.1.
    """

    mirror: RecordingMirror
    store: DirectoryStore
    port: int

    @property
    def endpoint(self) -> str:
        """What `HF_ENDPOINT` must be."""
        return f"http://127.0.0.1:{self.port}{self.mirror.prefix}"

    def ask(
        self,
        path: str,
        method: str = "GET",
        *,
        prefixed: bool = True,
        body: bytes | None = None,
        **headers: str,
    ) -> "Answered":
        """Send one request; header names have `_` for `-`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            target = f"{self.mirror.prefix if prefixed else ''}{path}"
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, target, body=body, headers=named)
            response = connection.getresponse()
            return Answered(
                status=response.status,
                headers={name.lower(): value for name, value in response.getheaders()},
                body=response.read(),
            )
        finally:
            connection.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came back; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@contextmanager
def serving_mirror(hub: LoopbackHub, folder: Path, **options: Any) -> Iterator[Bench]:
    """Serve a mirror of the Hub; its store is below the folder."""
    store = options.pop("store", None) or DirectoryStore(folder / "store")
    source = options.pop("source", None) or HubSource(Endpoint(url=hub.endpoint, token=TOKEN))
    mirror = RecordingMirror(source=source, store=store, **options)
    with socket.create_server(("127.0.0.1", 0)) as listener, mirror.serve(listener):
        yield Bench(mirror=mirror, store=store, port=listener.getsockname()[1])
