"""A PEP 440 range means the highest tag in it."""

import pytest

from mlxlock.errors import ManifestError
from mlxlock.hub.tags import Tag, newest
from mlxlock.spec.names import CommitHash, Revision

TAGS = ["v1.0", "1.2", "v1.10", "v2.0rc1", "v2.0", "v3.0.dev1", "latest", "release/9", "v1.2.post1"]


def choose(wanted: str, *names: str) -> str | None:
    tags = [Tag(name=Revision(name), commit=CommitHash("0" * 40)) for name in names or TAGS]
    tag = newest(tags, wanted)
    return None if tag is None else str(tag.name)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (">=1.0,<2", "v1.10"),
        ("~=1.2", "v1.10"),
        ("==1.2", "1.2"),
        (">=1", "v2.0"),
        ("", "v2.0"),
        (">=2.0rc1,<2.0.0", None),
        ("==2.0rc1", "v2.0rc1"),
        (">=3.0.dev0", "v3.0.dev1"),
        (">=4", None),
        ("<1", None),
    ],
)
def test_the_highest_version_wins(wanted: str, expected: str | None) -> None:
    assert choose(wanted) == expected


def test_a_prerelease_alone_is_not_taken_unasked() -> None:
    assert choose(">=1", "v2.0b1") is None


@pytest.mark.parametrize("names", [("v1.2", "1.2"), ("1.2", "v1.2")])
def test_two_spellings_of_one_version_do_not_depend_on_their_order(names: tuple[str, ...]) -> None:
    assert choose("==1.2", *names) == "v1.2"


@pytest.mark.parametrize("wanted", ["newest", ">=", "1.2", ">=1 or <2"])
def test_what_is_no_range_is_the_manifests_fault(wanted: str) -> None:
    with pytest.raises(ManifestError):
        choose(wanted)
