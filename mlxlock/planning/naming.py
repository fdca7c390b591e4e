"""Which of the models on this machine a name means. Pure: the shelves come in, in the order that counts.

Owns what matches: exact names on any shelf come before partial ones, the first shelf with an exact match
decides, and what is left with more than one model is ambiguous. Nothing is ever guessed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from mlxlock.spec.names import CommitHash, RepoId

MAIN: Final = "main"
_SHORTEST_COMMIT: Final = 4


class Named(Protocol):
    """A model that can be asked for by name."""

    @property
    def name(self) -> str:
        """What a listing calls it: its directory, its repo, or its name in the manifest."""
        ...

    @property
    def repo(self) -> RepoId | None:
        """Where it came from."""
        ...

    @property
    def revision(self) -> CommitHash | None:
        """Its commit."""
        ...

    @property
    def refs(self) -> tuple[str, ...]:
        """The revisions that mean this commit here."""
        ...


N = TypeVar("N", bound=Named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What someone typed: `name`, or `name@revision`.

    Attributes:
        revision: A revision, a commit or the start of one; None for whichever there is.
    """

    name: str
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Asked":
        """Take it apart.

        Raises:
            ValueError: There is no name in it, or nothing after the `@`.
        """
        name, at, revision = text.partition("@")
        if not name.strip() or (at and not revision):
            raise ValueError(f"{text!r} is no name of a model")
        return cls(name=name, revision=revision or None)


def matches(asked: Asked, shelves: Sequence[Sequence[N]]) -> tuple[N, ...]:
    """The models that are meant: none, one, or several when the name is ambiguous."""
    kept = [[model for model in shelf if _of_revision(model, asked.revision)] for shelf in shelves]
    for shelf in kept:
        found = _exact(asked.name, shelf)
        if found:
            return _current(found)
    return _partial(asked.name, kept)


def _of_revision(model: Named, revision: str | None) -> bool:
    if revision is None or revision in model.refs:
        return True
    start = revision.lower()
    return model.revision is not None and len(start) >= _SHORTEST_COMMIT and model.revision.startswith(start)


def _exact(name: str, shelf: Sequence[N]) -> tuple[N, ...]:
    """Those with this very name: their own first, else their repo's, else the last part of that."""
    by_name = [model for model in shelf if model.name == name]
    by_repo = [model for model in shelf if model.repo == name]
    by_basename = [model for model in shelf if model.repo is not None and model.repo.basename == name]
    return tuple(by_name or by_repo or by_basename)


def _partial(name: str, shelves: Sequence[Sequence[N]]) -> tuple[N, ...]:
    """Those with this text in their names; the same model on several shelves is one, from the first."""
    part = name.casefold()
    seen: dict[str, list[N]] = {}
    for shelf in shelves:
        here: dict[str, list[N]] = {}
        for model in shelf:
            if part in f"{model.name}\n{model.repo or ''}".casefold():
                here.setdefault(model.repo or model.name, []).append(model)
        seen |= {key: models for key, models in here.items() if key not in seen}
    return tuple(model for found in seen.values() for model in _current(tuple(found)))


def _current(found: tuple[N, ...]) -> tuple[N, ...]:
    """Of several commits of one repo the one that `main` means here."""
    if len({(model.name, model.repo) for model in found}) > 1:
        return found
    return tuple(model for model in found if MAIN in model.refs) or found
