"""Our globs are the Hub's globs: whatever huggingface_hub would have fetched is what we lock."""

from huggingface_hub.utils._paths import filter_repo_objects
from hypothesis import example, given
from hypothesis import strategies as st

from mlxlock.spec.patterns import path_filter, unmatched

PATHS = st.text(alphabet="ab.*?[]!-/\\\n", min_size=1, max_size=12)
PATTERNS = st.lists(st.text(alphabet="aab.*?[]!-/\\", max_size=8), max_size=3)


@given(st.lists(PATHS, max_size=6), PATTERNS, PATTERNS)
@example(["a/b/c.json", "c.json", "A.JSON"], ["*.json"], ["a/*"])
@example(["docs/x/y.md", "docs", "docs2/z"], [], ["docs/"])
@example(["a\nb"], ["a*"], [])
@example(["x"], ["[]", "[!", "["], ["\\"])
def test_the_hub_would_have_chosen_the_same_files(
    paths: list[str], include: list[str], exclude: list[str]
) -> None:
    belongs = path_filter(include, exclude)
    expected = filter_repo_objects(
        [path.replace("\\", "/") for path in paths],
        allow_patterns=include or None,
        ignore_patterns=exclude or None,
    )
    assert [path for path in (path.replace("\\", "/") for path in paths) if belongs(path)] == list(expected)


def test_no_patterns_mean_every_file() -> None:
    assert path_filter()("any/thing")


def test_patterns_that_match_nothing_are_known() -> None:
    assert unmatched(["*.json", "*.jsno", "docs/"], ["a/config.json", "docs.md"]) == ("*.jsno", "docs/")
