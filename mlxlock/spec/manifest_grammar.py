"""The small grammars of the manifest: what a group, a host, a directory, a marker or a range may look like.

Owns one parser each, all of them `str` to value with a `ValueError` that a person understands.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from mlxlock.spec.names import RepoId, RepoPath, collision_key
from mlxlock.spec.readers import plain

if TYPE_CHECKING:
    from packaging.markers import Marker

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL}){{0,31}}")
_GROUP: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_DENIED: Final = re.compile(r"(?:https?://|tcp://|/)[^\s]+|[A-Za-z0-9][A-Za-z0-9._-]*(?:/[^\s/]+)*")
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_OF_PACKAGES: Final = re.compile(r"\b(?:extra|extras|dependency_groups)\b")
_SOME_ENVIRONMENT: Final[Mapping[str, str]] = {
    "implementation_name": "cpython",
    "implementation_version": "3.12.1",
    "os_name": "posix",
    "platform_machine": "arm64",
    "platform_python_implementation": "CPython",
    "platform_release": "24.0.0",
    "platform_system": "Darwin",
    "platform_version": "Darwin Kernel Version 24.0.0",
    "python_full_version": "3.12.1",
    "python_version": "3.12",
    "sys_platform": "darwin",
}
"""Any would do: a marker that cannot be judged in this one cannot be judged at all."""


def repo_id(text: str) -> RepoId:
    """A repo, as it is written in a manifest.

    Raises:
        ValueError: It is a URL, or no repo id.
    """
    if "://" in text:
        raise ValueError(f"{text!r} is a URL: expected `org/name`")
    return RepoId(text)


def version_range(text: str) -> str:
    """A PEP 440 range over a repo's tags.

    Raises:
        ValueError: It is none.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415 - few manifests have a range

    try:
        SpecifierSet(plain(text))
    except InvalidSpecifier as error:
        raise ValueError(f"{text!r} is not a range of versions such as '>=1.0,<2'") from error
    return text


def marker(text: str) -> "Marker":
    """A PEP 508 marker over the environment.

    Raises:
        ValueError: It is none, or asks for extras, which only packages have.
    """
    if _OF_PACKAGES.search(_QUOTED.sub("", text)):
        raise ValueError(f"{text!r} asks for extras, which only packages have")
    from packaging.markers import Marker  # noqa: PLC0415 - few manifests have a marker

    try:
        found = Marker(text)
        found.evaluate(dict(_SOME_ENVIRONMENT))
    except (ValueError, KeyError, RecursionError) as error:
        raise ValueError(f"{text!r} is not a marker such as \"sys_platform == 'darwin'\"") from error
    return found


def group_name(text: str) -> str:
    """The name of a group of models.

    Raises:
        ValueError: It has other characters than letters, digits, `.`, `_` and `-`.
    """
    if not _GROUP.fullmatch(text):
        raise ValueError(f"{text!r} is not a group's name (letters, digits, `.`, `_`, `-`)")
    return text


def host_name(text: str) -> str:
    """The lower-case name of a host, without scheme, port or path.

    Raises:
        ValueError: It is none.
    """
    if not _HOST.fullmatch(text):
        raise ValueError(f"{text!r} is not a host such as 'raw.githubusercontent.com'")
    return text


def denied_name(text: str) -> str:
    """What a first run may be refused: `org/name`, a file or all of it below, a URL, or a path of the Hub.

    Raises:
        ValueError: It is none of these.
    """
    if not _DENIED.fullmatch(plain(text)):
        raise ValueError(f"{text!r} is not a repo such as 'org/name', a file of one, or a URL")
    return text


def directory_name(text: str) -> str:
    """A name that a model's directory below the workspace may have.

    Raises:
        ValueError: It is no single component, begins with a dot, or a library reads another meaning into it.
    """
    if "/" in RepoPath(text):
        raise ValueError(f"{text!r} is not one directory name")
    if text.startswith("."):
        raise ValueError(f"{text!r} begins with a dot: such names are mlxk's own")
    _refuse_hub(text)
    return text


def workspace_path(text: str) -> str:
    """A directory inside of the project.

    Raises:
        ValueError: It could leave the project, or a library reads another meaning into it.
    """
    try:
        path = RepoPath(text.removesuffix("/"))
    except ValueError as error:
        raise ValueError(f"{error}: expected a directory inside of the project") from error
    for component in path.split("/"):
        _refuse_hub(component)
    return path


def _refuse_hub(component: str) -> None:
    """mlx-audio takes what is below a `hub` for a Hugging Face cache."""
    if collision_key(component) == "hub":
        raise ValueError(f"{component!r} is what mlx-audio takes for the root of a Hugging Face cache")
