"""What a witness wrote is read for what it says: a repo asked for as a whole has no path."""

import json
from pathlib import Path

import pytest

from mlxlock.spec.record import Asked
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


def test_who_asked_for_urls_is_read_without_what_a_lock_could_not_say(tmp_path: Path) -> None:
    lines = [
        {"event": "reached", "host": "a.example", "port": "443", "by": "lib:reach"},
        {
            "event": "asked",
            "url": "https://a.example/f?X-Amz-Signature=1",
            "by": "lib:load",
            "importing": True,
        },
        {"event": "asked", "url": "https://a.example/f", "by": "lib:load", "importing": True},
        {"event": "asked", "url": "https://user:word@a.example/f", "by": "lib:load"},
        {"event": "asked", "url": "https://a.example/g", "by": "lib\u202e:load"},
        {"event": "asked", "url": 7, "by": None},
    ]
    log = tmp_path / "witness"
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    told = read_testimony(log)
    assert told.asked == (
        Asked(url="https://a.example/f", by="lib:load", importing=True),
        Asked(url="tcp://a.example:443", by="lib:reach"),
    )
    assert told.missed == ()
