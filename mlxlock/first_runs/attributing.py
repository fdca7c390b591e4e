"""Says where everything came from that a first run left outside the Hub's own cache, or stops.

A step of `lock`, while the run's scratch is still there. Owns the order: by content first, then archives are
looked into for what is still unknown, then a person's word. `planning.attribution` judges.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from mlxlock.errors import UnattributedError
from mlxlock.fs import hash_file
from mlxlock.planning.attribution import (
    Attribution,
    Packed,
    adopted,
    archives_of,
    attribute,
    wanted_sizes,
)
from mlxlock.ports import IntakeStore
from mlxlock.ports.outside import Archives
from mlxlock.spec.effects import Effects
from mlxlock.spec.lockfile import LockedModel
from mlxlock.spec.record import Body, Left
from mlxlock.spec.resolution import FileEntry

MOST_TOLD: Final = 20
_CHUNK_BYTES: Final = 1 << 20


def effects_of(
    left: Sequence[Left],
    cache: Path,
    model: LockedModel,
    bodies: Sequence[Body],
    *,
    archives: Callable[[], Archives],
    store: IntakeStore,
) -> Attribution:
    """Attribute each file; members of archives are then in the store.

    Args:
        left: What the run left; what has an unknown size unseen.
        cache: Where it is.
        model: The entry, with the artifacts that the run brought.
        bodies: What came from URLs; in the store.
        archives: Looks into archives, where that is needed.
        store: Has every blob.
    """
    found = attribute(left, model, bodies)
    sizes = wanted_sizes(found.unattributed)
    if not sizes:
        return found
    packed = _packed(model, bodies, sizes, archives(), store)
    members = {each.size_bytes for each in packed}
    return attribute([_looked_at(each, cache, members) for each in left], model, bodies, packed)


def _looked_at(left: Left, cache: Path, members: Collection[int]) -> Left:
    """With its bytes seen, where they may be those of a member."""
    file = left.file
    if file is None or file.blake3 is not None or file.size_bytes not in members:
        return left
    seen = hash_file((cache / left.path).resolve(), ("blake3", "sha256"))
    return replace(
        left,
        file=FileEntry(path=file.path, size_bytes=seen.size_bytes, sha256=seen.sha256, blake3=seen.blake3),
    )


def _packed(
    model: LockedModel, bodies: Iterable[Body], sizes: frozenset[int], archives: Archives, store: IntakeStore
) -> list[Packed]:
    found: list[Packed] = []
    for file in archives_of(model, bodies):
        archive = store.find(file)
        if archive is not None:
            members = archives.find(archive, sizes, store)
            found += [
                Packed(archive=archive.blake3, name=name, size_bytes=member.size_bytes, blake3=member.blake3)
                for name, member in members
            ]
    return found


def accounted(attribution: Attribution, cache: Path, store: IntakeStore, *, adopt: bool, who: str) -> Effects:
    """What is to be locked, when nothing is left that nobody could bring back.

    Args:
        attribution: What is known.
        cache: Where the files are.
        store: Where adopted ones go.
        adopt: Whether a person takes the program's own files as they are.
        who: The first run, for messages.

    Raises:
        UnattributedError: Something is left.
        DiskError: The disk refuses.
    """
    known = adopted(attribution) if adopt else attribution
    if known.unattributed:
        raise _unattributed(known.unattributed, who)
    for write in known.effects.writes:
        _take(cache / write.path, store)
    return known.effects


def _take(path: Path, store: IntakeStore) -> None:
    with path.open("rb") as source, store.intake() as intake:
        while chunk := source.read(_CHUNK_BYTES):
            intake.write(chunk)
        intake.commit()


def _unattributed(left: Sequence[Left], who: str) -> UnattributedError:
    lines = [f"`{each.path}`" + (f": {each.problem}" if each.problem else "") for each in left[:MOST_TOLD]]
    if len(left) > MOST_TOLD:
        lines.append(f"and {len(left) - MOST_TOLD} more")
    return UnattributedError(
        f"{who} left files below `.hf_cache` that nobody could bring back",
        details=tuple(lines),
        hint="if the program made them itself, `mlxk lock --adopt-writes` locks them as they are, "
        "for machines whose store has them",
    )
