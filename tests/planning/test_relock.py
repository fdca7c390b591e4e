"""What `lock` has to do, decided without a request: what is kept, what is run again, what is asked anew."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlxlock.planning.assemble import assemble_model
from mlxlock.planning.freshness import asked_of, staleness
from mlxlock.planning.relock import Decision, all_seen, decide, first_runs_of, short_of, unproven_runs
from mlxlock.spec.first_run import FirstRun
from mlxlock.spec.lockfile import LockedModel, Lockfile, Proof
from mlxlock.spec.lockfile_writer import format_lockfile
from mlxlock.spec.manifest_reader import parse_manifest
from mlxlock.spec.names import CommitHash, RepoId, Revision
from mlxlock.spec.record import RequiredLevel, SandboxLevel
from mlxlock.spec.resolution import Resolution
from tests.planning.locks import COMMIT, OTHER, artifact, model, seen

CHAT = '[models.chat]\nrepo = "org/chat"\n'
PROVEN = Proof(environment="0" * 8, first_run="default", sandbox="full", offline="proven", compared="output")
LOCKED = replace(model(), proofs=(PROVEN,))


def decided(
    text: str,
    *locked: LockedModel,
    upgrade: bool = False,
    upgrade_models: tuple[str, ...] = (),
    capture: bool = True,
) -> Decision:
    (decision,) = decide(
        parse_manifest(text),
        Lockfile(models=locked),
        upgrade=upgrade,
        upgrade_models=upgrade_models,
        capture=capture,
    )
    return decision


def test_what_answers_the_manifest_and_is_proven_is_kept() -> None:
    assert decided(CHAT, LOCKED).todo == "keep"


def test_a_model_that_is_not_locked_is_asked_by_its_revision() -> None:
    fresh = decided(f'{CHAT}revision = "v1"\n')
    assert (fresh.todo, fresh.revision, fresh.pinned) == ("resolve", "v1", False)
    ranged = decided(f'{CHAT}version = ">=1"\n')
    assert (ranged.todo, ranged.revision, ranged.request.version) == ("resolve", None, ">=1")


def test_what_lacks_a_proof_or_a_hash_is_run_again_unless_no_run_is_wanted() -> None:
    bare = replace(LOCKED, proofs=(replace(PROVEN, offline="unproven"),))
    blind = replace(LOCKED, files=tuple(file.asserted() for file in LOCKED.files))
    for lacking in (bare, blind):
        assert decided(CHAT, lacking).todo == "rerun"
        assert decided(CHAT, lacking, capture=False).todo == "keep"


@pytest.mark.parametrize(
    ("more", "revision"),
    [('revision = "v2"\n', "v2"), ('version = ">=1"\n', None)],
)
def test_another_revision_is_asked_for_and_the_artifacts_stay_pinned(more: str, revision: str | None) -> None:
    moved = decided(CHAT + more, LOCKED)
    assert (moved.todo, moved.revision, moved.pinned) == ("resolve", revision, True)


def test_other_questions_are_asked_of_the_commit_that_is_locked() -> None:
    narrowed = decided(f'{CHAT}exclude = ["*.md"]\n', LOCKED)
    assert (narrowed.todo, narrowed.revision, narrowed.pinned) == ("resolve", Revision(COMMIT), True)


@pytest.mark.parametrize(
    ("upgrade", "names", "anew"), [(True, (), True), (False, ("chat",), True), (False, ("b",), False)]
)
def test_an_upgrade_asks_anew_and_unpins(upgrade: bool, names: tuple[str, ...], anew: bool) -> None:
    decision = decided(CHAT, LOCKED, upgrade=upgrade, upgrade_models=names)
    assert (decision.todo, decision.pinned) == (("resolve", False) if anew else ("keep", True))


def test_first_runs_are_those_declared_or_the_default_and_false_is_none() -> None:
    (chat,) = parse_manifest(CHAT).models
    assert first_runs_of(chat) == (FirstRun(name="default"),)
    (never,) = parse_manifest(f"{CHAT}first-run = false\n").models
    assert first_runs_of(never) == ()
    assert list(unproven_runs(LOCKED)) == []
    assert [run.name for run in unproven_runs(model())] == ["default"]


@pytest.mark.parametrize(
    ("had", "required", "enough"),
    [
        (("none",), None, True),
        (("none",), "partial", False),
        (("partial",), "full", False),
        (("partial",), "partial", True),
        (("none", "full"), "full", True),
    ],
)
def test_a_proof_below_the_required_sandbox_is_none(
    had: tuple[SandboxLevel, ...], required: RequiredLevel | None, *, enough: bool
) -> None:
    proofs = tuple(replace(PROVEN, environment=each, sandbox=each) for each in had)
    entry = replace(LOCKED, proofs=proofs, request=replace(LOCKED.request, sandbox_require=required))
    assert (list(unproven_runs(entry)) == []) == enough
    assert list(short_of(entry, required)) == ([] if enough else [("default", had[0])])
    asked = f'{CHAT}[sandbox]\nrequire = "{required}"\n' if required else CHAT
    assert decided(asked, entry).todo == ("keep" if enough else "rerun")
    assert decided(asked, entry, capture=False).todo == "keep"


def test_an_artifact_that_nobody_saw_is_not_all_seen() -> None:
    assert all_seen(LOCKED)
    assert not all_seen(replace(LOCKED, artifacts=(artifact("org/tok", seen("a").asserted()),)))


def told(text: str, *locked: LockedModel) -> list[str]:
    return [str(reason) for reason in staleness(parse_manifest(text), Lockfile(models=locked))]


def test_nothing_is_stale_when_the_lock_answers() -> None:
    assert told(CHAT, LOCKED) == []
    assert told(f'{CHAT}groups = ["g"]\nwhen = "os_name == \'nt\'"\n[workspace]\npath = "m"\n', LOCKED) == []
    assert told(f'{CHAT}dir = "chat"\n[artifacts."org/else"]\nrevision = "v1"\n', LOCKED) == []


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ('revision = "v2"\n', '`chat`: `revision` changed from "main" to "v2"'),
        ('include = ["*.json"]\n', '`chat`: `include` changed from nothing to ["*.json"]'),
        ('dir = "there"\n', '`chat`: `dir` changed from nothing to "there"'),
        ('kind = "text"\n', '`chat`: `kind` changed from nothing to "text"'),
        ("first-run = false\n", "`chat`: `first-run` changed from nothing to false"),
        ('remote-code = "allow"\n', '`chat`: `remote-code` changed from nothing to "allow"'),
        ('[sandbox]\nallow-hosts = ["a.b"]\n', '`chat`: `allow-hosts` changed from nothing to ["a.b"]'),
        ('[sandbox]\nrequire = "full"\n', '`chat`: `sandbox` changed from nothing to "full"'),
        ('[sandbox]\nrequire = "partial"\n', '`chat`: `sandbox` changed from nothing to "partial"'),
        ('[policy]\nremote-code = "allow"\n', '`chat`: `remote-code` changed from nothing to "allow"'),
    ],
)
def test_staleness_says_what_is_asked_now_and_what_was(more: str, reason: str) -> None:
    assert told(CHAT + more, LOCKED) == [reason]


def test_another_repo_a_new_model_and_one_that_left_are_told() -> None:
    assert told(CHAT.replace("org/chat", "org/new"), LOCKED) == [
        '`chat`: `repo` changed from "org/chat" to "org/new"'
    ]
    assert told('[models.new]\nrepo = "org/new"\n', LOCKED) == [
        "`new` is not in the lock",
        "`chat` is no longer in the manifest",
    ]


def test_a_pin_counts_for_the_artifact_that_it_steers_by_either_name() -> None:
    for name in ("org/tok", "org/renamed"):
        tok = replace(artifact("org/tok", seen("a")), canonical=RepoId("org/renamed"))
        (reason,) = told(f'{CHAT}[artifacts."{name}"]\nrevision = "v1"\n', replace(LOCKED, artifacts=(tok,)))
        assert reason == f'`chat`: `artifacts` changed from nothing to {{ "{name}" = "v1" }}'


TABLES = (
    '[models.one]\nrepo = "org/one"\nexclude = ["b", "a"]\n',
    '[models.two]\nrepo = "org/two"\ninclude = ["*"]\n',
    '[models.three]\nrepo = "org/three"\n',
    '[artifacts."org/tok"]\nrevision = "v1"\n',
    '[artifacts."org/voc"]\nrevision = "v2"\n',
    '[sandbox]\nallow-hosts = ["b.org", "a.org"]\n',
    '[policy]\nremote-code = "allow"\n',
    '[workspace]\npath = "here"\n',
)


def locked_from(tables: tuple[str, ...]) -> str:
    """The lock of a manifest, its questions answered by the same made-up Hub."""
    manifest = parse_manifest("".join(tables))
    artifacts = (artifact("org/tok", seen("t")), artifact("org/voc", seen("v"), commit=CommitHash("c" * 40)))
    made = []
    for spec in manifest.models:
        answer = Resolution(
            repo=spec.repo, revision=Revision("main"), commit=OTHER, files=(seen("c.json"), seen("x"))
        )
        request = asked_of(manifest, spec, replace(model(), artifacts=artifacts))
        made.append(
            replace(assemble_model(spec.name, request, answer, lambda file: file), artifacts=artifacts)
        )
    return format_lockfile(Lockfile(models=tuple(made)))


@given(st.randoms(use_true_random=False))
def test_the_order_of_the_manifests_tables_never_changes_the_lock(chance: random.Random) -> None:
    assert locked_from(tuple(chance.sample(TABLES, len(TABLES)))) == locked_from(TABLES)
