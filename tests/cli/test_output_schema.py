"""`schemas/output.schema.json` is what `--json` really prints: every verb, answers and errors."""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from mlxlock.cli.main import run
from mlxlock.cli.verbs import VERBS
from mlxlock.planning.proving import Code
from mlxlock.spec.lockfile_writer import format_lockfile
from tests.commands.site import ROOT, Site
from tests.commands.test_shelf import tensors
from tests.spec.locks import LOCK
from tests.test_errors import ALL
from tests.testhub import LoopbackHub, lfs

SCHEMA: Mapping[str, Any] = json.loads((ROOT / "schemas/output.schema.json").read_text(encoding="utf-8"))
SHARDED = {
    "config.json": b'{"model_type": "llama"}',
    "model-00001-of-00001.safetensors": tensors("a", "b"),
    "model.safetensors.index.json": b'{"weight_map": {"a": "model-00001-of-00001.safetensors"}}',
}
TEXT = "mlx-community/Qwen2-tiny-4bit"
MANIFEST = f"""
[sandbox]
python = "{sys.executable}"

[models.chat]
repo = "{TEXT}"

[models.one]
repo = "org/one"
"""


def checked(out: str) -> dict[str, Any]:
    """The answer, after it was held to the schema."""
    answer: dict[str, Any] = json.loads(out)
    Draft202012Validator(SCHEMA).validate(answer)
    return answer


@pytest.fixture(scope="module")
def whole(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A synced project, and a Hub that is there."""
    root = tmp_path_factory.mktemp("whole")
    with LoopbackHub() as hub:
        hub.load_tree(tiny_models)
        for name in ("one", "two"):
            hub.repo(f"org/{name}").commit({"config.json": b"{}", "w.safetensors": lfs(b"w" * 99)})
        hub.repo("org/sharded").commit(SHARDED)
        hub.user("writer", writes=["ada"])
        site = Site(root / "project", hub.endpoint, store=root / "store")
        site.env |= {"MLXK_ENDPOINT_TOKEN": "writer"}
        site.write(MANIFEST)
        site.mlxk("lock", "--no-capture")
        site.mlxk("sync")
        yield site


@pytest.fixture
def site(whole: Site, tmp_path: Path) -> Site:
    """The same with a project of its own, so that a test may change it."""
    made = Site(tmp_path / "project", whole.env["HF_ENDPOINT"], store=whole.store)
    shutil.copytree(whole.root, made.root, dirs_exist_ok=True, symlinks=True)
    made.env = {**whole.env, "HF_HUB_CACHE": made.env["HF_HUB_CACHE"]}
    return made


ANSWERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "init": (("init", "--force"),),
    "add": (
        ("add", "org/two", "--no-capture"),
        ("add", "org/two", "--no-capture", "--no-sync"),
        ("add", "org/two", "--frozen"),
    ),
    "remove": (("remove", "one", "--no-capture"),),
    "lock": (
        ("lock", "--check", "--no-capture"),
        ("lock", "--no-capture"),
        ("lock", "--dry-run", "--upgrade"),
    ),
    "capture": (("capture", "chat"),),
    "sync": (("sync",), ("sync", "--dry-run", "--exact", "--adopt", "none")),
    "status": (("status",),),
    "verify": (("verify",),),
    "tree": (("tree",),),
    "why": (("why", "org/one"),),
    "run": (("run", "chat", "Hello", "--max-tokens", "4"),),
    "exec": (("exec", "--", sys.executable, "-c", "print('to stderr, then')"),),
    "env": (("env",),),
    "completion": (("completion", "zsh"),),
    "clone": (("clone", "org/one", "cloned"), ("clone", "org/one", "cloned", "--dry-run")),
    "list": (("list",), ("list", "--all", "--origin", "nothing-like-it")),
    "show": (("show", "chat"), ("show", "chat", "--files")),
    "health": (("health", "chat", "--content", "-v"),),
    "pull": (("pull", "org/one"), ("pull", "org/one", "--dry-run")),
    "rm": (("rm", "org/one", "--yes"), ("rm", "org/one", "--dry-run")),
    "push": (
        ("push", "./here", "ada/made", "--create", "--private"),
        ("push", "./here", "ada/other", "--create", "--dry-run"),
    ),
    "convert": (("convert", "./here", "./made", "--repair-index"),),
}
"""Calls of each verb that succeed in a synced project."""
BEFORE = {
    "rm": ("pull", "org/one"),
    "push": ("clone", "org/sharded", "./here"),
    "convert": ("clone", "org/sharded", "./here"),
}


def test_every_verb_has_answers_to_check_and_its_own_definition() -> None:
    assert set(ANSWERS) == set(VERBS)
    assert set(VERBS) - set(SCHEMA["$defs"]) == set()
    described = {case["if"]["properties"]["command"]["const"] for case in SCHEMA["allOf"][1:]}
    assert described == set(SCHEMA["$defs"]["command"]["enum"])
    assert described >= set(VERBS)


def test_the_schema_is_one_and_lets_no_unknown_key_pass() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$id"].endswith(":0.2.0")
    open_tables = [name for name, each in SCHEMA["$defs"].items() if each.get("type") == "object"]
    assert [
        name for name in open_tables if SCHEMA["$defs"][name].get("additionalProperties") is not False
    ] == []


def test_the_codes_are_the_tree_of_errors() -> None:
    assert set(SCHEMA["$defs"]["code"]["enum"]) == {error.code for error in ALL}


def test_the_objections_are_those_of_the_proof() -> None:
    objection = SCHEMA["$defs"]["first-run"]["properties"]["objections"]["items"]["properties"]
    assert set(objection["code"]["enum"]) == set(get_args(Code))


def test_the_model_object_has_the_fields_of_the_decision_record() -> None:
    model = SCHEMA["$defs"]["model"]
    assert set(model["required"]) >= {
        *("name", "source", "origin", "content_hash", "hash_modified", "cached"),
        *("hash", "revision", "size_bytes", "last_modified", "framework", "model_type", "capabilities"),
        *("health", "runtime_compatible", "reason"),
    }  # fmt: skip
    assert model["properties"]["source"]["enum"] == ["cache", "workspace"]
    assert model["properties"]["hash_modified"]["type"] == "boolean"


@pytest.mark.mlx
@pytest.mark.parametrize("argv", [argv for calls in ANSWERS.values() for argv in calls], ids=" ".join)
def test_answers_are_as_described(site: Site, argv: tuple[str, ...]) -> None:
    if argv[0] in BEFORE:
        site.mlxk(*BEFORE[argv[0]])
    done = site.run(argv[0], "--json", *argv[1:])
    answer = checked(done.stdout)
    assert done.returncode == 0, done.stderr
    assert (answer["status"], answer["command"]) == ("success", argv[0])


def test_the_version_is_an_answer_too(site: Site) -> None:
    assert checked(site.run("--version", "--json").stdout)["data"]["name"] == "mlxlock"


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_a_wrong_command_line_is_as_described(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--color", "red", "--json"]) == 2
    answer = checked(capsys.readouterr().out)
    assert (answer["command"], answer["error"]["code"]) == (verb, "usage")


def test_what_no_verb_said_is_as_described(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lokc", "--json"]) == 2
    assert checked(capsys.readouterr().out)["command"] is None


REFUSALS = {
    "add": (("add", "org/absent", "--no-capture"), 2, "repo-not-found"),
    "remove": (("remove", "absent"), 2, "usage"),
    "init": (("init",), 2, "usage"),
    "why": (("why", "org/absent"), 2, "usage"),
    "exec": (("exec", "--", sys.executable, "-c", "raise SystemExit(7)"), 7, "child-failed"),
    "run": (("run", "absent"), 2, "usage"),
    "clone": (("clone", "org/absent"), 2, "repo-not-found"),
    "show": (("show", "absent"), 2, "usage"),
    "health": (("health", "one"), 1, "unhealthy"),
    "rm": (("rm", "org/absent", "--yes"), 2, "usage"),
    "push": (("push", "chat", "ada/absent"), 2, "repo-not-found"),
    "convert": (("convert", "chat", "made"), 2, "usage"),
    "pull": (("pull", "org/one@absent"), 2, "revision-not-found"),
}


@pytest.mark.parametrize("verb", REFUSALS)
def test_refusals_are_as_described(site: Site, verb: str) -> None:
    argv, code, name = REFUSALS[verb]
    done = site.run(argv[0], "--json", *argv[1:])
    answer = checked(done.stdout)
    assert (done.returncode, answer["command"], answer["error"]["code"]) == (code, verb, name)


def test_what_was_done_in_part_is_as_described(site: Site) -> None:
    site.write(MANIFEST + '[models.x]\nrepo = "org/absent"\n[models.two]\nrepo = "org/two"\n')
    done = site.run("lock", "--no-capture", "--keep-going", "--json")
    answer = checked(done.stdout)
    assert (done.returncode, answer["error"]["code"]) == (3, "partial")
    assert [each["model"] for each in answer["data"]["failed"]] == ["x"]


CHANGED = {"status": "workspace-changed", "verify": "workspace-changed", "sync": "workspace-changed"}


@pytest.mark.parametrize("verb", CHANGED)
def test_a_check_that_says_no_has_data_and_an_error(site: Site, verb: str) -> None:
    (site.models / "one/config.json").write_text("edited")
    (site.models / "one/w.safetensors").unlink()
    done = site.run(verb, "--json")
    answer = checked(done.stdout)
    assert (done.returncode, answer["error"]["code"]) == (1, CHANGED[verb])
    assert (answer["data"] is None) == (verb == "sync")


def test_a_check_of_an_unproven_lock_is_as_described(site: Site) -> None:
    site.write(f'{MANIFEST}[policy]\nlicenses = ["mit"]\n')
    answer = checked(site.run("lock", "--check", "--json").stdout)
    assert answer["error"]["code"] == "policy"
    assert all(answer["data"][key] for key in ("policy", "unproven", "unhashed"))


@pytest.mark.parametrize("verb", ["lock", "sync", "status"])
def test_a_stale_lock_is_as_described(site: Site, verb: str) -> None:
    site.write(
        MANIFEST.replace("[models.one]", '[models.one]\nexclude = ["*.md"]') + '[models.x]\nrepo = "x"\n'
    )
    done = site.run(verb, *(["--check"] if verb == "lock" else []), "--json")
    answer = checked(done.stdout)
    assert (done.returncode, answer["error"]["code"]) == (1, "lock-stale")


@pytest.mark.parametrize(
    ("argv", "key"), [(("tree",), "models"), (("why", "Qwen/Qwen2.5-7B"), "brought_by")], ids=["tree", "why"]
)
def test_what_first_runs_brought_is_as_described(site: Site, argv: tuple[str, ...], key: str) -> None:
    site.lock_path.write_text(format_lockfile(LOCK))
    answer = checked(site.run(*argv, "--json").stdout)
    assert answer["status"] == "success"
    assert answer["data"][key]


def test_a_child_writes_beside_the_envelope_and_not_into_it(site: Site) -> None:
    done = site.run("exec", "--json", "--", sys.executable, "-c", "print('said')")
    assert checked(done.stdout)["data"] == {"exit_code": 0}
    assert done.stderr == "said\n"
    assert site.run("exec", "--", sys.executable, "-c", "print('said')").stdout == "said\n"


@pytest.mark.parametrize(
    "change",
    [
        {"status": "failure"},
        {"command": "lokc"},
        {"data": {"locked": True}},
        {"error": {"code": "invented", "message": "x", "hint": None, "details": []}},
        {"extra": 1},
    ],
)
def test_the_schema_refuses_what_is_not_ours(change: Mapping[str, Any]) -> None:
    good = {
        "status": "success",
        "command": "status",
        "data": {"locked": True, "stale": [], "models": [], "foreign": []},
        "error": None,
    }
    validator = Draft202012Validator(SCHEMA)
    assert validator.is_valid(good)
    assert not validator.is_valid({**good, **change})
