"""What libraries fetch behind the user's back is in the lock, all of it, and without it nothing is proven."""

from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.hidden.rows import ROWS, Row, Wanted, Withheld
from tests.hidden.trial import Observed

pytestmark = [pytest.mark.mlx, pytest.mark.sandbox]

EACH_ROW = pytest.mark.parametrize("observed", ROWS, indirect=True, ids=[row.name for row in ROWS])
EACH_ARTIFACT = pytest.mark.parametrize(
    ("observed", "wanted"),
    [pytest.param(row, wanted, id=f"{row.name}-{wanted.repo}") for row in ROWS for wanted in row.wanted],
    indirect=["observed"],
)
EACH_WITHHELD = pytest.mark.parametrize(
    ("observed", "withheld"),
    [pytest.param(row, each, id=f"{row.name}-{each.name}") for row in ROWS for each in row.withheld],
    indirect=["observed"],
)


def artifacts(observed: Observed) -> dict[str, Any]:
    return {artifact["repo"]: artifact for artifact in observed.lock.get("artifact", [])}


@EACH_ROW
def test_the_lock_has_exactly_what_a_plain_run_fetches(observed: Observed) -> None:
    locked = artifacts(observed).values()
    assert observed.fetched == sorted(
        f"{artifact['repo']}/{file['path']}" for artifact in locked for file in artifact["files"]
    )
    assert observed.missed == sorted(
        f"{artifact['repo']}/{path}" for artifact in locked for path in artifact.get("absent", [])
    )


@EACH_ROW
def test_the_first_run_is_proven_offline(observed: Observed) -> None:
    assert not observed.why[""]
    (proof,) = observed.lock["proofs"]
    del proof["environment"]
    assert proof == {"first-run": "default", "sandbox": "full", "offline": "proven", "compared": "output"}


@pytest.mark.parametrize(
    ("observed", "row"), [(row, row) for row in ROWS], indirect=["observed"], ids=[row.name for row in ROWS]
)
def test_what_it_writes_itself_is_locked_under_whatever_name(observed: Observed, row: Row) -> None:
    written = [file["path"] for file in observed.lock.get("writes", [])]
    assert len(written) == bool(row.writes)
    assert all(fnmatchcase(path, row.writes) for path in written)


@EACH_ARTIFACT
def test_an_artifact_is_locked_as_it_was_asked_for(observed: Observed, wanted: Wanted) -> None:
    assert wanted.repo in artifacts(observed), wanted.where
    found = artifacts(observed)[wanted.repo]
    assert (found["revision"], found["commit"]) == (
        wanted.revision,
        observed.commits[wanted.repo][wanted.revision],
    )
    assert found["when"] == wanted.when
    assert [file["path"] for file in found["files"]] == list(wanted.files)
    assert set(found.get("absent", [])) == set(wanted.absent)
    told = (found.get("canonical"), found.get("gated", False), found.get("trusts-remote-code", False))
    assert told == (wanted.canonical, wanted.gated, wanted.code)


@EACH_WITHHELD
def test_without_it_nothing_is_proven(observed: Observed, withheld: Withheld) -> None:
    assert observed.levels[withheld.name] == "unproven"
    codes = tuple(dict.fromkeys(observed.objections[withheld.name]))
    assert codes == withheld.objections, observed.why[withheld.name]
