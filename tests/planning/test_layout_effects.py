"""Where files that are not the Hub's lie in the workspace, and who needs them."""

from dataclasses import replace

import pytest

from mlxlock.planning.layout import FileNode, TextNode, lay_out
from mlxlock.spec.digest import Blake3
from mlxlock.spec.effects import Copy, Download, Effects, Member, Unpacked
from mlxlock.spec.names import RepoPath
from mlxlock.spec.resolution import FileEntry
from mlxlock.spec.urls import Url
from tests.planning.locks import model, seen

ZIP = seen("punkt.zip", b"zip of punkt")
MEMBER = seen("punkt/english", b"english")
VOICE = seen("voices/a.json", b"a voice")
MADE = replace(seen("home/.cache/made", b"made"), git=None)


def hashes(file: FileEntry) -> dict[str, object]:
    return {"size_bytes": file.size_bytes, "sha256": file.sha256, "blake3": file.blake3}


def member(file: FileEntry, path: str) -> Member:
    return Member(name=file.path, path=RepoPath(path), **hashes(file))  # type: ignore[arg-type]  # spelled out


PUNKT = Download(
    url=Url("https://nltk.example/punkt.zip"),
    path=RepoPath("nltk_data/punkt.zip"),
    members=(member(MEMBER, "nltk_data/punkt/english"),),
    **hashes(ZIP),  # type: ignore[arg-type]  # spelled out
)


def laid_out(effects: Effects) -> dict[str, FileNode | TextNode]:
    tree = lay_out([replace(model(), effects=effects)])
    plain = lay_out([model()])
    more = {path: node for path, node in tree.nodes.items() if path not in plain.nodes}
    return {path: node for path, node in more.items() if isinstance(node, FileNode | TextNode)}


def test_a_download_and_what_was_in_it() -> None:
    nodes = laid_out(Effects(downloads=(PUNKT,)))
    assert {path: node.identity for path, node in nodes.items()} == {
        ".hf_cache/nltk_data/punkt.zip": ZIP.blake3,
        ".hf_cache/nltk_data/punkt/english": MEMBER.blake3,
    }
    sources = {node.source for node in nodes.values() if isinstance(node, FileNode)}
    assert sources == {"chat: https://nltk.example/punkt.zip", "chat: punkt/english"}


def test_an_archive_that_was_not_kept_has_no_place() -> None:
    nodes = laid_out(Effects(downloads=(replace(PUNKT, path=None),)))
    assert list(nodes) == [".hf_cache/nltk_data/punkt/english"]


def test_members_of_the_hubs_archives_and_what_was_written() -> None:
    unpacked = Unpacked(archive=Blake3(ZIP.blake3 or ""), member=member(VOICE, "home/.cache/voices/a.json"))
    nodes = laid_out(Effects(unpacked=(unpacked,), writes=(MADE,)))
    assert {path: node.identity for path, node in nodes.items()} == {
        ".hf_cache/home/.cache/voices/a.json": VOICE.blake3,
        ".hf_cache/home/.cache/made": MADE.blake3,
    }


def test_copies_are_of_what_the_entry_has_and_may_be_empty() -> None:
    config = model().files[0]
    copies = (
        Copy(path=RepoPath("home/3f9c"), blake3=Blake3(config.blake3 or "")),
        Copy(path=RepoPath("home/e"), blake3=MEMBER.blake3 or Blake3("")),
        Copy(path=RepoPath("home/empty"), blake3=Blake3(seen("e", b"").blake3 or "")),
    )
    nodes = laid_out(Effects(downloads=(replace(PUNKT, path=None),), copies=copies))
    copied = nodes[".hf_cache/home/3f9c"]
    assert isinstance(copied, FileNode)
    assert (copied.identity, copied.file.path, copied.source) == (
        config.blake3,
        "home/3f9c",
        "chat: a copy of config.json",
    )
    assert nodes[".hf_cache/home/e"].identity == MEMBER.blake3
    assert nodes[".hf_cache/home/empty"] == TextNode(content=b"")


@pytest.mark.parametrize(("place", "large"), [("torch", True), ("home", False), ("xdg", False)])
def test_weights_are_large_but_where_a_program_may_write_to_them(place: str, *, large: bool) -> None:
    weights = next(file for file in model().files if file.path.suffix == ".safetensors")
    copy = Copy(path=RepoPath(f"{place}/w.safetensors"), blake3=Blake3(weights.blake3 or ""))
    node = laid_out(Effects(copies=(copy,)))[f".hf_cache/{place}/w.safetensors"]
    assert isinstance(node, FileNode)
    assert node.large is large
