"""Who asked for a URL is told by whoever named it, else by whoever asked its host."""

from dataclasses import replace

from mlxlock.planning.askers import Askers, with_asker, with_denied_asker
from mlxlock.planning.assemble import with_captures, with_recorded_proofs
from mlxlock.planning.attribution import attribute
from mlxlock.planning.effects import merge_effects
from mlxlock.spec.effects import Effects
from mlxlock.spec.lockfile import Denied
from mlxlock.spec.record import Asked, Body, Exchange, Left
from mlxlock.spec.urls import Url
from tests.planning.locks import model, seen
from tests.planning.test_assemble import record, same
from tests.planning.test_layout_effects import PUNKT

TABLE = seen("home/table.bin", b"table")
URL = Url("https://files.example/table.bin?raw=true")
SAID = (
    Asked(url="https://files.example/", by="lib.net:open"),
    Asked(url=URL, by="lib.table:load"),
    Asked(url=URL, by="lib.table:again"),
    Asked(url="tcp://ranks.example:None", by="lib.ranks:look_up"),
)


def body() -> Body:
    assert TABLE.sha256 is not None
    assert TABLE.blake3 is not None
    return Body(url=URL, size_bytes=TABLE.size_bytes, sha256=TABLE.sha256, blake3=TABLE.blake3, when="load")


def test_who_named_the_url_first_counts_before_who_asked_the_host() -> None:
    askers = Askers(SAID)
    found = {url: askers.of(url) for url in (URL, "https://files.example/x", "http://RANKS.example:8080/y")}
    assert [each and each.by for each in found.values()] == [
        "lib.table:load",
        "lib.net:open",
        "lib.ranks:look_up",
    ]
    assert askers.of("https://other.example/") is None


def test_what_was_downloaded_carries_its_asker_into_the_lock() -> None:
    told = with_asker(body(), Askers(SAID))
    left = [Left(path=str(TABLE.path), file=TABLE)]
    (download,) = attribute(left, model(), [told]).effects.downloads
    assert (download.asked_by, download.when) == ("lib.table:load", "load")
    (untold,) = attribute(left, model(), [with_asker(body(), Askers(()))]).effects.downloads
    assert (untold.asked_by, untold.when) == (None, "load")


def test_what_a_module_asked_for_while_it_was_imported_was_asked_at_import() -> None:
    importing = replace(SAID[1], importing=True)
    assert with_asker(body(), Askers([importing])).when == "import"
    assert with_asker(replace(body(), url=Url(f"{URL}2")), Askers([importing])).when == "load"


def test_a_refused_request_says_who_asked_and_when() -> None:
    refused = Exchange(method="GET", url=URL, status=403, phase="generate", denied="no")
    hub = Exchange(method="GET", url="/api/x", status=403, phase="load", asked_by="hub:ask", denied="no")
    made = with_captures(
        model(), [replace(record(refused, hub), reached=("ranks.example:53",), asked=SAID)], same
    )
    assert [(each.url, each.asked_by, each.when) for each in made.denied] == [
        ("/api/x", "hub:ask", "load"),
        (URL, "lib.table:load", "generate"),
        ("tcp://ranks.example:53", "lib.ranks:look_up", None),
    ]
    untold = Denied(url="hf://files.example/a")
    assert with_denied_asker(untold, replace(record(), asked=SAID)) == untold


def test_the_first_who_is_known_stays_and_no_proof_depends_on_it() -> None:
    told = replace(PUNKT, asked_by="nltk:download", when="load")
    for pair in ((PUNKT, told), (told, replace(PUNKT, asked_by="other:ask"))):
        (merged,) = merge_effects([Effects(downloads=(each,)) for each in pair]).downloads
        assert (merged.asked_by, merged.when) == ("nltk:download", "load")
    captured = with_captures(model(), [record()], same)
    here = replace(captured, effects=Effects(downloads=(PUNKT,)))
    there = replace(here, proofs=(replace(here.proofs[0], environment="0mac", offline="proven"),))
    now = replace(here, effects=Effects(downloads=(told,)))
    assert with_recorded_proofs(there, now).proofs == (*there.proofs, *here.proofs)
