"""Reads a workspace sentinel of whatever program wrote it: ours, mlx-knife's, or a person's.

Owns what may be missing (mlx-knife writes `source_revision: null`, and a local path for a repo) and what
makes a sentinel broken. One broken sentinel is told, never raised past whoever lists many.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from mlxlock.spec.names import CommitHash, RepoId, printable

MAX_BYTES: Final = 4 << 20
"""mlx-knife lists every file of a model in its sentinel; nothing honest is larger."""

T = TypeVar("T", bound=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenSentinel:
    """What a sentinel says; None for what it does not say, or says in no usable way.

    Attributes:
        source: Where the model came from, as written: a repo, or a path of that machine.
        repo: The same, where it is a repo.
        revision: The commit.
        content_hash: As stored; only a fresh hash tells whether it is true.
        include: The patterns that it was cloned with.
        exclude: Likewise.
    """

    source: str | None = None
    repo: RepoId | None = None
    revision: CommitHash | None = None
    operation: str | None = None
    created_at: str | None = None
    version: str | None = None
    managed: bool = False
    content_hash: str | None = None
    hash_algorithm: str | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


def parse_sentinel(data: bytes) -> SeenSentinel:
    """What the bytes of a sentinel say.

    Raises:
        ValueError: They are no JSON object; the text says why, for a person.
    """
    if len(data) > MAX_BYTES:
        raise ValueError("it is too large to be a sentinel")
    try:
        document = json.loads(data.decode())
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8") from error
    except ValueError as error:
        raise ValueError("it is not JSON") from error
    if not isinstance(document, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - of a file, not of a caller
    return _seen(document)


def _seen(document: Mapping[str, object]) -> SeenSentinel:
    source = _text(document.get("source_repo"))
    parameters = document.get("parameters")
    told = parameters if isinstance(parameters, dict) else {}
    return SeenSentinel(
        source=source,
        repo=_named(RepoId, source),
        revision=_named(CommitHash, _text(document.get("source_revision"))),
        operation=_text(document.get("operation")),
        created_at=_text(document.get("created_at")),
        version=_text(document.get("mlxk_version")),
        managed=document.get("managed") is True,
        content_hash=_text(document.get("content_hash")),
        hash_algorithm=_text(document.get("hash_algorithm")),
        include=_texts(told.get("include")),
        exclude=_texts(told.get("exclude")),
    )


def _texts(value: object) -> tuple[str, ...]:
    texts = [_text(each) for each in value] if isinstance(value, list) else []
    return tuple(text for text in texts if text is not None)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value and printable(value) else None


def _named(kind: type[T], text: str | None) -> T | None:
    if text is None:
        return None
    try:
        return kind(text)
    except ValueError:
        return None
