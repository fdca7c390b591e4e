"""Names that cannot be wrong: what is refused where it enters cannot do harm later."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlxlock.spec.names import CommitHash, ModelName, RepoId, RepoPath, Revision, collision_key


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "..", "a//b", "a/./b", "a/../b", "/a", "a/", "\\a", "a\\b", "a\x00b", "a\nb", "a\u202eb"),
        *(".git/config", "a/.GIT/x", "con", "a/NUL.txt", "a:b", "a.", "a ", "x" * 256),
    ],
)
def test_a_path_that_could_do_harm_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"path|component"):
        RepoPath(text)


@given(st.text(max_size=40))
def test_no_text_yields_a_path_outside_its_root(text: str) -> None:
    try:
        path = RepoPath(text)
    except ValueError:
        return
    assert not path.startswith("/")
    assert not {"", ".", ".."} & set(path.split("/"))
    assert "\\" not in path


def test_paths_know_their_parents_and_suffix() -> None:
    path = RepoPath("a/b/model.SafeTensors")
    assert path.parents == ("a", "a/b")
    assert path.suffix == ".safetensors"
    assert RepoPath(".gitattributes").suffix == ""
    assert RepoPath("a") / "b" == "a/b"


@pytest.mark.parametrize("text", ["", "a/b/c", "/a", "a/", "a--b", "a..b", "-a/b", "a/b.", "a b", "a/b\n"])
def test_what_is_no_repo_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a repo id"):
        RepoId(text)


def test_a_repo_id_names_its_directory_and_its_cache_folder() -> None:
    assert RepoId("mlx-community/Qwen3-4B").basename == "Qwen3-4B"
    assert RepoId("t5-base").basename == "t5-base"
    assert RepoId("a/b").cache_folder() == "models--a--b"
    assert RepoId("t5-base").cache_folder("dataset") == "datasets--t5-base"


@pytest.mark.parametrize(
    "text", ["", "a..b", "/a", "a/", "a b", "a~1", ".a", "a.lock", "a@{1}", "a\x1b", "x/aux"]
)
def test_what_is_no_revision_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a branch"):
        Revision(text)


def test_a_revision_that_no_filesystem_could_hold_is_refused() -> None:
    assert Revision("refs/pr/" + "x" * 255)
    with pytest.raises(ValueError, match="is not a branch"):
        Revision("refs/pr/" + "x" * 256)


@pytest.mark.parametrize("text", ["", "-a", "a-", "a b", "a/b", "a\n", "é", "x" * 65])
def test_what_is_no_model_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a model name"):
        ModelName(text)


@given(st.text(max_size=40))
def test_no_text_yields_a_revision_outside_of_refs(text: str) -> None:
    try:
        revision = Revision(text)
    except ValueError:
        return
    assert not {"", ".", ".."} & set(revision.split("/"))


@pytest.mark.parametrize("name", [RepoId("a/b"), Revision("v1"), ModelName("a"), RepoPath("a/b")])
def test_a_name_is_still_the_text_it_was(name: str) -> None:
    assert type(name)(str(name)) == name
    assert hash(name) == hash(str(name))


def test_revisions_know_commits() -> None:
    assert Revision("a" * 40).is_commit
    assert not Revision("refs/pr/1").is_commit
    with pytest.raises(ValueError, match="40 hex digits"):
        CommitHash("A" * 40)


@given(st.text(max_size=20))
def test_a_collision_key_is_stable(text: str) -> None:
    assert collision_key(collision_key(text)) == collision_key(text)
    assert collision_key(text.upper()) == collision_key(text.upper().lower()) or not text.isascii()
