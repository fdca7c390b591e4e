"""The ownership list: what earlier syncs wrote into a workspace, kept in the workspace itself.

Owns the text of `.hf_cache/.mlxk_files`. Follows from the lock alone, so that two machines write the same
bytes; a list that cannot be read owns nothing, and nothing that is not owned is ever removed.

One line a path, sorted bytewise by path: `<blake3>  <path>`, as `b3sum` prints it, or `-> <target>  <path>`
with the target percent-encoded. While an apply runs, a path may have two lines: what was there, what comes.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import quote, unquote

from mlxlock.planning.layout import CACHE_DIR
from mlxlock.spec.digest import Blake3
from mlxlock.spec.names import RepoPath

OWNERSHIP_PATH: Final = RepoPath(f"{CACHE_DIR}/.mlxk_files")
_LINK: Final = "-> "
_BETWEEN: Final = "  "

Claims = Mapping[RepoPath, tuple[str, ...]]
"""What each owned path holds, as `Inventory.owned` spells it; two contents while an apply runs."""


def format_ownership(claims: Claims) -> bytes:
    """The list's bytes; `parse_ownership` reads them back."""
    ordered = sorted(claims.items(), key=lambda item: item[0].encode())
    lines = (f"{_spelled(content)}{_BETWEEN}{path}\n" for path, contents in ordered for content in contents)
    return "".join(lines).encode()


def parse_ownership(packed: bytes, known: Iterable[RepoPath] = ()) -> Claims:
    """Read a list.

    Args:
        packed: Its bytes.
        known: Paths that were checked already, which is what costs the time here.

    Raises:
        ValueError: It is not one that `format_ownership` writes.
    """
    checked: dict[str, RepoPath] = {path: path for path in known}
    claims: dict[RepoPath, tuple[str, ...]] = {}
    for line in _lines(packed.decode("utf-8")):
        name, content = _parse_line(line)
        path = checked.get(name) or RepoPath(name)
        claims[path] = (*claims.get(path, ()), content)
    return claims


def during(before: Claims, after: Mapping[RepoPath, str]) -> Claims:
    """What the list says while an apply turns `before` into `after`, wherever it is killed."""
    paths = [*before, *(path for path in after if path not in before)]
    return {path: _both(before.get(path, ()), after.get(path)) for path in paths}


def finished(after: Mapping[RepoPath, str]) -> Claims:
    """What the list says when an apply is done."""
    return {path: (content,) for path, content in after.items()}


def _both(before: Collection[str], after: str | None) -> tuple[str, ...]:
    return tuple(before) if after is None or after in before else (*before, after)


def _spelled(content: str) -> str:
    return _LINK + quote(content.removeprefix(_LINK)) if content.startswith(_LINK) else content


def _lines(text: str) -> Iterator[str]:
    if text and not text.endswith("\n"):
        raise ValueError("the last line was cut off")
    yield from text.split("\n")[:-1]


def _parse_line(line: str) -> tuple[str, str]:
    spelled, _, path = line.partition(_BETWEEN)
    if spelled.startswith(_LINK):
        return path, _LINK + unquote(spelled.removeprefix(_LINK), errors="strict")
    return path, Blake3(spelled)
