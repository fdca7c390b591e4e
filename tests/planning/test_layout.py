"""The workspace that a lock asks for: every path, and nothing that follows from anything but the lock."""

import hashlib
from dataclasses import replace

import pytest

from mlxlock.errors import LockfileError
from mlxlock.planning.layout import FileNode, LinkNode, SentinelNode, TextNode, lay_out
from mlxlock.spec.effects import Download, Effects
from mlxlock.spec.names import RepoPath
from mlxlock.spec.urls import Url
from tests.planning.locks import COMMIT, OTHER, artifact, model, seen

HUB = ".hf_cache/hub"
CHAT = f"{HUB}/models--org--chat"
TOK = f"{HUB}/models--org--tok"


def test_a_declared_model_stands_in_its_directory_and_under_its_repo_id() -> None:
    nodes = lay_out([model()]).nodes
    assert isinstance(nodes[RepoPath("chat/config.json")], FileNode)
    link = nodes[RepoPath(f"{CHAT}/snapshots/{COMMIT}/config.json")]
    assert link == LinkNode(target="../../../../../chat/config.json")
    assert nodes[RepoPath(f"{CHAT}/refs/main")] == TextNode(content=COMMIT.encode(), ref=True)


def test_a_ref_is_forty_bytes_without_a_newline() -> None:
    ref = lay_out([model()]).nodes[RepoPath(f"{CHAT}/refs/main")]
    assert isinstance(ref, TextNode)
    assert len(ref.content) == 40


def test_a_file_in_a_folder_is_linked_one_level_higher() -> None:
    nodes = lay_out([model("chat", "org/chat", seen("tok/vocab.txt"))]).nodes
    link = nodes[RepoPath(f"{CHAT}/snapshots/{COMMIT}/tok/vocab.txt")]
    assert link == LinkNode(target="../../../../../../chat/tok/vocab.txt")


def test_weights_are_large_and_what_people_edit_is_not() -> None:
    nodes = lay_out([model()]).nodes
    large = {path: node.large for path, node in nodes.items() if isinstance(node, FileNode)}
    assert large == {"chat/config.json": False, "chat/model.safetensors": True}


def test_an_artifact_is_blobs_links_refs_and_markers_but_no_tree() -> None:
    file = seen("sub/vocab.json", b"v")
    tok = artifact("org/tok", file, absent=("added_tokens.json",))
    nodes = lay_out([model(artifacts=(tok,))]).nodes
    below = {path.removeprefix(f"{TOK}/"): node for path, node in nodes.items() if path.startswith(TOK)}
    assert below.keys() == {
        f"blobs/{file.git}",
        f"snapshots/{OTHER}/sub/vocab.json",
        f".no_exist/{OTHER}/added_tokens.json",
        "refs/main",
    }
    assert below[f"snapshots/{OTHER}/sub/vocab.json"] == LinkNode(target=f"../../../blobs/{file.git}")
    assert below[f".no_exist/{OTHER}/added_tokens.json"] == TextNode(content=b"")


def test_a_revision_below_main_leaves_it_no_place() -> None:
    refs = [path for path in lay_out([model(revision="main/x")]).nodes if "/refs/" in path]
    assert refs == [f"{CHAT}/refs/main/x"]


def test_byte_identical_files_share_one_blob_and_keep_two_names() -> None:
    tok = artifact("org/tok", seen("a.json", b"same"), seen("b.json", b"same"))
    nodes = lay_out([model(artifacts=(tok,))]).nodes
    assert sum(path.startswith(f"{TOK}/blobs/") for path in nodes) == 1
    assert sum(path.startswith(f"{TOK}/snapshots/") for path in nodes) == 2


def test_a_declared_file_stands_before_an_artifacts_copy_of_it() -> None:
    own = seen("config.json", b"{}")
    again = artifact("org/chat", own, commit=COMMIT)
    nodes = lay_out([model("chat", "org/chat", own, artifacts=(again,))]).nodes
    link = nodes[RepoPath(f"{CHAT}/snapshots/{COMMIT}/config.json")]
    assert link == LinkNode(target="../../../../../chat/config.json")


@pytest.mark.parametrize(
    ("revision", "refs"), [("main", {"main"}), ("v1.2", {"v1.2", "main"}), ("a" * 40, {"main"})]
)
def test_main_is_claimed_where_nobody_else_does(revision: str, refs: set[str]) -> None:
    nodes = lay_out([model(revision=revision)]).nodes
    assert {path.removeprefix(f"{CHAT}/refs/") for path in nodes if "/refs/" in path} == refs


def test_main_stays_unclaimed_between_two_commits() -> None:
    tags = (
        artifact("org/tok", seen("a"), revision="v1", commit=OTHER),
        artifact("org/tok", seen("a"), revision="v2", commit=COMMIT),
    )
    nodes = lay_out([model(artifacts=tags)]).nodes
    assert {path for path in nodes if path.startswith(f"{TOK}/refs/")} == {
        f"{TOK}/refs/v1",
        f"{TOK}/refs/v2",
    }


def test_the_sentinels_hash_is_what_sha256sum_would_give() -> None:
    node = lay_out([model("chat", "org/chat", seen("b", b"2"), seen("a", b"1"), seen("x.log"))]).nodes[
        RepoPath("chat/.mlxk_workspace.json")
    ]
    assert isinstance(node, SentinelNode)
    lines = "".join(
        f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in (("a", b"1"), ("b", b"2"))
    )
    assert node.sentinel.content_hash == "sha256:" + hashlib.sha256(lines.encode()).hexdigest()


def test_a_download_stands_below_the_cache() -> None:
    file = seen("python/data", b"d")
    assert file.sha256 is not None
    assert file.blake3 is not None
    download = Download(
        url=Url("https://a.org/d"), size_bytes=1, sha256=file.sha256, blake3=file.blake3, path=file.path
    )
    node = lay_out([replace(model(), effects=Effects(downloads=(download,)))]).nodes[
        RepoPath(".hf_cache/python/data")
    ]
    assert isinstance(node, FileNode)
    assert (node.identity, node.source) == (file.blake3, "chat: https://a.org/d")


def test_the_order_of_models_changes_nothing() -> None:
    one, two = model("one", "org/one"), model("two", "org/two")
    assert lay_out([one, two]) == lay_out([two, one])


def test_a_file_that_nobody_saw_cannot_be_laid_out() -> None:
    unseen = replace(seen("config.json"), blake3=None, sha256=None)
    with pytest.raises(LockfileError, match="never seen"):
        lay_out([model("chat", "org/chat", unseen)])
