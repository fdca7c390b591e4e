"""The Hub's own glob rules for `include` and `exclude`.

Owns the matching of paths, and nothing of where the patterns came from. Source: huggingface_hub's
`filter_repo_objects`, which a test holds this equal to: `*` crosses `/`, case counts, a trailing `/` means
everything below, and a backslash is taken for `/`.
"""

import re
from collections.abc import Callable, Iterable
from fnmatch import translate


def path_filter(include: Iterable[str] = (), exclude: Iterable[str] = ()) -> Callable[[str], bool]:
    """What says of a path whether it belongs to the model.

    Args:
        include: Patterns of which a path has to match one; none means every path.
        exclude: Patterns of which a path must not match any.

    Returns:
        A function of a relative POSIX path.
    """
    included = _matcher(include)
    excluded = _matcher(exclude)

    def belongs(path: str) -> bool:
        return (included is None or included(path)) and not (excluded is not None and excluded(path))

    return belongs


def unmatched(patterns: Iterable[str], paths: Iterable[str]) -> tuple[str, ...]:
    """The patterns that match no path at all: most likely misspelt."""
    known = list(paths)
    return tuple(pattern for pattern in patterns if not any(map(path_filter([pattern]), known)))


def _matcher(patterns: Iterable[str]) -> Callable[[str], bool] | None:
    """One expression for all patterns: a repo may have thousands of files."""
    expressions = [translate(_normal(pattern)) for pattern in patterns]
    if not expressions:
        return None
    match = re.compile("|".join(expressions)).match
    return lambda path: match(path) is not None


def _normal(pattern: str) -> str:
    pattern = pattern.replace("\\", "/")
    return pattern + "*" if pattern.endswith("/") else pattern
