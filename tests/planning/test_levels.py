"""A proof that says less than the recorded one is noticed, and one that says more or elsewhere is not."""

from dataclasses import replace
from typing import Any

import pytest

from mlxlock.planning.frozen import new_arrivals
from mlxlock.planning.levels import lowered
from mlxlock.spec.effects import Download, Effects
from mlxlock.spec.lockfile import LockedModel, Proof
from mlxlock.spec.urls import Url
from tests.planning.locks import OTHER, artifact, model, seen

BEST = Proof(environment="e", first_run="default", sandbox="full", offline="proven", compared="output")


def proven(*proofs: Proof) -> LockedModel:
    return replace(model(), proofs=proofs)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"offline": "served"}, "offline would be `served`, and was `proven`"),
        ({"offline": "unproven"}, "offline would be `unproven`, and was `proven`"),
        ({"sandbox": "partial"}, "sandbox would be `partial`, and was `full`"),
        ({"sandbox": "none"}, "sandbox would be `none`, and was `full`"),
        ({"compared": "none"}, "compared would be `none`, and was `output`"),
    ],
)
def test_less_is_told_and_more_is_not(changed: dict[str, Any], told: str) -> None:
    worse = proven(replace(BEST, **changed))
    assert list(lowered(proven(BEST), worse)) == [f"`chat` (default) in `e`: {told}"]
    assert list(lowered(worse, proven(BEST))) == []
    assert list(lowered(worse, worse)) == []


def test_proofs_of_other_environments_and_runs_do_not_compete() -> None:
    other = replace(BEST, environment="f", offline="unproven")
    app = replace(BEST, first_run="app", sandbox="none")
    assert list(lowered(proven(BEST), proven(BEST, other, app))) == []


def test_what_the_lock_has_anywhere_is_no_arrival() -> None:
    vocab, config = seen("vocab.json"), seen("config.json")
    known = [model("a", "org/a", artifacts=(artifact("org/tok", vocab),))]
    assert new_arrivals(known, [model("b", "org/b", artifacts=(artifact("org/tok", vocab),))]) == ()
    more = model("b", "org/b", artifacts=(artifact("org/tok", vocab, config), artifact("org/x", vocab)))
    url = Url("https://example.org/dict.zip")
    digest = seen("x")
    assert digest.sha256 is not None
    assert digest.blake3 is not None
    fetched = Download(url=url, size_bytes=1, sha256=digest.sha256, blake3=digest.blake3)
    assert new_arrivals([more], [replace(more, effects=Effects(downloads=(fetched,)))]) == (str(url),)
    assert new_arrivals(known, [more]) == (f"org/tok/config.json @ {OTHER}", f"org/x/vocab.json @ {OTHER}")
