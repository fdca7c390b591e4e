"""Which tag a PEP 440 range means. PURE: owns the choice, asks nobody."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from mlxlock.errors import ManifestError
from mlxlock.spec.names import CommitHash, Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag and where it points."""

    name: Revision
    commit: CommitHash


def newest(tags: Iterable[Tag], wanted: str) -> Tag | None:
    """The tag with the highest version in a range; pre-releases count only when the range names one.

    Args:
        tags: Those whose names are no version (`v1.2` and `1.2` are) are passed over.
        wanted: As `>=1.0,<2`.

    Raises:
        ManifestError: `wanted` is no PEP 440 range.
    """
    try:
        specifier = SpecifierSet(wanted)
    except InvalidSpecifier as problem:
        raise ManifestError(
            f"`{wanted}` is not a version range", hint="write it as in `>=1.0,<2`"
        ) from problem
    fitting = [(version, tag.name, tag) for version, tag in _versions(tags) if _fits(version, specifier)]
    return max(fitting, key=lambda item: item[:2], default=(None, None, None))[2]


def _fits(version: Version, specifier: SpecifierSet) -> bool:
    # Asked for explicitly: packaging would take a pre-release when there is nothing else.
    unripe = version.is_prerelease and not specifier.prereleases
    return not unripe and specifier.contains(version, prereleases=True)


def _versions(tags: Iterable[Tag]) -> Iterator[tuple[Version, Tag]]:
    for tag in tags:
        try:
            yield Version(tag.name), tag
        except InvalidVersion:
            continue
