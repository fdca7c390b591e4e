"""The schemas that editors use know the same keys as the readers, and refuse no file that these accept."""

import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from mlxlock.errors import ManifestError
from mlxlock.spec import effects_reader, first_run, lockfile_reader, manifest_reader
from mlxlock.spec.lockfile_reader import parse_lockfile
from mlxlock.spec.lockfile_writer import format_lockfile
from mlxlock.spec.manifest import KINDS
from mlxlock.spec.manifest_reader import parse_manifest
from mlxlock.spec.readers import Problems, Table
from mlxlock.spec.weights import FORMATS
from tests.spec.locks import LOCK
from tests.spec.manifests import EXAMPLE, any_manifest

SCHEMAS = Path(__file__).parents[2] / "schemas"


def schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return loaded


MODELS = schema("models")
LOCKS = schema("lock")


def refusals(of: Mapping[str, Any], text: str) -> list[str]:
    return [error.message for error in Draft202012Validator(of).iter_errors(tomllib.loads(text))]


@pytest.mark.parametrize("each", [MODELS, LOCKS])
def test_the_schemas_are_schemas(each: Mapping[str, Any]) -> None:
    Draft202012Validator.check_schema(each)


def test_the_worked_examples_pass() -> None:
    assert refusals(MODELS, EXAMPLE) == []
    assert refusals(LOCKS, format_lockfile(LOCK)) == []


def test_the_worked_lock_is_read_as_it_was_written() -> None:
    assert parse_lockfile(format_lockfile(LOCK)) == LOCK


@given(any_manifest())
def test_a_manifest_that_is_read_is_one_that_the_schema_lets_pass(text: str) -> None:
    try:
        parse_manifest(text)
    except ManifestError:
        return
    assert refusals(MODELS, text) == []


def keys_asked_by(read: Callable[[Table], object]) -> set[str]:
    table = Table({}, "", Problems())
    read(table)
    return set(table._asked)


@pytest.mark.parametrize(
    ("read", "properties"),
    [
        (lambda table: manifest_reader._model(None, table), MODELS["$defs"]["model"]),
        (manifest_reader._workspace, MODELS["properties"]["workspace"]),
        (manifest_reader._sandbox, MODELS["properties"]["sandbox"]),
        (manifest_reader._policy, MODELS["properties"]["policy"]),
        (first_run._read, MODELS["$defs"]["first-run"]),
        (lockfile_reader._model, LOCKS["$defs"]["model"]),
        (lockfile_reader._request, LOCKS["$defs"]["request"]),
        (lockfile_reader._snapshot, LOCKS["$defs"]["snapshot"]),
        (lockfile_reader._proof, LOCKS["$defs"]["proof"]),
        (lockfile_reader._file, LOCKS["$defs"]["files"]["items"]),
        (lockfile_reader._artifact, LOCKS["$defs"]["artifact"]),
        (effects_reader.read_download, LOCKS["$defs"]["download"]),
        (effects_reader.read_member, LOCKS["$defs"]["member"]),
        (effects_reader.read_unpacked, LOCKS["$defs"]["unpacked"]),
        (effects_reader.read_copy, LOCKS["$defs"]["copy"]),
        (effects_reader.read_write, LOCKS["$defs"]["write"]),
        (lockfile_reader._denied, LOCKS["$defs"]["denied"]),
        (lockfile_reader._environment, LOCKS["$defs"]["environment"]),
    ],
)
def test_readers_and_schemas_know_the_same_keys(
    read: Callable[[Table], object], properties: Mapping[str, Any]
) -> None:
    assert keys_asked_by(read) == set(properties["properties"])


@pytest.mark.parametrize(
    ("text", "of", "read"),
    [
        ('[models.a]\nrepo = "o/a"\n[workspace]\n[artifacts]\n[sandbox]\n[policy]', MODELS, parse_manifest),
        ('[artifacts."o/a"]\nrevision = "v1"', MODELS["properties"]["artifacts"], parse_manifest),
    ],
)
def test_readers_and_schemas_know_the_same_tables(
    text: str, of: Mapping[str, Any], read: Callable[[str], object]
) -> None:
    read(text)
    document = tomllib.loads(text)
    known = of.get("properties") or of["additionalProperties"]["properties"]
    found = document if of is MODELS else document["artifacts"]["o/a"]
    assert set(found) == set(known)


def test_every_choice_is_the_readers_choice() -> None:
    model = MODELS["$defs"]["model"]["properties"]
    assert model["kind"]["enum"] == list(KINDS)
    assert MODELS["properties"]["policy"]["properties"]["formats"]["items"]["enum"] == list(FORMATS)


def test_what_both_schemas_define_they_define_alike() -> None:
    shared = set(MODELS["$defs"]) & set(LOCKS["$defs"]) - {"path", "model"}
    assert shared >= {"name", "repo", "revision", "dir", "first-run", "first-runs", "remote-code"}
    assert {key: MODELS["$defs"][key] for key in shared} == {key: LOCKS["$defs"][key] for key in shared}


def objects(of: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(of, dict):
        if of.get("type") == "object":
            yield of
        for below in of.values():
            yield from objects(below)


@pytest.mark.parametrize("each", [MODELS, LOCKS])
def test_no_table_lets_an_unknown_key_pass(each: Mapping[str, Any]) -> None:
    found = list(objects(each))
    assert len(found) > 6
    assert all("additionalProperties" in table for table in found)
    assert all(table["additionalProperties"] is not True for table in found)


def test_every_key_that_a_person_writes_has_words_to_hover() -> None:
    tables = (table["properties"] for table in objects(MODELS) if "properties" in table)
    assert [key for table in tables for key, value in table.items() if "description" not in value] == []


@pytest.mark.parametrize(
    "text",
    [
        "[model.a]",
        "[models.a]",
        '[models."a b"]\nrepo = "o/a"',
        '[models.a]\nrepo = "https://o/a"',
        '[models.a]\nrepo = "o/../a"',
        '[models.a]\nrepo = "o/a"\nexlude = []',
        '[models.a]\nrepo = "o/a"\nrevision = "main"\nversion = ">=1"',
        '[models.a]\nrepo = "o/a"\nrevision = "../../etc"',
        '[models.a]\nrepo = "o/a"\ndir = ".."',
        '[models.a]\nrepo = "o/a"\ndir = "a/b"',
        '[models.a]\nrepo = "o/a"\ndir = "Hub"',
        '[models.a]\nrepo = "o/a"\nfirst-run = true',
        '[models.a]\nrepo = "o/a"\nfirst-run = [{ prompt = "no name" }]',
        '[models.a]\nrepo = "o/a"\nfirst-run = [{ name = "x", command = ["a"], prompt = "b" }]',
        '[models.a]\nrepo = "o/a"\nfirst-run = [{ name = "x", max-tokens = -1 }]',
        '[models.a]\nrepo = "o/a"\nfirst-run = [{ name = "x", max-tokens = 0 }]',
        '[models.a]\nrepo = "o/a"\nfirst-run = [{ name = "x", seed = 4294967296 }]',
        '[models.a]\nrepo = "o/a"\nfirst-run = [{ name = "x", timeout-s = 2147484 }]',
        '[models.a]\nrepo = "o/a"\nfirst-run = [{ name = "x", memory-mb = 9223372036854775807 }]',
        '[models.a]\nrepo = "o/a"\nfirst-run = [{ name = "x", compare = "none" }]',
        '[models.a]\nrepo = "o/a"\nfirst-run = [{ name = "x", command = [""] }]',
        '[models.a]\nrepo = "o/a"\nfirst-run = [{ name = "x", command = ["a", "x\\u0000"] }]',
        '[models.a]\nrepo = "o/a"\nfirst-run = []',
        '[workspace]\npath = "../x"',
        '[workspace]\npath = "/x"',
        '[workspace]\npath = "x/hub"',
        '[sandbox]\nrequire = "none"',
        '[sandbox]\nallow-hosts = ["https://x"]',
        "[policy]\nremote-code = true",
        '[artifacts."o/a"]',
    ],
)
def test_manifests_that_the_reader_refuses_are_marked_by_editors_too(text: str) -> None:
    with pytest.raises(ManifestError):
        parse_manifest(text)
    assert refusals(MODELS, text) != []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version = 1", "version = 2"),
        ('path = "config.json"', 'path = "../config.json"'),
        ('path = "config.json"', 'path = "/etc/passwd"'),
        ('path = "config.json"', 'path = ".git/config"'),
        ('path = "config.json"', r'path = "a\\b"'),
        ("size = 0, git", "size = -1, git"),
        (f'commit = "{LOCK.models[0].commit}"', 'commit = "main"'),
        ('offline = "proven"', 'offline = "surely"'),
        ('kind = "stt"', 'kind = "stt", sort = 1'),
        ('python = "3.12"', "python = 3"),
        ("accepted = true", "accepted = true\nhost = 1"),
    ],
)
def test_a_lock_that_was_tampered_with_is_refused(old: str, new: str) -> None:
    text = format_lockfile(LOCK)
    assert old in text
    assert refusals(LOCKS, text.replace(old, new)) != []
