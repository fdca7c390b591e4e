"""What a name means among shelves of models: the order, exact before partial, and nothing guessed."""

from dataclasses import dataclass

import pytest

from mlxlock.planning.naming import Asked, matches
from mlxlock.spec.names import CommitHash, RepoId

OLD, NEW = CommitHash("1" * 40), CommitHash("2" * 40)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    name: str
    repo: RepoId | None = None
    revision: CommitHash | None = None
    refs: tuple[str, ...] = ()


def own(name: str, repo: str | None = None, revision: CommitHash | None = None) -> Model:
    return Model(name=name, repo=None if repo is None else RepoId(repo), revision=revision)


def cached(repo: str, revision: CommitHash, *refs: str) -> Model:
    return Model(name=repo, repo=RepoId(repo), revision=revision, refs=refs)


def meant(text: str, *shelves: list[Model]) -> tuple[Model, ...]:
    return matches(Asked.parse(text), shelves)


HERE, THERE = own("whisper", "org/whisper", OLD), own("whisper", "other/whisper", NEW)
ALIAS = own("asr", "org/vibe")


@pytest.mark.parametrize(
    ("text", "shelves", "expected"),
    [
        ("whisper", [[HERE], [THERE]], (HERE,)),
        ("whisper", [[], [THERE]], (THERE,)),
        ("asr", [[ALIAS]], (ALIAS,)),
        ("org/vibe", [[ALIAS]], (ALIAS,)),
        ("vibe", [[ALIAS]], (ALIAS,)),
        ("other/whisper", [[HERE], [THERE]], (THERE,)),
        # Exact on a later shelf comes before partial on an earlier one.
        ("whisper", [[own("whisper-large")], [THERE]], (THERE,)),
        ("vib", [[ALIAS]], (ALIAS,)),
        ("VIB", [[ALIAS]], (ALIAS,)),
        ("nothing", [[ALIAS]], ()),
        # One model on two shelves is one model, the first.
        ("whis", [[HERE], [cached("org/whisper", OLD, "main")]], (HERE,)),
        ("whis", [[HERE], [THERE]], (HERE, THERE)),
        # Two repos that end alike.
        ("tiny", [[cached("a/tiny", OLD, "main"), cached("b/tiny", OLD, "main")]], None),
        # Its own name beats what its neighbour came from.
        ("tiny", [[own("tiny", "a/x"), own("copy", "b/tiny")]], (own("tiny", "a/x"),)),
    ],
)
def test_a_name_means(text: str, shelves: list[list[Model]], expected: tuple[Model, ...] | None) -> None:
    found = meant(text, *shelves)
    assert found == (tuple(shelves[0]) if expected is None else expected)


def test_of_several_commits_of_a_repo_main_is_meant_and_nothing_is_guessed_without_it() -> None:
    old, new = cached("org/tiny", OLD, "v1"), cached("org/tiny", NEW, "main")
    assert meant("org/tiny", [old, new]) == (new,)
    assert meant("tin", [old, new]) == (new,)
    assert meant("org/tiny", [old, cached("org/tiny", NEW, "dev")]) == (old, cached("org/tiny", NEW, "dev"))


@pytest.mark.parametrize("revision", ["v1", OLD, "1111"])
def test_a_revision_is_a_ref_a_commit_or_the_start_of_one(revision: str) -> None:
    old, new = cached("org/tiny", OLD, "v1"), cached("org/tiny", NEW, "main")
    assert meant(f"org/tiny@{revision}", [old, new]) == (old,)


@pytest.mark.parametrize("revision", ["111", "v2", "3333"])
def test_a_revision_that_is_not_here_is_nothing(revision: str) -> None:
    assert meant(f"org/tiny@{revision}", [cached("org/tiny", OLD, "v1"), own("org/tiny")]) == ()


@pytest.mark.parametrize("text", ["", " ", "@main", "tiny@"])
def test_an_empty_name_matches_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        Asked.parse(text)
