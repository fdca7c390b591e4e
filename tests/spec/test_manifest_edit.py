"""Edits touch nothing but the entry: every other byte of a person's file stays."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlxlock.errors import ManifestError, UsageError
from mlxlock.spec.manifest import Manifest
from mlxlock.spec.manifest_edit import add_model, new_manifest, remove_model
from mlxlock.spec.manifest_reader import parse_manifest
from mlxlock.spec.names import ModelName
from tests.spec.manifests import EXAMPLE

NEW = ModelName("new.one")
FIELDS: dict[str, str | list[str]] = {
    "repo": "org/name",
    "exclude": ["*.md", 'a "b"\\'],
    "when": "sys_platform == 'x'",
}

PIECES = st.lists(
    st.sampled_from(
        [
            "# a comment\n",
            "\n",
            "  \n",
            "[models.a]   # the first\nrepo = 'org/a'\n# revision = 'v1'\n",
            '[models."b"]\nrepo="org/b"\nexclude = [\n  "[models.new.one]", # not a header\n]\n',
            "[models.c]\nrepo = '''\n[models.'new.one']\n\n'''\n",
            "[ models . d ]\nrepo = 'org/d'\n[models.d.sub]\nx = 1\n\n[[models.d.run]]\n# tail\n",
            "[workspace]\n\tpath = 'm'\n\n",
            "[policy]\nx = [\n  [1, 2],\n  ['policy'],\n]\n",
        ]
    ),
    unique=True,
    max_size=8,
)
ENDS = st.sampled_from(["", "\n", "\n\n", "# the end", "[artifacts]", "\n \n#\n\n"])


@st.composite
def manifests(draw: st.DrawFn) -> str:
    text = "".join(draw(PIECES)) + draw(ENDS)
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


@given(manifests())
def test_what_was_added_and_removed_was_never_there(text: str) -> None:
    assert remove_model(add_model(text, NEW, FIELDS), NEW) == text


@given(manifests())
def test_adding_only_appends_and_keeps_the_line_ends(text: str) -> None:
    added = add_model(text, NEW, FIELDS)
    assert added.startswith(text)
    assert tomllib.loads(added)["models"][NEW] == FIELDS
    assert text.count("\r\n") == text.count("\n") or "\r\n" not in added
    assert added.endswith("\n") == (not text or text.endswith("\n"))


@given(manifests(), st.sampled_from("abcd"))
def test_removing_takes_one_piece_out_and_changes_no_other_meaning(text: str, name: str) -> None:
    document = tomllib.loads(text)
    if name not in document.get("models", {}):
        with pytest.raises(UsageError, match=f"`models.toml` has no model `{name}`"):
            remove_model(text, name)
        return
    edited = remove_model(text, name)
    del document["models"][name]
    assert {"models": {}, **tomllib.loads(edited)} == document
    common = len(text) - len(edited)
    assert any(text[:cut] + text[cut + common :] == edited for cut in range(len(edited) + 1))


def test_a_new_manifest_is_an_empty_one() -> None:
    assert parse_manifest(new_manifest()) == Manifest()


def test_an_added_model_reads_as_a_person_would_have_written_it() -> None:
    text = add_model(new_manifest(), ModelName("chat"), {"repo": "org/chat", "groups": ["ci"]})
    assert text == new_manifest() + '\n[models.chat]\nrepo = "org/chat"\ngroups = ["ci"]\n'


def test_a_model_with_comments_inside_goes_and_the_neighbours_comments_stay() -> None:
    text = "# one\n[models.a]\nrepo = 'o/a'\n# inside of a\n\n# two\n[models.b]\nrepo = 'o/b'\n"
    assert remove_model(text, "a") == "# one\n\n# two\n[models.b]\nrepo = 'o/b'\n"
    assert remove_model(text, "b") == "# one\n[models.a]\nrepo = 'o/a'\n# inside of a\n\n# two\n"


def test_a_comment_right_above_the_next_table_is_the_next_tables() -> None:
    text = "[models.a]\nrepo = 'o/a'\n# two\n[models.b]\nrepo = 'o/b'\n# inside of b\n"
    assert remove_model(text, "a") == "# two\n[models.b]\nrepo = 'o/b'\n# inside of b\n"
    assert remove_model(text, "b") == "[models.a]\nrepo = 'o/a'\n# two\n"


def test_the_first_model_leaves_no_blank_line_behind() -> None:
    assert remove_model("[models.a]\nrepo = 'o/a'\n\n[policy]\n", "a") == "[policy]\n"


def test_the_worked_example_loses_only_the_model() -> None:
    edited = remove_model(EXAMPLE, "vision")
    whole = parse_manifest(EXAMPLE)
    assert parse_manifest(edited) == Manifest(
        models=tuple(model for model in whole.models if model.name != "vision"),
        artifacts=whole.artifacts,
        workspace=whole.workspace,
        sandbox=whole.sandbox,
        policy=whole.policy,
    )
    lines = iter(EXAMPLE.splitlines())
    assert all(line in lines for line in edited.splitlines())


def test_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(UsageError, match=r"`models\.toml` has a model `a` already"):
        add_model("[models.a]\n", ModelName("a"), {})


def test_a_name_that_is_not_there_is_refused_with_the_near_one() -> None:
    with pytest.raises(UsageError) as caught:
        remove_model("[models.chat]\n[models.asr]\n", "chta")
    assert caught.value.reason == "`models.toml` has no model `chta`, did you mean `chat`?"
    assert caught.value.hint == "it has: `chat`, `asr`"
    with pytest.raises(UsageError) as caught:
        remove_model("", "a")
    assert caught.value.hint == "it has: none"


@pytest.mark.parametrize("text", ["models = { a = { repo = 'o/a' } }", "models = 3"])
def test_what_cannot_be_continued_by_a_table_is_refused(text: str) -> None:
    with pytest.raises(ManifestError, match=r"`\[models.b\]` cannot be added to it") as caught:
        add_model(text, ModelName("b"), {"repo": "o/b"})
    assert caught.value.hint == "edit `models.toml` by hand, with one `[models.<name>]` table a model"


@pytest.mark.parametrize(
    "text",
    [
        "models = { a = { repo = 'o/a' } }",
        "[models]\na = { repo = 'o/a' }\n",
        "models.a.repo = 'o/a'\n",
        "[models.a]\nrepo = 'o/a'\n[models.b]\nrepo = 'o/b'\n[models.a.sub]\n",
    ],
)
def test_what_is_no_table_of_its_own_is_refused(text: str) -> None:
    with pytest.raises(ManifestError, match=r"`models\.a` cannot be taken out of it"):
        remove_model(text, "a")


@pytest.mark.parametrize(
    "edit", [lambda text: add_model(text, NEW, {}), lambda text: remove_model(text, "a")]
)
def test_what_is_no_toml_is_not_edited(edit: object) -> None:
    assert callable(edit)
    with pytest.raises(ManifestError, match="line 1, column 3"):
        edit("a b = 1")
