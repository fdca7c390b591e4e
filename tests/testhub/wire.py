"""Bare HTTP for tests that look at single headers and bytes."""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Response:
    """Send one request, without following redirects.

    Args:
        url: Absolute.
        method: In capitals.
        body: For POST.
        headers: Names with an underscore for each hyphen.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(method, target, body=body, headers=named)
        answer = connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        return Response(status=answer.status, headers=told, body=answer.read())
    finally:
        connection.close()
