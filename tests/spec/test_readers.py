"""The readers find every problem of a table, say where it is, and never let an unsafe character through."""

from collections.abc import Callable

import pytest

from mlxlock.errors import LockfileError, ManifestError
from mlxlock.spec.names import ModelName, RepoId, Revision, printable
from mlxlock.spec.readers import MAX_LISTED, Problems, Table, load_toml, plain, toml_type


def table_of(text: str) -> Table:
    return load_toml(text, "models.toml", ManifestError)


def told(table: Table) -> list[str]:
    return [str(problem) for problem in table.problems]


def test_right_values_come_back_typed_and_without_problems() -> None:
    root = table_of("""
        repo = "org/name"
        size = 3
        gated = true
        include = ["*.json", "*.py"]
        level = "full"
        pins = { "org/other" = "v1" }
        [models.a]
        [models.b]
        [[run]]
        name = "x"
    """)
    assert root.text("repo", RepoId) == RepoId("org/name")
    assert root.integer("size") == 3
    assert root.flag("gated") is True
    assert root.texts("include", str) == ("*.json", "*.py")
    assert root.choice("level", ("full", "partial")) == "full"
    assert root.mapping("pins", RepoId, Revision) == {"org/other": "v1"}
    assert [(name, table.place) for name, table in root.named("models", ModelName)] == [
        ("a", "models.a"),
        ("b", "models.b"),
    ]
    assert [(run.place, run.text("name", plain)) for run in root.tables("run")] == [("run[0]", "x")]
    root.finish()
    assert told(root) == []


def test_absent_keys_are_no_problem_unless_they_are_required() -> None:
    root = table_of("[models.a]")
    (_, model) = next(root.named("models", ModelName))
    assert (model.text("repo", RepoId), model.integer("n"), model.flag("f")) == (None, None, None)
    assert (model.texts("t", str), model.table("x"), model.tables("y")) == ((), None, ())
    assert (list(model.named("z", str)), model.mapping("m", str, str), model.has("m")) == ([], {}, False)
    assert told(root) == []
    model.text("repo", RepoId, required=True)
    model.integer("size", required=True)
    model.flag("flag", required=True)
    model.texts("files", str, required=True)
    model.table("snapshot", required=True)
    model.tables("proofs", required=True)
    model.choice("level", ("full",), required=True)
    missing = ["repo", "size", "flag", "files", "snapshot", "proofs", "level"]
    assert told(root) == [f"`models.a`: `{key}` is missing" for key in missing]


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (lambda table: table.text("x", str), "expected a string"),
        (lambda table: table.choice("x", ("full",)), "expected a string"),
        (lambda table: table.integer("x"), "expected an integer"),
        (lambda table: table.flag("x"), "expected true or false"),
        (lambda table: table.texts("x", str), "expected an array of strings"),
        (lambda table: table.table("x"), "expected a table"),
        (lambda table: table.tables("x"), "expected an array of tables"),
        (lambda table: list(table.named("x", str)), "expected a table"),
        (lambda table: table.mapping("x", str, str), "expected a table"),
    ],
)
def test_a_wrong_type_says_what_was_expected_and_what_is_there(
    read: Callable[[Table], object], expected: str
) -> None:
    root = table_of("[m]\nx = 1.5")
    below = root.table("m")
    assert below is not None
    assert not read(below)
    assert told(root) == [f"`m.x`: {expected}, got a float"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("true", "a boolean"),
        ("'s'", "a string"),
        ("1", "an integer"),
        ("nan", "a float"),
        ("[]", "an array"),
        ("{}", "a table"),
        ("2026-01-02", "a date or time"),
    ],
)
def test_types_are_called_as_toml_calls_them(text: str, words: str) -> None:
    assert toml_type(table_of(f"x = {text}").value("x")) == words


def test_items_of_arrays_have_their_own_place() -> None:
    root = table_of('[m]\ninclude = ["ok", 3]\nrun = [{}, 4]\npins = { "a/b" = 1, "x y" = "v1" }')
    below = root.table("m")
    assert below is not None
    assert below.texts("include", str) == ("ok",)
    assert len(below.tables("run")) == 1
    assert below.mapping("pins", RepoId, Revision) == {}
    assert told(root) == [
        "`m.include[1]`: expected a string, got an integer",
        "`m.run[1]`: expected a table, got an integer",
        '`m.pins."a/b"`: expected a string, got an integer',
        "`m.pins.\"x y\"`: 'x y' is not a repo id such as 'mlx-community/Qwen3-4B-4bit'",
    ]


def test_named_passes_over_what_is_no_table() -> None:
    root = table_of("[models]\na = 1\n[models.b]")
    assert [name for name, _ in root.named("models", ModelName)] == ["b"]
    assert told(root) == ["`models.a`: expected a table, got an integer"]


def test_a_wrong_name_does_not_hide_the_table_below_it() -> None:
    root = table_of('[models."x y"]\nrepo = 1')
    ((name, below),) = root.named("models", ModelName)
    assert (name, below.text("repo", str)) == (None, None)
    assert told(root) == [
        "`models.\"x y\"`: 'x y' is not a model name (letters, digits, `.`, `_`, `-`)",
        '`models."x y".repo`: expected a string, got an integer',
    ]


@pytest.mark.parametrize(
    ("value", "than"), [("-1", "smaller"), ("9223372036854775808", "larger"), ("0x" + "f" * 9999, "larger")]
)
def test_integers_have_bounds(value: str, than: str) -> None:
    root = table_of(f"size = {value}")
    assert root.integer("size") is None
    assert told(root) == [f"`size`: expected an integer from 0 to 9223372036854775807, got a {than} one"]


def test_a_boolean_is_no_integer() -> None:
    root = table_of("size = true")
    assert root.integer("size") is None
    assert told(root) == ["`size`: expected an integer, got a boolean"]


def test_a_choice_suggests_the_near_one() -> None:
    root = table_of('a = "ful"\nb = "zzz"')
    root.choice("a", ("full", "partial"))
    root.choice("b", ("full", "partial"))
    assert told(root) == [
        "`a`: expected one of `full`, `partial`, got `ful`, did you mean `full`?",
        "`b`: expected one of `full`, `partial`, got `zzz`",
    ]


def test_unknown_keys_suggest_the_nearest() -> None:
    root = table_of("[m]\nexlude = 1\ninclude = []\ninclud = 2\nzzz = 3")
    below = root.table("m")
    assert below is not None
    below.texts("include", str)
    below.texts("exclude", str)
    below.finish()
    assert below.unknown() == ("exlude", "includ", "zzz")
    assert told(root) == [
        "`m`: unknown key `exlude`, did you mean `exclude`?",
        "`m`: unknown key `includ`, did you mean `include`?",
        "`m`: unknown key `zzz`",
    ]
    root.value("other")
    root.finish()
    assert len(root.problems) == 3


def test_a_crowd_of_unknown_keys_is_not_searched_one_by_one() -> None:
    root = table_of("\n".join(f"k{number} = 1" for number in range(1000)))
    root.finish()
    assert len(root.problems) == MAX_LISTED


def test_problems_of_the_root_have_no_place() -> None:
    root = table_of("verson = 1")
    root.integer("version", required=True)
    root.finish()
    assert told(root) == ["`version` is missing", "unknown key `verson`, did you mean `version`?"]


def test_nothing_from_the_file_can_steer_a_terminal() -> None:
    root = table_of('"k\\u001b[31m" = 1\nlevel = "\\u202eevil"\nrepo = "\\u0007"\n[t."\\u009b2J"]\nx = 1')
    root.choice("level", ("full",))
    root.text("repo", RepoId)
    for _, below in root.named("t", ModelName):
        below.flag("x")
    root.finish()
    assert len(root.problems) == 5
    assert all(printable(line) for line in told(root))


def test_overlong_values_are_cut() -> None:
    root = table_of(f'level = "{"x" * 5000}"\nrepo = "{"y" * 5000}"\n{"z" * 5000} = 1')
    root.choice("level", ("full",))
    root.text("repo", RepoId)
    root.finish()
    assert len(root.problems) == 3
    assert all(len(line) < 400 for line in told(root))


def test_nothing_is_raised_when_nothing_is_wrong() -> None:
    Problems().raise_as(ManifestError, "models.toml")


def test_everything_is_raised_at_once_with_the_first_hint() -> None:
    problems = Problems()
    problems.add("a", "is wrong")
    problems.add("", "is odd", "try this")
    problems.add("b", "is bad", "or that")
    with pytest.raises(LockfileError) as caught:
        problems.raise_as(LockfileError, "models.lock")
    assert caught.value.reason == "`models.lock` has 3 problems"
    assert caught.value.hint == "try this"
    assert caught.value.details == ("`a`: is wrong", "is odd", "`b`: is bad")


def test_one_problem_is_not_called_problems() -> None:
    problems = Problems()
    problems.add("a", "is wrong")
    with pytest.raises(ManifestError, match=r"^`models.toml` has a problem$"):
        problems.raise_as(ManifestError, "models.toml")


def test_a_hostile_file_does_not_get_to_print_a_book() -> None:
    problems = Problems()
    for number in range(MAX_LISTED + 7):
        problems.add(f"x[{number}]", "is wrong")
    assert len(problems.lines()) == MAX_LISTED + 1
    assert problems.lines()[-1] == "and 7 more"


def test_problem_hints_and_places_from_a_table() -> None:
    root = table_of("[m]")
    below = root.table("m")
    assert below is not None
    below.problem("dir", "clashes", "choose another")
    below.problem(None, "is empty")
    first, second = root.problems
    assert (first.place, first.text, first.hint) == ("m.dir", "clashes", "choose another")
    assert (second.place, second.text, second.hint) == ("m", "is empty", None)


@pytest.mark.parametrize("text", ["", "a\nb", "\x1b[0m", "a\u2028b"])
def test_plain_refuses_what_cannot_be_shown(text: str) -> None:
    with pytest.raises(ValueError, match="is empty or has control characters"):
        plain(text)
