"""A proof that says less than the recorded one is noticed, and one that says more or elsewhere is not."""

from dataclasses import replace
from typing import Any

import pytest

from mlxlock.errors import ProofError, UsageError
from mlxlock.planning.frozen import new_arrivals
from mlxlock.planning.levels import (
    lowered,
    offline_of,
    refuse_lower_sandbox,
    refuse_unsandboxed,
    sandbox_of,
    standing,
)
from mlxlock.spec.effects import Download, Effects
from mlxlock.spec.first_run import FirstRun
from mlxlock.spec.lockfile import LockedModel, Proof
from mlxlock.spec.manifest import Manifest, SandboxSpec
from mlxlock.spec.record import SandboxLevel
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


@pytest.mark.parametrize(
    ("was", "level", "refused"),
    [
        ((), "none", False),
        (("none",), "none", False),
        (("partial",), "full", False),
        (("full",), "partial", True),
        (("none", "partial"), "none", True),
    ],
)
def test_a_lesser_sandbox_than_the_best_recorded_is_refused(
    was: tuple[SandboxLevel, ...], level: SandboxLevel, refused: bool
) -> None:
    entry = proven(*(replace(BEST, environment=each, sandbox=each) for each in was))
    if not refused:
        refuse_lower_sandbox([entry], level)
        return
    with pytest.raises(ProofError) as raised:
        refuse_lower_sandbox([proven(), entry], level)
    assert raised.value.details == (f"`chat`: would be `{level}`, and was `{was[-1]}`",)


@pytest.mark.parametrize(
    ("proofs", "told"),
    [
        ((), "unproven"),
        ((BEST,), "proven"),
        ((BEST, replace(BEST, environment="f", offline="unproven")), "proven"),
        ((replace(BEST, offline="served"),), "served"),
        ((replace(BEST, sandbox="none"),), "proven, no sandbox"),
        (
            (replace(BEST, sandbox="partial"), replace(BEST, environment="f", sandbox="none")),
            "proven, partial sandbox",
        ),
        ((replace(BEST, sandbox="none", offline="unproven"),), "unproven"),
    ],
)
def test_a_models_standing_is_that_of_its_weakest_run(proofs: tuple[Proof, ...], told: str) -> None:
    one = proven(*proofs)
    assert standing(one) == told
    assert offline_of(one) == told.partition(",")[0]
    assert (sandbox_of(one) is None) == (told == "unproven")
    two = replace(
        one, request=replace(one.request, first_runs=(FirstRun(name="default"), FirstRun(name="b")))
    )
    assert standing(two) == "unproven"
    weak = replace(two, proofs=(*proofs, replace(BEST, first_run="b", offline="served", sandbox="none")))
    assert standing(weak) == ("unproven" if told == "unproven" else "served, no sandbox")
    assert standing(replace(one, request=replace(one.request, first_runs=()))) == "never run"


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
    fetches = replace(more, effects=Effects(downloads=(fetched,)))
    assert new_arrivals([more], [fetches]) == (f"{url} @ sha256:{digest.sha256}",)
    other = seen("y", b"other").sha256
    assert other is not None
    moved = replace(more, effects=Effects(downloads=(replace(fetched, sha256=other),)))
    assert new_arrivals([fetches], [fetches]) == ()
    assert new_arrivals([fetches], [moved]) == (f"{url} @ sha256:{other}",)
    assert new_arrivals(known, [more]) == (f"org/tok/config.json @ {OTHER}", f"org/x/vocab.json @ {OTHER}")


def test_no_sandbox_is_refused_only_beside_a_requirement() -> None:
    required = Manifest(sandbox=SandboxSpec(require="partial"))
    with pytest.raises(UsageError, match=r'`--no-sandbox`.*`require = "partial"`'):
        refuse_unsandboxed(required, sandboxed=False)
    refuse_unsandboxed(required, sandboxed=True)
    refuse_unsandboxed(Manifest(), sandboxed=False)
