"""URLs as a lock may name them: absolute, and without anything that is secret or over tomorrow. Pure.

Owns which parts of a query are a signature. A query is kept or dropped as a whole: half of a signed one is
worth nothing.
"""

import re
from typing import Final, Self

from mlxlock.spec.names import printable

MAX_URL_CHARS: Final = 4096
_SHAPE: Final = re.compile(r"(https?)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?(/[^\s]*)?")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_SIGNED: Final = re.compile(
    r"(?i:x-(?:amz|goog|ms|oss|cos)-.*|awsaccesskeyid|googleaccessid|signature|sig|policy|key-pair-id|expires?"
    r"|(?:access[_-]?|auth[_-]?)?token|(?:api[_-]?)?key|secret|password|auth|credential|hmac|jwt)"
)


class Url(str):
    """An absolute `http` or `https` URL without a user, a fragment or a signed query.

    Raises:
        ValueError: The text is no such URL.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check and wrap `text`; what may not stand in a lock is taken off."""
        plain = without_signature(text.partition("#")[0])
        found = _SHAPE.fullmatch(plain)
        if found is None or len(plain) > MAX_URL_CHARS or not printable(plain) or not plain.isascii():
            raise ValueError(f"{text[:200]!r} is not an http or https URL such as 'https://host/file'")
        if found[3] is not None and not 0 < int(found[3]) < 65536:
            raise ValueError(f"{text[:200]!r} names no port")
        return super().__new__(cls, plain)

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return self._part(1)

    @property
    def host(self) -> str:
        """The host's name, lower case, without its port."""
        return self._part(2).lower().rstrip(".")

    @property
    def port(self) -> int:
        """As written, else the scheme's own."""
        return int(self._part(3) or _DEFAULT_PORTS[self.scheme])

    @property
    def name(self) -> str:
        """The last segment of the path, or the host where there is none."""
        return self._part(4).partition("?")[0].rpartition("/")[2] or self.host

    def _part(self, group: int) -> str:
        found = _SHAPE.fullmatch(self)
        return (found[group] if found else None) or ""


def is_signed(url: str) -> bool:
    """Whether something of a URL's query may not stand in a lock."""
    plain, _, query = url.partition("#")[0].partition("?")
    return bool(query) and without_signature(f"{plain}?{query}") == plain


def without_signature(url: str) -> str:
    """The URL, without its query when that signs it."""
    base, _, query = url.partition("?")
    names = (pair.partition("=")[0] for pair in query.split("&"))
    return base if not query or any(map(_SIGNED.fullmatch, names)) else url
