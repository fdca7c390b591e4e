"""The real layout, the real store and the real huggingface_hub around a built workspace."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from mlxlock.errors import OfflineMissingError
from mlxlock.planning.layout import Tree, lay_out
from mlxlock.planning.plan import Plan, make_plan
from mlxlock.spec.digest import GitOid, git_blob_header
from mlxlock.spec.lockfile import Artifact, LockedModel, Request, Snapshot
from mlxlock.spec.names import CommitHash, ModelName, RepoId, RepoPath, Revision
from mlxlock.spec.resolution import FileEntry
from mlxlock.store.blobs import DirectoryStore
from mlxlock.workspace.directory import DirectoryWorkspace
from mlxlock.workspace.environment import strict
from mlxlock.workspace.index import index_path

MODEL = RepoId("org/tiny")
TOKENIZER = RepoId("org/tok")
CONTENTS = {
    "config.json": b"{}",
    "model.safetensors": b"w" * 50_000,
    ".mlxk_workspace.json": b"{}",
    "sub/.mlxk_workspace.json": b'{"mlxk_version": "0"}',
    "vocab.json": b"[]",
    "nested/merges.txt": b"a b",
}
ASK = """
import sys
from pathlib import Path
from huggingface_hub import hf_hub_download, snapshot_download
print(Path(snapshot_download("org/tiny"), "model.safetensors").stat().st_size)
print(Path(hf_hub_download("org/tok", "nested/merges.txt")).read_text())
"""


def _stored(store: DirectoryStore, path: str) -> FileEntry:
    data = CONTENTS[path]
    oid = GitOid(hashlib.sha1(git_blob_header(len(data)) + data).hexdigest())
    with store.deposit(FileEntry(path=RepoPath(path), size_bytes=len(data), git=oid)) as deposit:
        deposit.write(data[deposit.offset :])
        blob = deposit.commit()
    return FileEntry(
        path=RepoPath(path), size_bytes=len(data), git=oid, sha256=blob.sha256, blake3=blob.blake3
    )


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


@pytest.fixture
def tree(store: DirectoryStore) -> Tree:
    artifact = Artifact(
        repo=TOKENIZER,
        revision=Revision("main"),
        commit=CommitHash("b" * 40),
        files=tuple(_stored(store, path) for path in ("nested/merges.txt", "vocab.json")),
        absent=(RepoPath("added_tokens.json"),),
    )
    own = (".mlxk_workspace.json", "config.json", "model.safetensors", "sub/.mlxk_workspace.json")
    files = tuple(_stored(store, path) for path in own)
    model = LockedModel(
        name=ModelName("m"),
        repo=MODEL,
        request=Request(revision=Revision("v1")),
        commit=CommitHash("a" * 40),
        snapshot=Snapshot(size_bytes=sum(file.size_bytes for file in files)),
        files=files,
        artifacts=(artifact,),
    )
    return lay_out([model])


def _sync(tmp_path: Path, tree: Tree, store: DirectoryStore, *, repair: bool = False) -> Plan:
    root = tmp_path / "models"
    index = index_path(store.root / "workspaces", root)
    workspace = DirectoryWorkspace(root, index_path=index, version="1.0")
    plan = make_plan(tree, workspace.scan(tree), repair=repair)
    workspace.apply(plan, store)
    return plan


def test_huggingface_hub_finds_everything_there_offline(
    tmp_path: Path, tree: Tree, store: DirectoryStore
) -> None:
    _sync(tmp_path, tree, store)
    assert _sync(tmp_path, tree, store).is_empty
    variables = strict(tmp_path / "models", tmp_path / "scratch", {}).variables
    command = [sys.executable, "-P", "-c", ASK]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=240, check=False)
    assert done.stdout.splitlines() == ["50000", "a b"], done.stderr
    assert _sync(tmp_path, tree, store).is_empty


def test_a_blob_edited_through_its_link_is_never_linked_onward(
    tmp_path: Path, tree: Tree, store: DirectoryStore
) -> None:
    _sync(tmp_path, tree, store)
    weights = tmp_path / "models/tiny/model.safetensors"
    if weights.stat().st_nlink == 1:
        pytest.skip("this filesystem clones")
    weights.chmod(0o644)
    with weights.open("r+b") as stream:
        stream.write(b"edited")
    plan = _sync(tmp_path, tree, store)
    assert [change.path for change in plan.changed] == ["tiny/model.safetensors"]
    with pytest.raises(OfflineMissingError, match=r"`model\.safetensors` of `m`"):
        _sync(tmp_path, tree, store, repair=True)
    assert weights.read_bytes().startswith(b"edited")
