"""What a witness wrote is read for what it says: a repo asked for as a whole has no path."""

import json
from pathlib import Path

import pytest

from mlxlock.steps.testimony import read_testimony

MISSED = {"event": "missed", "kind": "OfflineModeIsEnabled", "url": None, "by": None, "repo": "org/codec"}


@pytest.mark.parametrize(("path", "what"), [(None, "org/codec"), ("sub/a.json", "org/codec/sub/a.json")])
def test_a_path_is_one_only_where_one_was_asked_for(tmp_path: Path, path: str | None, what: str) -> None:
    log = tmp_path / "witness"
    log.write_text(json.dumps({**MISSED, "type": None, "revision": "main", "path": path}) + "\n")
    (missed,) = read_testimony(log).missed
    assert (missed.repo, missed.path, missed.what) == ("org/codec", path, what)


def test_a_path_that_leaves_its_repo_is_in_no_lock(tmp_path: Path) -> None:
    log = tmp_path / "witness"
    log.write_text(json.dumps({**MISSED, "path": "../a"}) + "\n")
    (missed,) = read_testimony(log).missed
    assert (missed.repo, missed.path) == (None, None)
