"""What a lock says of what was asked, answered and run: no file too many, none forgotten."""

from dataclasses import replace

from mlxlock.planning.assemble import (
    artifacts_of,
    assemble_model,
    complete_model,
    merge_artifacts,
    used_environments,
    with_captures,
    with_proof,
    with_recorded_proofs,
)
from mlxlock.spec.lockfile import Artifact, Environment, LockedModel, Request
from mlxlock.spec.names import CommitHash, ModelName, RepoId, RepoPath, Revision
from mlxlock.spec.record import CachedRepo, CaptureRecord, Exchange, Output, Pin, RunnerEnvironment
from mlxlock.spec.resolution import FileEntry, Resolution
from tests.planning.locks import COMMIT, OTHER, artifact, model, seen

TOK = RepoId("org/tok")
LINUX = RunnerEnvironment(platform="linux-x86_64", python="3.12", packages={"mlx": "1"})
HERE = Environment.of(LINUX)
VOCAB, CODE, README = seen("vocab.json", b"v"), seen("code.py", b"c"), seen("README.md", b"r")
RESOLUTION = Resolution(
    repo=TOK,
    canonical=RepoId("new/tok"),
    gated=True,
    revision=Revision("main"),
    commit=OTHER,
    date="2026-01-02",
    license="mit",
    files=(README, CODE, VOCAB),
)


def same(file: FileEntry) -> FileEntry:
    return file


def unseen(file: FileEntry) -> FileEntry:
    return file.asserted()


def pin(revision: str = "main", resolution: Resolution = RESOLUTION) -> Pin:
    return Pin(repo=resolution.repo, revision=revision, resolution=resolution)


def asked(name: str, status: int = 200, method: str = "GET", **more: object) -> Exchange:
    made = Exchange(
        method=method,
        url=f"/org/tok/resolve/main/{name}",
        status=status,
        repo=TOK,
        revision="main",
        commit=OTHER,
        path=RepoPath(name),
    )
    return replace(made, **more)  # type: ignore[arg-type]


def record(
    *exchanges: Exchange, pins: tuple[Pin, ...] = (), cache: tuple[CachedRepo, ...] = (), run: str = "default"
) -> CaptureRecord:
    return CaptureRecord(
        first_run=run,
        sandbox="full",
        environment=LINUX,
        output=Output(digest="sha256:0"),
        exchanges=exchanges,
        pins=pins or (pin(),),
        cache=cache,
    )


def cached(files: tuple[str, ...] = (), absent: tuple[str, ...] = (), repo: RepoId = TOK) -> CachedRepo:
    return CachedRepo(
        repo=repo,
        repo_type="model",
        refs={"main": OTHER},
        files={OTHER: tuple(map(RepoPath, files))},
        absent={OTHER: tuple(map(RepoPath, absent))},
    )


def found(*records: CaptureRecord, of: LockedModel | None = None) -> tuple[Artifact, ...]:
    return tuple(each for one in records for each in artifacts_of(of or model(), one, same))


def test_an_entry_holds_what_the_patterns_let_in_and_what_the_hub_said() -> None:
    request = Request(revision=Revision("main"), include=("*.json", "*.md"), exclude=("README*",))
    made = assemble_model(ModelName("tok"), request, RESOLUTION, unseen)
    assert made.files == (VOCAB.asserted(),)
    assert (made.canonical, made.gated, made.commit, made.revision) == ("new/tok", True, OTHER, None)
    assert (made.snapshot.size_bytes, made.snapshot.digest) == (1, None)
    assert (made.snapshot.date, made.snapshot.license) == ("2026-01-02", "mit")


def test_the_tag_that_a_range_chose_is_kept() -> None:
    request = Request(version=">=1")
    answer = replace(RESOLUTION, revision=Revision("v1.2"))
    assert assemble_model(ModelName("tok"), request, answer, same).revision == "v1.2"


def test_hashes_seen_meanwhile_complete_the_files_of_artifacts_too() -> None:
    whole = model(artifacts=(artifact("org/tok", VOCAB),))
    bare = complete_model(whole, unseen)
    assert bare.snapshot.digest is None
    known = {file.asserted(): file for file in (*whole.files, VOCAB)}
    assert complete_model(bare, lambda file: known[file]) == whole


def test_what_was_served_is_an_artifact_and_what_was_missed_is_marked() -> None:
    (made,) = found(
        record(
            asked("config.json", 404, "HEAD"),
            asked("README.md", 200, "HEAD"),
            asked("vocab.json", 206, phase="load", asked_by="transformers:load"),
        )
    )
    assert made == Artifact(
        repo=TOK,
        canonical=RepoId("new/tok"),
        gated=True,
        revision=Revision("main"),
        commit=OTHER,
        asked_by="transformers:load",
        when="load",
        license="mit",
        absent=(RepoPath("config.json"),),
        files=(VOCAB,),
    )


def test_what_only_the_cache_shows_was_fetched_too() -> None:
    (made,) = found(
        record(
            asked("vocab.json"),
            cache=(cached(("README.md",), ("x.json",)), cached(("code.py",), (), RepoId("a/b"))),
        )
    )
    assert [file.path for file in made.files] == ["README.md", "vocab.json"]
    assert made.absent == ("x.json",)


def test_code_that_was_fetched_is_trusted_code() -> None:
    assert [made.trusts_remote_code for made in found(record(asked("code.py")))] == [True]
    assert [made.trusts_remote_code for made in found(record(asked("vocab.json")))] == [False]


def test_a_models_own_files_and_mere_questions_are_no_artifact() -> None:
    own = model("tok", "org/tok", VOCAB, commit=OTHER)
    assert found(record(asked("vocab.json")), of=own) == ()
    assert found(record(asked("vocab.json", 200, "HEAD"), asked("vocab.json", 500))) == ()
    assert [made.files for made in found(record(asked("code.py")), of=own)] == [(CODE,)]


def test_requests_for_other_repos_commits_and_no_file_do_not_count() -> None:
    elsewhere = asked("vocab.json", repo=RepoId("a/b"))
    older = asked("vocab.json", commit=COMMIT)
    listing = asked("vocab.json", path=None)
    missed = asked("vocab.json", 404, path=None)
    assert found(record(elsewhere, older, listing, missed)) == ()


def test_a_commit_goes_by_the_name_that_led_to_it() -> None:
    pins = (pin(str(OTHER)), pin("main"))
    assert [made.revision for made in found(record(asked("vocab.json"), pins=pins))] == ["main"]
    assert [made.revision for made in found(record(asked("vocab.json"), pins=(pin(str(OTHER)),)))] == [
        str(OTHER)
    ]


def test_first_runs_add_up_and_claim_nothing() -> None:
    one, two = record(asked("vocab.json")), record(asked("code.py"), run="app")
    made = with_captures(model(), [one, replace(two, output=None, compared="none")], same)
    assert [file.path for file in made.artifacts[0].files] == ["code.py", "vocab.json"]
    told = [(proof.first_run, proof.offline, proof.compared) for proof in made.proofs]
    assert told == [("app", "unproven", "none"), ("default", "unproven", "output")]


def test_a_proof_raises_its_own_run_only_and_a_new_capture_takes_it_back() -> None:
    one, two = record(asked("vocab.json")), record(asked("code.py"), run="app")
    made = with_proof(with_captures(model(), [one, two], same), two)
    assert {proof.first_run: proof.offline for proof in made.proofs} == {
        "app": "proven",
        "default": "unproven",
    }
    again = with_captures(made, [two], same)
    assert {proof.first_run: proof.offline for proof in again.proofs}["app"] == "unproven"


def test_the_union_of_two_runs_marks_nothing_absent_that_is_there() -> None:
    first = replace(artifact("org/tok", VOCAB, absent=("code.py", "x")), asked_by=None)
    second = replace(artifact("org/tok", CODE), asked_by="m:f", when="load", trusts_remote_code=True)
    (made,) = merge_artifacts((first, second))
    assert [file.path for file in made.files] == ["code.py", "vocab.json"]
    assert made.absent == ("x",)
    assert (made.asked_by, made.when, made.trusts_remote_code) == ("m:f", "load", True)


def test_other_revisions_stay_apart_in_one_order() -> None:
    one = artifact("org/tok", VOCAB, revision="v2")
    two = artifact("org/tok", VOCAB, revision="main", commit=CommitHash("0" * 40))
    assert merge_artifacts((one, two)) == merge_artifacts((two, one)) == (two, one)


def test_environments_that_no_proof_names_are_dropped() -> None:
    proven = with_captures(model(), [record(asked("vocab.json"))], same)
    mac = Environment(platform="macosx-arm64", python="3.12", packages={})
    assert used_environments([proven], [mac, HERE, HERE]) == (HERE,)
    assert used_environments([model()], [mac, HERE]) == ()


def test_proofs_of_other_environments_stay_for_as_long_as_request_and_content_do() -> None:
    here = with_captures(model(artifacts=(artifact("org/tok", VOCAB),)), [record()], same)
    there = replace(here, proofs=(replace(here.proofs[0], environment="0mac", offline="proven"),))
    told = replace(here, artifacts=(replace(here.artifacts[0], asked_by="m:f", when="load"),))
    assert with_recorded_proofs(there, told).proofs == (*there.proofs, *here.proofs)
    assert (
        with_recorded_proofs(replace(here, proofs=(replace(here.proofs[0], offline="proven"),)), told) == told
    )
    other = replace(here, request=replace(here.request, kind="text"))
    for changed in (other, replace(here, commit=OTHER), replace(here, artifacts=())):
        assert with_recorded_proofs(there, changed) == changed
    assert with_recorded_proofs(None, here) == here
