"""Who asked for what came from outside the Hub, or was refused there, by what Pythons say. Pure.

Owns the order: who named the URL, else who first asked the same host for something. It is advisory: other
programs (`curl`) say nothing, and whoever starts them counts, as far as they stand on a command line.
"""

from collections.abc import Iterable
from dataclasses import replace

from mlxlock.planning.denials import HUB, name_of
from mlxlock.spec.lockfile import Denied
from mlxlock.spec.phases import Phase
from mlxlock.spec.record import Asked, Body, CaptureRecord


class Askers:
    """Everybody who said so, the first of each first.

    Args:
        asked: In order.
    """

    def __init__(self, asked: Iterable[Asked]) -> None:
        self._by_url: dict[str, Asked] = {}
        self._by_host: dict[str, Asked] = {}
        for each in asked:
            self._by_url.setdefault(each.url, each)
            self._by_host.setdefault(_host(each.url), replace(each, importing=False))

    def of(self, url: str) -> Asked | None:
        """Who asked for this; None when nobody says so."""
        return self._by_url.get(url) or self._by_host.get(_host(url))


def with_asker(body: Body, askers: Askers) -> Body:
    """The same bytes, with who asked for them, and when where a module did while it was imported."""
    asker = askers.of(body.url)
    if asker is None:
        return body
    return replace(body, asked_by=asker.by, when=_phase(asker, body.when))


def with_denied_asker(denied: Denied, record: CaptureRecord) -> Denied:
    """The same denial, with who asked in this run, and when."""
    asked = [each for each in record.exchanges if name_of(each) == denied.url]
    by = next((each.asked_by for each in asked if each.asked_by), None)
    when = next((each.phase for each in asked if each.phase), None)
    outside = None if by or denied.url.startswith((HUB, "/")) else Askers(record.asked).of(denied.url)
    if outside is None:
        return replace(denied, asked_by=by, when=when)
    return replace(denied, asked_by=outside.by, when=_phase(outside, when))


def _phase(asker: Asked, told: Phase | None) -> Phase | None:
    return "import" if asker.importing else told


def _host(url: str) -> str:
    place = url.partition("://")[2].partition("/")[0].partition("?")[0]
    host, colon, port = place.rpartition(":")
    return (host if colon and (port.isdigit() or port == "None") else place).lower().rstrip(".")
