"""`models.lock`: what is written is read back, equal locks are equal bytes, and nothing newer is lost."""

import random
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlxlock.errors import LockfileError, LockNewerError, RefClashError
from mlxlock.spec.invariants import check_invariants
from mlxlock.spec.lockfile import REVISION, VERSION, Artifact, LockedModel, Lockfile, Snapshot
from mlxlock.spec.lockfile_reader import parse_lockfile
from mlxlock.spec.lockfile_writer import format_lockfile
from mlxlock.spec.names import CommitHash, ModelName, RepoId, RepoPath, Revision
from mlxlock.spec.upgrades import UPGRADES, upgrade
from tests.spec.any_lock import lockfiles
from tests.spec.locks import ASR, COMMIT, CONFIG, EMPTY, LOCK, MAC, OTHER, PLAIN, QWEN, UNSEEN, WEIGHTS

T = TypeVar("T")
TEXT = format_lockfile(LOCK)
GOLDEN = Path(__file__).parent / "golden"


def refusal(text: str) -> LockfileError:
    with pytest.raises(LockfileError) as caught:
        parse_lockfile(text)
    return caught.value


@settings(max_examples=50, deadline=None)
@given(lockfiles())
def test_what_is_written_is_read_back_and_written_alike(lock: Lockfile) -> None:
    text = format_lockfile(lock)
    assert parse_lockfile(text) == lock
    assert format_lockfile(parse_lockfile(text)) == text
    assert "\r" not in text
    rows = sum(len(tuple(model.remote_files())) for model in lock.models)
    rows += sum(len(model.effects.copies) + len(model.effects.writes) for model in lock.models)
    assert len(re.findall(r"(?m)^    \{ path = .* \},$", text)) == rows


def test_a_lock_that_says_of_no_url_who_asked_is_read() -> None:
    earlier = re.sub(r"(?m)^asked-by = .*\n", "", TEXT)
    (asr, _) = parse_lockfile(earlier).models
    assert [each.asked_by for each in asr.effects.downloads] == [None]
    assert [each.asked_by for each in asr.denied] == [None]
    assert format_lockfile(parse_lockfile(earlier)) == earlier


def shuffled(chance: random.Random, values: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(chance.sample(values, len(values)))


def disordered(chance: random.Random, model: LockedModel) -> LockedModel:
    artifacts = [
        replace(artifact, files=shuffled(chance, artifact.files), absent=shuffled(chance, artifact.absent))
        for artifact in shuffled(chance, model.artifacts)
    ]
    return replace(
        model,
        files=shuffled(chance, model.files),
        proofs=shuffled(chance, model.proofs),
        artifacts=tuple(artifacts),
        effects=replace(
            model.effects,
            downloads=tuple(
                replace(download, members=shuffled(chance, download.members))
                for download in shuffled(chance, model.effects.downloads)
            ),
            unpacked=shuffled(chance, model.effects.unpacked),
            copies=shuffled(chance, model.effects.copies),
            writes=shuffled(chance, model.effects.writes),
        ),
        denied=shuffled(chance, model.denied),
        request=replace(
            model.request, artifacts=dict(shuffled(chance, tuple(model.request.artifacts.items())))
        ),
    )


@settings(max_examples=50, deadline=None)
@given(lockfiles(), st.randoms(use_true_random=False))
def test_no_order_but_the_canonical_one_is_written(lock: Lockfile, chance: random.Random) -> None:
    models = tuple(disordered(chance, model) for model in shuffled(chance, lock.models))
    other = replace(lock, models=models, environments=shuffled(chance, lock.environments))
    assert format_lockfile(other) == format_lockfile(lock)


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_a_lock_of_each_version_becomes_todays_bytes(version: int) -> None:
    text = (GOLDEN / f"version-{version}.lock").read_text(encoding="utf-8")
    assert format_lockfile(parse_lockfile(text)) == TEXT


def test_there_is_an_upgrade_from_each_older_version() -> None:
    assert sorted(UPGRADES) == list(range(1, VERSION))


def test_upgrades_are_taken_one_version_at_a_time() -> None:
    def first(old: Mapping[str, object]) -> dict[str, object]:
        assert old["version"] == 1
        return {"model": old["models"]}

    def second(old: Mapping[str, object]) -> dict[str, object]:
        assert old["version"] == 2
        return {**old, "revision": 1}

    steps = {1: first, 2: second}
    entries = tomllib.loads(TEXT)["model"]
    made = upgrade({"version": 1, "models": entries}, "models.lock", upgrades=steps, current=3)
    assert made == {"version": 3, "revision": 1, "model": entries}


@pytest.mark.parametrize("version", ["", "version = 0\n", "version = true\n", 'version = "1"\n'])
def test_a_lock_that_does_not_say_its_version_is_refused(version: str) -> None:
    error = refusal(TEXT.replace("version = 1\n", version, 1))
    assert error.reason == "`models.lock` does not say its `version`"


def test_a_later_version_is_refused_unread() -> None:
    with pytest.raises(LockNewerError) as caught:
        parse_lockfile("version = 2\nnothing = 'that we know'")
    assert caught.value.reason == "`models.lock` has version 2, and this mlxlock reads up to 1"
    assert caught.value.hint == "upgrade mlxlock"


LATER = f"revision = {REVISION + 1}"
NEWER = TEXT.replace(f"revision = {REVISION}", LATER, 1)
ADDED = (
    ('name = "asr"', 'name = "asr"\ncolour = "green"'),
    ("size = 7", "size = 7, mood = 3"),
    ("[[model.artifact]]", "[[model.artifact]]\nnew = []"),
    ("[[environment]]", "[hosts]\na = 1\n\n[[environment]]\nos = 'x'"),
)


@pytest.mark.parametrize(("old", "new"), ADDED)
def test_what_a_later_revision_added_is_passed_over(old: str, new: str) -> None:
    assert old in NEWER
    read = parse_lockfile(NEWER.replace(old, new))
    assert read == replace(LOCK, revision=REVISION + 1)


@pytest.mark.parametrize(("old", "new"), ADDED)
def test_the_same_in_todays_revision_is_an_error(old: str, new: str) -> None:
    assert "unknown key" in refusal(TEXT.replace(old, new)).details[0]


@pytest.mark.parametrize(
    ("old", "new"), [('sandbox = "full", off', 'sandbox = "better", off'), ('when = "load"', 'when = "x"')]
)
def test_a_word_of_a_later_revision_is_not_guessed(old: str, new: str) -> None:
    assert old in NEWER
    with pytest.raises(LockNewerError) as caught:
        parse_lockfile(NEWER.replace(old, new))
    assert caught.value.hint == "upgrade mlxlock"
    assert len(caught.value.details) == 1


def test_a_later_revision_has_to_keep_the_invariants_too() -> None:
    with pytest.raises(LockfileError, match="a problem"):
        parse_lockfile(NEWER.replace("size = 7,", "size = 8,", 1))


@pytest.mark.parametrize("marker", ["<<<<<<< HEAD", "|||||||", "=======", ">>>>>>> theirs"])
def test_a_merge_conflict_is_one_error_that_names_its_line(marker: str) -> None:
    lines = TEXT.split("\n")
    error = refusal("\n".join([*lines[:4], marker, *lines[4:]]))
    assert error.reason == "`models.lock` line 5: git left a merge conflict here"
    assert error.hint == "take one side (`git checkout --ours models.lock`), then run `mlxk lock`"
    assert error.details == ()


DIGEST = "0" * 64
WRONG = {
    "no revision": ("revision = 1\n", "", "`revision` is missing"),
    "no name": ('name = "asr"\n', "", "`model[0]`: `name` is missing"),
    "no request": ('request = { version = ">=1.0,<2", first-run = false }\n', "", "`request` is missing"),
    "both": ('{ version = ">=1.0,<2"', '{ revision = "main", version = ">=1.0,<2"', "either `revision` or"),
    "no snapshot": ("snapshot = { size = 7 }\n", "", "`snapshot` is missing"),
    "no size": ("snapshot = { size = 7 }\n", "snapshot = {}\n", "`model[1].snapshot`: `size` is missing"),
    "two directories": ('dir = "asr-here"', 'dir = "a/b"', "'a/b' is not one directory name"),
    "no day": ('date = "2026-02-03"', 'date = "3 Feb"', "expected a day such as 2026-02-03"),
    "no digest": ('digest = "blake3:', 'digest = "', "expected `blake3:` and 64 hex digits"),
    "no offline": ('offline = "proven", ', "", "`model[0].proofs[0]`: `offline` is missing"),
    "no path": ('{ path = "README.md", ', "{ ", "`model[1].files[0]`: `path` is missing"),
    "no hash": (f', git = "{UNSEEN.git}" }}', " }", "has neither `git` nor `sha256`"),
    "half seen": (f'git = "{UNSEEN.git}" }}', f'git = "{UNSEEN.git}", blake3 = "{EMPTY}" }}', "no `sha256`"),
    "no repo": ('repo = "Qwen/Qwen2.5-7B"\n', "", "`model[0].artifact[0]`: `repo` is missing"),
    "no url": ('url = "https://example.org/en_core_web_sm.tar.gz"\n', "", "`url` is missing"),
    "nothing denied": ('url = "https://example.org/telemetry"\n', "", "`url` is missing"),
    "no platform": ('platform = "macosx-arm64"\n', "", "`environment[0]`: `platform` is missing"),
    "an id of its own": (f'id = "{MAC.id}"', 'id = "00000000"', f"expected `{MAC.id}`, which follows"),
}


@pytest.mark.parametrize("case", WRONG)
def test_each_wrong_entry_is_placed(case: str) -> None:
    old, new, told = WRONG[case]
    assert old in TEXT
    assert any(told in line for line in refusal(TEXT.replace(old, new, 1)).details)


def test_all_that_is_wrong_is_told_at_once() -> None:
    text = TEXT.replace('name = "asr"\n', "", 1).replace("snapshot = { size = 7 }\n", "", 1)
    error = refusal(text)
    assert error.reason == "`models.lock` has 2 problems"
    assert len(error.details) == 2


def plain(name: str, **changed: Any) -> LockedModel:  # a field of each type
    return replace(PLAIN, name=ModelName(name), repo=RepoId(f"org/{name}"), **changed)


def artifact(**changed: Any) -> Artifact:
    return replace(QWEN, **changed)


CONTRADICTIONS: dict[str, tuple[Lockfile, str]] = {
    "two models of one name": (Lockfile(models=(PLAIN, PLAIN)), "two entries for model `plain`"),
    "two in one directory": (
        Lockfile(models=(PLAIN, plain("T5-Base"))),
        "two entries for directory `t5-base`",
    ),
    "two environments": (Lockfile(environments=(MAC, MAC)), "two entries for environment"),
    "reserved directory": (Lockfile(models=(plain("HUB"),)), "`HUB` is reserved in a workspace"),
    "no files": (Lockfile(models=(plain("a", files=(), snapshot=Snapshot(size_bytes=0)),)), "has no files"),
    "reserved path": (
        Lockfile(models=(plain("a", files=(replace(UNSEEN, path=RepoPath(".hf_cache/x")),)),)),
        "the path `.hf_cache/x` is reserved",
    ),
    "twice": (
        Lockfile(models=(plain("a", files=(UNSEEN, replace(UNSEEN, path=RepoPath("README.md")))),)),
        "collide",
    ),
    "by case": (
        Lockfile(
            models=(plain("a", files=(UNSEEN, replace(UNSEEN, path=RepoPath("readme.MD"), size_bytes=0))),)
        ),
        "the paths `README.md` and `readme.MD` collide",
    ),
    "by unicode": (
        Lockfile(models=(replace(ASR, artifacts=(artifact(absent=(RepoPath("é"), RepoPath("e\u0301"))),)),)),
        "collide",
    ),
    "below a file": (
        Lockfile(
            models=(plain("a", files=(UNSEEN, replace(UNSEEN, path=RepoPath("README.md/x"), size_bytes=0))),)
        ),
        "`README.md/x` is below `README.md`, which is a file",
    ),
    "absent and there": (
        Lockfile(models=(replace(ASR, artifacts=(artifact(absent=(RepoPath("config.json"),)),)),)),
        "collide",
    ),
    "repos by case": (
        Lockfile(models=(replace(ASR, artifacts=(QWEN, artifact(repo=RepoId("qwen/qwen2.5-7B")))),)),
        "`datasets--Qwen--Qwen2.5-7B` and `datasets--qwen--qwen2.5-7B` collide",
    ),
    "revisions by case": (
        Lockfile(models=(replace(ASR, artifacts=(QWEN, artifact(revision=Revision("MAIN")))),)),
        "collide",
    ),
    "a revision below another": (
        Lockfile(models=(replace(ASR, artifacts=(QWEN, artifact(revision=Revision("main/x")))),)),
        "`datasets--Qwen--Qwen2.5-7B/refs/main/x` is below",
    ),
    "sum": (Lockfile(models=(plain("a", snapshot=Snapshot(size_bytes=8)),)), "the files add up to 7"),
    "digest": (
        Lockfile(models=(plain("a", snapshot=Snapshot(size_bytes=7, digest=f"blake3:{DIGEST}")),)),
        "the files give None",
    ),
    "one file of two sizes": (
        Lockfile(
            models=(
                replace(ASR, artifacts=(), proofs=(), files=(CONFIG,), snapshot=ASR.snapshot),
                replace(
                    ASR, name=ModelName("b"), request=PLAIN.request, files=(replace(CONFIG, size_bytes=1),)
                ),
            )
        ),
        "`config.json` has two sizes or hashes",
    ),
    "one hash of two contents": (
        Lockfile(models=(replace(ASR, files=(WEIGHTS, replace(WEIGHTS, path=RepoPath("b"), size_bytes=1))),)),
        "shares its hash with other bytes",
    ),
    "unknown environment": (Lockfile(models=(ASR,)), f"environment `{MAC.id}` is not in the lock"),
    "proven twice": (
        Lockfile(models=(replace(ASR, proofs=(*ASR.proofs, *ASR.proofs)),), environments=(MAC,)),
        "two entries for `hello`",
    ),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_entries_that_contradict_each_other_are_refused(case: str) -> None:
    lock, told = CONTRADICTIONS[case]
    with pytest.raises(LockfileError) as caught:
        check_invariants(lock)
    assert any(told in line for line in caught.value.details), caught.value.details


def test_one_revision_of_one_repo_is_one_commit_for_all_models() -> None:
    other = replace(QWEN, commit=CommitHash("a" * 40))
    with pytest.raises(RefClashError) as caught:
        check_invariants(Lockfile(models=(ASR, plain("b", artifacts=(other,))), environments=(MAC,)))
    assert caught.value.reason == "`models.lock`: `Qwen/Qwen2.5-7B` at `main` is two commits"
    assert caught.value.details == (f"{OTHER} for `asr`", f"{'a' * 40} for `b`")


def test_a_commit_is_no_ref_and_in_no_revisions_way() -> None:
    by_commit = artifact(revision=Revision(OTHER))
    check_invariants(Lockfile(models=(replace(ASR, artifacts=(QWEN, by_commit)),), environments=(MAC,)))


def test_an_unseen_entry_of_a_file_agrees_with_a_seen_one() -> None:
    again = artifact(
        repo=ASR.repo, repo_type="model", revision=Revision("main"), commit=COMMIT, files=(CONFIG.asserted(),)
    )
    check_invariants(Lockfile(models=(replace(ASR, artifacts=(), proofs=()), plain("b", artifacts=(again,)))))


def test_a_model_is_found_by_its_name() -> None:
    assert LOCK.model("plain") == PLAIN
    assert LOCK.model("nobody") is None


def test_what_a_range_chose_is_its_revision() -> None:
    assert PLAIN.resolved_revision == "v1.4"
    assert ASR.resolved_revision == "main"


def test_every_file_of_a_model_is_told_with_its_repo() -> None:
    told = [(remote.repo, remote.repo_type, remote.file.path) for remote in ASR.remote_files()]
    assert told == [
        (ASR.repo, "model", "config.json"),
        (ASR.repo, "model", "model.safetensors"),
        (QWEN.repo, "dataset", "config.json"),
    ]
