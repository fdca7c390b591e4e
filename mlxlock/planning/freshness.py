"""Whether the lock still answers the manifest, and if not, in what. Decided locally, without a network.

Stale means: the manifest asks for something else than the lock's `request` says. That upstream moved is
*outdated*, never stale; another environment than the recorded one is reported elsewhere, never a reason.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from mlxlock.spec.lockfile import LockedModel, Lockfile, Request
from mlxlock.spec.lockfile_writer import Value, inline, request_table
from mlxlock.spec.manifest import Manifest, ModelSpec, request_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One thing in which manifest and lock differ.

    Attributes:
        model: The model's name.
        kind: `added` to the manifest, `removed` from it, or `changed`.
        key: What changed, for `changed`.
        locked: What the lock answers, spelled as TOML; None for the default.
        asked: What the manifest asks now, likewise.
    """

    model: str
    kind: Literal["added", "removed", "changed"]
    key: str = ""
    locked: str | None = None
    asked: str | None = None

    def __str__(self) -> str:
        if self.kind == "added":
            return f"`{self.model}` is not in the lock"
        if self.kind == "removed":
            return f"`{self.model}` is no longer in the manifest"
        before, after = self.locked or "nothing", self.asked or "nothing"
        return f"`{self.model}`: `{self.key}` changed from {before} to {after}"


def staleness(manifest: Manifest, lockfile: Lockfile) -> tuple[Reason, ...]:
    """Every reason why the lock does not answer the manifest; empty when it does."""
    return tuple(_reasons(manifest, lockfile))


def asked_of(manifest: Manifest, model: ModelSpec, locked: LockedModel | None) -> Request:
    """What the manifest asks now, with the artifact pins that apply to what is locked."""
    repos = () if locked is None else [name for art in locked.artifacts for name in (art.repo, art.canonical)]
    return request_of(manifest, model, {repo for repo in repos if repo is not None})


def model_reasons(model: ModelSpec, asked: Request, locked: LockedModel) -> tuple[Reason, ...]:
    """In what one model's entry differs from what is asked."""
    before: dict[str, Value] = {"repo": locked.repo, **request_table(locked.request)}
    after: dict[str, Value] = {"repo": model.repo, **request_table(asked)}
    return tuple(
        Reason(
            model=model.name,
            kind="changed",
            key=key,
            locked=_spelled(before, key),
            asked=_spelled(after, key),
        )
        for key in {**before, **after}
        if before.get(key) != after.get(key)
    )


def _spelled(table: Mapping[str, Value], key: str) -> str | None:
    return inline(table[key]) if key in table else None


def _reasons(manifest: Manifest, lockfile: Lockfile) -> Iterator[Reason]:
    for model in manifest.models:
        locked = lockfile.model(model.name)
        if locked is None:
            yield Reason(model=model.name, kind="added")
        else:
            yield from model_reasons(model, asked_of(manifest, model, locked), locked)
    declared = {model.name for model in manifest.models}
    for locked_model in lockfile.models:
        if locked_model.name not in declared:
            yield Reason(model=locked_model.name, kind="removed")
