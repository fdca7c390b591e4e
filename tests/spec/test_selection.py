"""Groups choose models as uv's groups choose dependencies, and a misspelt name is never nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import default_environment

from mlxlock.errors import UsageError
from mlxlock.spec.manifest import Manifest
from mlxlock.spec.manifest_reader import parse_manifest
from mlxlock.spec.selection import Selection, all_groups, is_for, selected, why_left_out

MANIFEST = parse_manifest("""
[models.chat]
repo = "o/chat"
[models.vision]
repo = "o/vision"
groups = ["vlm"]
[models.asr]
repo = "o/asr"
groups = ["audio", "ci"]
[models.mac]
repo = "o/mac"
when = "sys_platform == 'darwin'"
""")
HERE = {key: str(value) for key, value in default_environment().items()}
MAC = {**HERE, "sys_platform": "darwin"}
LINUX = {**HERE, "sys_platform": "linux"}
GROUPS = st.lists(st.sampled_from(["vlm", "audio", "ci"]), max_size=2).map(tuple)


def names(selection: Selection, environment: dict[str, str] = MAC) -> list[str]:
    return [model.name for model in selected(MANIFEST, selection, environment)]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), ["chat", "mac"]),
        (Selection(groups=("vlm",)), ["chat", "vision", "mac"]),
        (Selection(groups=("ci", "vlm")), ["chat", "vision", "asr", "mac"]),
        (Selection(only_groups=("audio",)), ["asr"]),
        (Selection(only_groups=("audio",), groups=("vlm",)), ["vision", "asr"]),
        (Selection(all_groups=True), ["chat", "vision", "asr", "mac"]),
        (Selection(all_groups=True, no_groups=("vlm",)), ["chat", "asr", "mac"]),
        (Selection(all_groups=True, no_groups=("ci",)), ["chat", "vision", "asr", "mac"]),
        (Selection(groups=("vlm",), no_groups=("vlm",)), ["chat", "mac"]),
        (Selection(models=("asr",)), ["asr"]),
        (Selection(models=("vision", "chat")), ["chat", "vision"]),
    ],
)
def test_groups_and_names_choose(selection: Selection, expected: list[str]) -> None:
    assert names(selection) == expected


def test_when_leaves_out_what_is_not_for_here() -> None:
    assert names(Selection(), LINUX) == ["chat"]
    assert [is_for(model, LINUX) for model in MANIFEST.models] == [True, True, True, False]


def test_a_named_model_that_is_not_for_here_is_an_error() -> None:
    with pytest.raises(UsageError, match="`mac` is not for this environment"):
        names(Selection(models=("mac",)), LINUX)


@pytest.mark.parametrize(
    ("selection", "reason"),
    [
        (Selection(models=("chatt",)), "`models.toml` has no model `chatt`, did you mean `chat`?"),
        (Selection(groups=("vml",)), "`models.toml` has no group `vml`, did you mean `vlm`?"),
        (Selection(only_groups=("zzz",)), "`models.toml` has no group `zzz`"),
        (Selection(no_groups=("\x1b",)), r"`models.toml` has no group `\x1b`"),
    ],
)
def test_what_the_manifest_does_not_have_is_an_error(selection: Selection, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        names(selection)
    assert caught.value.reason == reason


def test_the_error_lists_what_there_is() -> None:
    with pytest.raises(UsageError) as caught:
        names(Selection(groups=("zzz",)))
    assert caught.value.hint == "it has these groups: `audio`, `ci`, `vlm`"
    with pytest.raises(UsageError) as caught:
        selected(Manifest(), Selection(models=("a",)), MAC)
    assert caught.value.hint == "it has these models: none"


@given(GROUPS, GROUPS, GROUPS)
def test_asking_for_more_groups_never_takes_a_model_away(
    groups: tuple[str, ...], more: tuple[str, ...], without: tuple[str, ...]
) -> None:
    fewer = names(Selection(groups=groups, no_groups=without))
    assert set(fewer) <= set(names(Selection(groups=groups + more, no_groups=without)))


def test_all_groups_are_listed_once_and_sorted() -> None:
    assert all_groups(MANIFEST) == ("audio", "ci", "vlm")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("mac", "`when = 'sys_platform == \"darwin\"'`"),
        ("vision", "group `vlm`"),
        ("asr", "groups `audio`, `ci`"),
        ("chat", "it is in no group"),
    ],
)
def test_what_leaves_a_model_out_is_its_marker_or_its_groups(name: str, why: str) -> None:
    model = MANIFEST.model(name)
    assert model is not None
    assert why_left_out(model, LINUX) == why
