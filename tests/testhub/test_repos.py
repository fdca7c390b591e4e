"""Files, commits and trees have the ids that git itself gives them."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from tests.testhub import LoopbackHub, Pattern, Repo, lfs, plain
from tests.testhub.content import Content, Cut, Flipped, InMemory, OnDisk, read_all
from tests.testhub.gitids import lfs_pointer

FILES = {
    "a/b/c.txt": b"deep",
    "a.txt": b"a file that sorts before the folder",
    "a-b/x": b"and a folder that sorts between them",
    "ab": b"",
    "zz/ü.txt": "ü".encode(),
}


def _git(folder: Path, *arguments: str) -> str:
    dates = {"GIT_AUTHOR_DATE": "1767225600 +0000", "GIT_COMMITTER_DATE": "1767225600 +0000"}
    who = ["-c", "user.name=Loopback Hub", "-c", "user.email=hub@localhost", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *who, *arguments],
        check=True,
        capture_output=True,
        cwd=folder,
        encoding="utf-8",
        env={**os.environ, **dates, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull},
    )
    return done.stdout.strip()


def test_ids_are_gits_own(tmp_path: Path) -> None:
    for path, data in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    _git(tmp_path, "init", "--quiet", "--object-format=sha1")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "--quiet", "-m", "First")
    repo = Repo(id="org/name")
    commit = repo.commit(FILES, title="First")
    assert commit == _git(tmp_path, "rev-parse", "HEAD")
    assert repo.commits[commit].trees["a/b"] == _git(tmp_path, "rev-parse", "HEAD:a/b")
    assert repo.commits[commit].files["zz/ü.txt"].oid == _git(tmp_path, "rev-parse", "HEAD:zz/ü.txt")


def test_an_lfs_file_is_named_by_its_pointer() -> None:
    file, sha256 = lfs(b"weights"), hashlib.sha256(b"weights").hexdigest()
    pointer = lfs_pointer(sha256, 7)
    version = b"version https://git-lfs.github.com/spec/v1\n"
    assert pointer == version + b"oid sha256:" + sha256.encode() + b"\nsize 7\n"
    assert (file.oid, file.pointer_size) == (plain(pointer).oid, len(pointer))
    assert (file.sha256, file.etag) == (sha256, sha256)
    assert plain(b"weights").etag == plain(b"weights").oid


def test_commits_are_deterministic_and_follow_from_their_history() -> None:
    def build(first: bytes) -> list[str]:
        repo = Repo(id="org/name")
        return [repo.commit({"a": first}), repo.commit({"a": b"last"})]

    assert build(b"1") == build(b"1")
    assert not set(build(b"1")) & set(build(b"2"))
    assert all(len(commit) == 40 for commit in build(b"1"))


def test_refs_move_and_commits_can_be_lost() -> None:
    repo = Repo(id="org/name")
    first, second = repo.commit({"a": b"1"}), repo.commit({"a": b"2"})
    repo.tag("v1", first)
    assert [found.id for revision in ("v1", "main", "HEAD") if (found := repo.find(revision))] == [
        first,
        second,
        second,
    ]
    repo.point("refs/tags/v1", second)
    repo.forget(first)
    assert repo.find(first) is None
    with pytest.raises(KeyError):
        repo.branch("dev", first)
    with pytest.raises(AssertionError, match="target of a ref"):
        repo.forget(second)


@pytest.mark.parametrize("size", [0, 1, 65_536, 300_000])
def test_a_pattern_is_the_same_from_wherever_it_is_read(size: int) -> None:
    pattern = Pattern(size=size, seed=3)
    whole = read_all(pattern)
    assert len(whole) == size
    for start in range(0, size, 60_001):
        assert b"".join(pattern.chunks(start, size)) == whole[start:]
    blocks = [whole[place : place + 65_536] for place in range(0, size, 65_536)]
    assert len(set(blocks)) == len(blocks)
    assert size == 0 or whole != read_all(Pattern(size=size, seed=4)) or size == 1


def test_contents_can_be_read_from_any_place(tmp_path: Path) -> None:
    data = bytes(range(256)) * 3000
    path = tmp_path / "file"
    path.write_bytes(data)
    flipped = bytearray(data)
    flipped[300_000] ^= 1
    memory = InMemory(data)
    contents: list[tuple[Content, bytes]] = [
        (memory, data),
        (OnDisk(path=path, size=len(data)), data),
        (Flipped(inner=memory, offset=300_000), bytes(flipped)),
        (Cut(inner=memory, size=500_000), data[:500_000]),
    ]
    for content, expected in contents:
        assert content.size == len(expected)
        for start, stop in ((0, len(expected)), (299_999, 300_002), (400_000, 400_000)):
            assert b"".join(content.chunks(start, stop)) == expected[start:stop]


def test_a_tree_of_directories_becomes_repos(tmp_path: Path) -> None:
    files = {
        "org/name/config.json": b"{}",
        "org/name/README.md": b'---\ntags: [x]\nlicense: "apache-2.0"\n---\n# Card\nlicense: none\n',
        "org/name/sub/model.safetensors": b"weights",
        "org/name/.cache/junk": b"junk",
        "gpt2/config.json": b"{}",
        "gpt2/README.md": b"---\ntags: []\n---\nlicense: none\n",
        "datasets/org/data/x.txt": b"1",
        "spaces/org/app/app.py": b"2",
    }
    for path, data in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    with LoopbackHub() as hub:
        repos = {(repo.type, repo.id): repo for repo in hub.load_tree(tmp_path)}
    assert set(repos) == {
        ("model", "org/name"),
        ("model", "gpt2"),
        ("dataset", "org/data"),
        ("space", "org/app"),
    }
    repo = repos["model", "org/name"]
    assert repo.license == "apache-2.0"
    assert repos["model", "gpt2"].license is None
    commit = repo.find("main")
    assert commit is not None
    assert set(commit.files) == {"config.json", "README.md", "sub/model.safetensors"}
    assert {path for path, file in commit.files.items() if file.lfs} == {"sub/model.safetensors"}


def test_a_repo_exists_once() -> None:
    with LoopbackHub() as hub:
        hub.repo("org/name")
        hub.repo("org/name", repo_type="dataset")
        with pytest.raises(ValueError, match="model org/name exists"):
            hub.repo("org/name")
