"""Names that cannot be wrong: repos, revisions, commits, paths, model names.

Each is a `str` that was checked once, where it entered. Owns their grammar and nothing else.
Source: huggingface_hub's `validate_repo_id`, and formats.md §2.6 for paths.
"""

import re
import unicodedata
from typing import Final, Literal, Self

RepoType = Literal["model", "dataset", "space"]
REPO_TYPES: Final[tuple[RepoType, ...]] = ("model", "dataset", "space")

_REPO_PART: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_MODEL_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_DEVICES: Final = re.compile(r"(?i:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?")
_MAX_COMPONENT_BYTES: Final = 255


def printable(text: str) -> bool:
    """Whether a text is safe to show on a terminal (no control, format or line-separating characters)."""
    if text.isascii():
        return text.isprintable()  # the same for ASCII, and a listing asks it thousands of times
    return not any(unicodedata.category(char) in _UNPRINTABLE for char in text)


class RepoId(str):
    """A repo as the Hub names it: `org/name`, or one legacy segment (`t5-base`).

    Raises:
        ValueError: The text is no repo id.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check and wrap `text`."""
        parts = text.split("/")
        if len(parts) > 2 or ".." in text or "--" in text or not all(map(_REPO_PART.fullmatch, parts)):
            raise ValueError(f"{text!r} is not a repo id such as 'mlx-community/Qwen3-4B-4bit'")
        return super().__new__(cls, text)

    @property
    def basename(self) -> str:
        """The last segment: the directory that a model gets in the workspace."""
        return self.rpartition("/")[2]

    def cache_folder(self, repo_type: RepoType = "model") -> str:
        """The folder below `.hf_cache/hub`, e.g. `models--org--name`."""
        return "--".join([f"{repo_type}s", *self.split("/")])


class Revision(str):
    """A branch, a tag, `refs/pr/N` or a commit, as someone asked for it.

    Raises:
        ValueError: Git would refuse the name, it could leave `refs/`, or no filesystem could hold it.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check and wrap `text`."""
        components = text.split("/")
        bad = any(not part or part.startswith(".") or part.endswith((".lock", ".")) for part in components)
        bad = bad or any(map(_DEVICES.fullmatch, components))
        bad = bad or any(len(part.encode(errors="replace")) > _MAX_COMPONENT_BYTES for part in components)
        if bad or ".." in text or not printable(text) or re.search(r"[\s~^:?*\[\\]|@\{", text):
            raise ValueError(f"{text!r} is not a branch, tag, `refs/pr/N` or commit")
        return super().__new__(cls, text)

    @property
    def is_commit(self) -> bool:
        """Whether this is a full commit hash already."""
        return _COMMIT.fullmatch(self) is not None


class CommitHash(str):
    """Forty lower-case hex digits.

    Raises:
        ValueError: The text is anything else.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check and wrap `text`."""
        if not _COMMIT.fullmatch(text):
            raise ValueError(f"{text!r} is not a commit (40 hex digits)")
        return super().__new__(cls, text)


class ModelName(str):
    """The key of `[models.<name>]`.

    Raises:
        ValueError: The text has other characters than letters, digits, `.`, `_` and `-`.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check and wrap `text`."""
        if not _MODEL_NAME.fullmatch(text):
            raise ValueError(f"{text!r} is not a model name (letters, digits, `.`, `_`, `-`)")
        return super().__new__(cls, text)


class RepoPath(str):
    """A relative POSIX path that cannot leave its root.

    Raises:
        ValueError: Absolute, empty, with `..`, backslashes, control characters, `.git`, device names or
            components longer than 255 bytes.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check and wrap `text`."""
        if text.startswith("/") or "\\" in text or not printable(text):
            raise ValueError(f"{text!r} is not a relative POSIX path")
        for component in text.split("/"):
            _check_component(component, text)
        return super().__new__(cls, text)

    def __truediv__(self, other: str) -> "RepoPath":
        """The path `other` below this one."""
        return RepoPath(f"{self}/{other}")

    @property
    def parents(self) -> tuple[str, ...]:
        """Every directory above, outermost first."""
        parts = self.split("/")
        return tuple("/".join(parts[:count]) for count in range(1, len(parts)))

    @property
    def suffix(self) -> str:
        """The extension with its dot, lower case; empty when there is none."""
        name = self.rpartition("/")[2]
        return "." + name.rpartition(".")[2].lower() if "." in name[1:] else ""


def _check_component(component: str, text: str) -> None:
    if component in {"", ".", ".."}:
        raise ValueError(f"{text!r} has an empty, `.` or `..` component")
    if component.casefold() == ".git" or _DEVICES.fullmatch(component) or component.endswith((" ", ".")):
        raise ValueError(f"{text!r} has the reserved component {component!r}")
    if ":" in component or len(component.encode()) > _MAX_COMPONENT_BYTES:
        raise ValueError(f"{text!r} has a component that not every filesystem can hold")


def collision_key(path: str) -> str:
    """What a case-insensitive, Unicode-normalising filesystem (APFS) would take a path for."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
