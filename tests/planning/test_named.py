"""The spellings by which a person names what a lock has: each finds exactly that, and nothing beside it."""

from dataclasses import replace

import pytest

from mlxlock.planning.named import Named, as_path, is_place, of_artifact, of_model, plain
from mlxlock.spec.names import RepoId, RepoPath
from tests.planning.locks import COMMIT, OTHER, artifact, model, seen

VOCAB, WORDS = seen("vocab.json", b"{}"), seen("Words/a.txt", b"a")
TOKENIZER = artifact("Org/Tok", VOCAB, WORDS, absent=("added.json",))
RENAMED = replace(TOKENIZER, canonical=RepoId("new/tok"))
DATA = replace(TOKENIZER, repo_type="dataset")
CHAT = model("chat", "Org/Chat-4bit", seen("config.json", b"{}"), seen("sub/weights.bin", b"w"))
CACHE = "models/.hf_cache/hub"
ALL = Named(files=(VOCAB.path, WORDS.path), absent=(RepoPath("added.json"),), whole=True)
ONE = Named(files=(VOCAB.path,))


@pytest.mark.parametrize(
    ("text", "compared", "path"),
    [
        ("Org/Tok", "org/tok", "org/tok"),
        ("./models/", "./models/", "models"),
        ("hf://Org/Tok/", "hf://org/tok/", "org/tok"),
        ("/p/models/.hf_cache/hub/X", "hub/x", "hub/x"),
    ],
)
def test_a_path_counts_from_the_cache_on_and_case_does_not(text: str, compared: str, path: str) -> None:
    assert (plain(text), as_path(text)) == (compared, path)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("org/tok", ALL),
        ("Org/Tok/vocab.json", ONE),
        ("org/tok/words", Named(files=(WORDS.path,))),
        ("org/tok/added.json", Named(files=(), absent=(RepoPath("added.json"),))),
        (f"{CACHE}/models--Org--Tok", ALL),
        (f"{CACHE}/models--Org--Tok/refs/main", ALL),
        (f"{CACHE}/models--Org--Tok/snapshots/{OTHER}", replace(ALL, absent=(), whole=False)),
        (f"{CACHE}/models--Org--Tok/snapshots/{OTHER}/vocab.json", ONE),
        (f"{CACHE}/models--Org--Tok/blobs/{VOCAB.etag}", ONE),
        (f"{CACHE}/models--Org--Tok/.no_exist/{OTHER}", Named(files=(), absent=(RepoPath("added.json"),))),
        ("org/tok/vocab", None),
        ("org/tokens", None),
        ("tok", None),
        ("datasets/org/tok", None),
        (f"{CACHE}/models--Org--Tok/refs/v2", None),
        (f"{CACHE}/models--Org--Tok/snapshots/{COMMIT}", None),
        (f"{CACHE}/datasets--Org--Tok", None),
    ],
)
def test_of_an_artifact(text: str, named: Named | None) -> None:
    assert of_artifact(TOKENIZER, as_path(text)) == named


def test_of_an_artifact_that_is_called_otherwise_by_now() -> None:
    assert of_artifact(RENAMED, as_path("new/tok/vocab.json")) == ONE
    assert of_artifact(RENAMED, as_path("org/tok/vocab.json")) == ONE


@pytest.mark.parametrize("text", ["datasets/Org/Tok", "hf://datasets/org/tok", f"{CACHE}/datasets--Org--Tok"])
def test_of_a_repo_of_another_type(text: str) -> None:
    assert of_artifact(DATA, as_path(text)) == ALL


@pytest.mark.parametrize(
    ("text", "paths", "whole"),
    [
        ("chat", ("config.json", "sub/weights.bin"), True),
        ("org/chat-4bit", ("config.json", "sub/weights.bin"), True),
        ("org/chat-4bit/config.json", ("config.json",), False),
        ("chat/sub", ("sub/weights.bin",), False),
        ("models/Chat-4bit", ("config.json", "sub/weights.bin"), True),
        ("/p/models/Chat-4bit/sub/weights.bin", ("sub/weights.bin",), False),
        (f"{CACHE}/models--Org--Chat-4bit/refs/main", ("config.json", "sub/weights.bin"), True),
        (f"{CACHE}/models--Org--Chat-4bit/snapshots/{COMMIT}/config.json", ("config.json",), False),
    ],
)
def test_of_a_model(text: str, paths: tuple[str, ...], whole: bool) -> None:
    assert of_model(CHAT, as_path(text)) == Named(files=tuple(map(RepoPath, paths)), whole=whole)


@pytest.mark.parametrize(
    "text", ["chats", "org/chat", "models/chat-4bit/none", f"{CACHE}/models--Org--Chat-4bit/refs/v2", "sub"]
)
def test_of_no_model(text: str) -> None:
    assert of_model(CHAT, as_path(text)) is None


def test_a_place_is_a_path_or_what_it_stands_below() -> None:
    paths = ("home/.cache/Voices/a.json",)
    assert is_place(paths, "home/.cache/voices/a.json")
    assert is_place(paths, "home/.cache")
    assert not is_place(paths, "home/.cache/voice")
    assert not is_place(paths, "")
