"""`proven` means: whole, to its end, the same, nothing in vain, its own files as they were."""

from dataclasses import replace

import pytest

from mlxlock.planning.proving import (
    asks_the_api,
    capture_objections,
    known_commits,
    locked_pins,
    missed_by,
    needs_a_mirror,
    replay_objections,
    unkept,
)
from mlxlock.spec.effects import Effects
from mlxlock.spec.lockfile import LockedModel, OfflineLevel, Proof
from mlxlock.spec.names import CommitHash, RepoId, RepoPath
from mlxlock.spec.record import Compared, Exchange, Missed, Output, Replay
from mlxlock.spec.resolution import Resolution
from tests.planning.locks import COMMIT, OTHER, artifact, model, seen
from tests.planning.test_attribution import download
from tests.planning.test_denials import exchange, record

SAID = Output(digest="sha256:a", input_digest="sha256:i", tokens=8)
TOKENIZER = artifact("org/tok", seen("tokenizer.json"), absent=("added_tokens.json",))
MODEL = model(artifacts=(TOKENIZER,))
CAPTURED = replace(record(), output=SAID)
REPLAYED = Replay(output=SAID)


def accepting(*names: str) -> LockedModel:
    return replace(MODEL, request=replace(MODEL.request, accept_denied=names))


def codes(replay: Replay, of: LockedModel = MODEL) -> list[str]:
    return [objection.code for objection in replay_objections(of, CAPTURED, replay)]


def missed(path: str | None, repo: str = "org/tok", **more: object) -> Replay:
    miss = Missed(
        what=f"{repo}/{path}",
        repo=RepoId(repo),
        path=RepoPath(path) if path else None,
        **more,  # type: ignore[arg-type]
    )
    return replace(REPLAYED, missed=(miss,))


def test_the_same_again_and_nothing_in_vain_is_proven() -> None:
    assert capture_objections(MODEL, CAPTURED) == ()
    assert replay_objections(MODEL, CAPTURED, REPLAYED) == ()


@pytest.mark.parametrize(
    ("replay", "expected"),
    [
        (replace(REPLAYED, output=replace(SAID, digest="sha256:b")), ["output-differs"]),
        (replace(REPLAYED, output=replace(SAID, input_digest="sha256:j")), ["input-differs"]),
        (replace(REPLAYED, output=None), ["output-differs"]),
        (replace(REPLAYED, output=None, failure="it ended with exit code 1"), ["failed"]),
        (replace(REPLAYED, watched=False), ["unwatched"]),
        (replace(REPLAYED, altered=("config.json",)), ["changed-itself"]),
        (replace(REPLAYED, wrote=("faces.npy",)), []),
    ],
)
def test_each_difference_is_its_own_objection(replay: Replay, expected: list[str]) -> None:
    assert codes(replay) == expected


def test_without_a_comparison_the_rest_still_counts() -> None:
    captured = replace(CAPTURED, output=None, compared="none")
    other = replace(missed("x.json"), output=None)
    assert [found.code for found in replay_objections(MODEL, captured, other)] == ["asked"]
    assert replay_objections(MODEL, captured, replace(REPLAYED, output=None)) == ()


@pytest.mark.parametrize(
    ("replay", "expected"),
    [
        (missed("tokenizer.json", final=False), []),
        (missed("tokenizer.json"), ["asked"]),
        (missed("added_tokens.json"), []),
        (missed("vocab.json", final=False), ["asked"]),
        (missed(None, final=False), []),
        (missed(None), ["asked"]),
        (missed("tokenizer.json", final=False, revision=OTHER), []),
        (missed("tokenizer.json", final=False, revision="v2"), ["asked"]),
        (missed("tokenizer.json", final=False, repo_type="dataset"), ["asked"]),
        (missed("tokenizer.json", "org/other", final=False), ["asked"]),
        (missed("config.json", "org/chat", final=False), []),
        (replace(REPLAYED, missed=(Missed(what="example.org:443"),)), ["asked"]),
    ],
)
def test_only_what_the_lock_has_or_knows_to_be_absent_may_be_asked_for(
    replay: Replay, expected: list[str]
) -> None:
    assert codes(replay) == expected


def test_what_is_accepted_may_be_missing_offline_too() -> None:
    assert codes(missed("x.json", "org/other"), accepting("org/other")) == []
    reached = replace(REPLAYED, missed=(Missed(what="example.org:443"),))
    assert codes(reached, accepting("https://example.org/a.whl")) == []


def test_each_thing_is_told_once_with_who_asked_and_many_are_counted() -> None:
    one = Missed(what="org/x/a", repo=RepoId("org/x"), path=RepoPath("a"), asked_by="lib:load")
    (found,) = replay_objections(MODEL, CAPTURED, replace(REPLAYED, missed=(one, one)))
    assert found.text == "it asked for `org/x/a` and did not get it (lib:load)"
    many = tuple(replace(one, what=f"org/x/{number}") for number in range(20))
    told = replay_objections(MODEL, CAPTURED, replace(REPLAYED, missed=many))
    assert len(told) == 9
    assert told[-1].text == "it asked for 12 more things in vain"


def test_many_altered_files_are_counted() -> None:
    (found,) = replay_objections(MODEL, CAPTURED, replace(REPLAYED, altered=tuple("abcdefghij")))
    assert found.text.endswith("and 2 more")


@pytest.mark.parametrize(
    ("path", "accepted"),
    [("tokenizer.json", "org/gated"), ("code.py", "org/gated/code.py"), (None, "org/gated")],
)
def test_a_repo_is_proposed_to_be_accepted_and_of_code_only_the_file(path: str | None, accepted: str) -> None:
    refused = exchange(repo=RepoId("org/gated"), path=RepoPath(path) if path else None, denied="no")
    (found,) = capture_objections(MODEL, replace(CAPTURED, exchanges=(refused,)))
    assert f'accept-denied = ["{accepted}"]' in (found.hint or "")


def test_one_line_lets_a_run_ask_all_that_it_was_refused_also_where_a_redirect_led() -> None:
    refused = replace(
        CAPTURED,
        exchanges=(
            exchange(403, url="https://b.example/x", denied="no"),
            exchange(403, url="https://mine.example/y", denied="no", led_to="https://cdn.example/"),
            exchange(repo=RepoId("org/gated"), denied="gated"),
            exchange(403, url="https://a.example/z", denied="no"),
            exchange(403, url="https://mine.example/w", denied="`mine.example` answers 403"),
            exchange(403, url="https://fine.example/w", denied="no"),
        ),
    )
    request = replace(MODEL.request, allow_hosts=("mine.example",), accept_denied=("https://fine.example/w",))
    found = capture_objections(replace(MODEL, request=request), refused)
    allow = 'to let it, say `allow-hosts = ["a.example", "b.example", "cdn.example", "mine.example"]`'
    assert {each.text.split("`")[1]: (each.hint or "").startswith(allow) for each in found} == {
        "hf://org/gated": False,
        "https://a.example/z": True,
        "https://b.example/x": True,
        "https://mine.example/w": False,
        "https://mine.example/y": True,
    }


def test_a_refused_capture_proves_nothing_unless_that_is_accepted() -> None:
    gated = exchange(repo=RepoId("org/gated"), denied="gated")
    refused = replace(CAPTURED, exchanges=(gated,))
    (found,) = capture_objections(MODEL, refused)
    assert found.text == "its first run asked for `hf://org/gated` and did not get it: gated"
    assert (found.code, found.hint) == (
        "denied",
        'if it can do without, say `accept-denied = ["org/gated"]` in `[models.chat]`',
    )
    assert capture_objections(accepting("org/gated"), refused) == ()


@pytest.mark.parametrize(
    ("output", "compared", "expected"),
    [
        (replace(SAID, tokens=7), "output", ["too-short"]),
        (replace(SAID, tokens=7), "none", []),
        (replace(SAID, tokens=7, input_digest=None), "output", ["too-short"]),
        (replace(SAID, tokens=7, input_digest=None, ended=True), "output", []),
        (replace(SAID, tokens=None), "output", []),
        (None, "output", []),
    ],
)
def test_few_tokens_say_nothing(output: Output | None, compared: Compared, expected: list[str]) -> None:
    captured = replace(CAPTURED, output=output, compared=compared)
    assert [found.code for found in capture_objections(MODEL, captured)] == expected


def test_a_mirror_of_the_lock_knows_each_revision_with_the_files_that_are_locked() -> None:
    both = model(
        "chat",
        "org/chat",
        artifacts=(artifact("org/chat", seen("extra.json"), commit=COMMIT), TOKENIZER),
    )
    pins = {(pin.repo, pin.revision): pin.resolution for pin in locked_pins(both)}
    assert set(pins) == {("org/chat", "main"), ("org/tok", "main")}
    paths = [file.path for file in pins[RepoId("org/chat"), "main"].files]
    assert paths == ["config.json", "extra.json", "model.safetensors"]
    assert pins[RepoId("org/tok"), "main"].commit == OTHER


def test_what_such_a_mirror_did_not_have_was_asked_in_vain() -> None:
    def asked(status: int, path: str, **told: object) -> Exchange:
        where = {"repo": RepoId("org/tok"), "commit": CommitHash("b" * 40), "revision": "main"}
        return exchange(status, **{**where, "path": RepoPath(path), **told})

    exchanges = [
        asked(200, "tokenizer.json"),
        asked(404, "added_tokens.json"),
        asked(404, "vocab.json"),
        asked(404, "x.json", commit=None, repo=RepoId("org/other"), denied="not locked"),
        exchange(403, url="/api/telemetry", denied="no read"),
        exchange(404, url="/api/agent-harnesses"),
    ]
    found = replay_objections(MODEL, CAPTURED, replace(REPLAYED, missed=tuple(missed_by(exchanges))))
    assert [objection.text.split("`")[1] for objection in found] == [
        "org/tok/vocab.json",
        "org/other/x.json",
        "/api/telemetry",
    ]


@pytest.mark.parametrize(
    ("levels", "needs"),
    [((), False), (("proven",), False), (("served",), True), (("served", "proven"), False)],
)
def test_a_model_that_some_environment_ran_without_needs_no_mirror(
    levels: tuple[OfflineLevel, ...], *, needs: bool
) -> None:
    proofs = tuple(
        Proof(environment=f"{number}", first_run="a", sandbox="full", offline=level, compared="output")
        for number, level in enumerate(levels)
    )
    assert needs_a_mirror(replace(MODEL, proofs=proofs)) is needs


def test_only_who_asks_the_api_may_need_a_mirror() -> None:
    assert asks_the_api(missed(None, api=True))
    assert not asks_the_api(missed(None))


def known(repo: str, commit: CommitHash, *models: LockedModel) -> Resolution:
    return known_commits(models)[RepoId(repo), "model", commit]


def test_of_a_declared_commit_all_is_known_unless_it_was_narrowed() -> None:
    narrowed = replace(MODEL, request=replace(MODEL.request, exclude=("*.md",)))
    assert known("org/chat", COMMIT, MODEL).absent is None
    assert known("org/chat", COMMIT, narrowed).absent == frozenset()
    assert known("org/chat", COMMIT, narrowed, MODEL).absent is None
    assert known("org/chat", COMMIT, MODEL, narrowed).files == MODEL.files


def test_of_an_artifact_is_known_what_any_entry_has_of_it() -> None:
    more = artifact("org/tok", seen("added_tokens.json"), seen("a.json"), absent=("b.json",))
    found = known("org/tok", OTHER, MODEL, model("other", "org/other", artifacts=(more,)))
    assert [file.path for file in found.files] == ["a.json", "added_tokens.json", "tokenizer.json"]
    assert found.absent == frozenset({RepoPath("b.json")})


def test_what_was_given_from_outside_and_is_in_no_download_was_not_kept() -> None:
    lost, kept = "https://a.example/lost", "https://a.example/kept"
    exchanges = (
        exchange(200, url=lost),
        exchange(200, url=kept),
        exchange(200, url=lost),
        exchange(200, url="https://a.example/head", method="HEAD"),
        exchange(404, url="https://a.example/none"),
        exchange(200, url="/api/models"),
        exchange(200, url="https://hub.example/f", repo=RepoId("org/tok")),
    )
    whole = replace(MODEL, effects=Effects(downloads=(download(kept, b"k"),)))
    assert unkept(whole, record(*exchanges)) == (lost,)
