"""Joins what first runs left with what an entry has. Pure."""

from collections.abc import Iterable
from dataclasses import replace

from mlxlock.spec.digest import EMPTY_BLAKE3
from mlxlock.spec.effects import Copy, Download, Effects
from mlxlock.spec.lockfile import LockedModel


def with_effects(model: LockedModel, effects: Effects) -> LockedModel:
    """The entry with all of these that it can still bring: a copy of a file that it lost is none any more."""
    sources = replace(model, effects=replace(effects, copies=(), unpacked=()))
    known = sources.contents()
    unpacked = tuple(each for each in effects.unpacked if each.archive in known)
    whole = replace(model, effects=replace(sources.effects, unpacked=unpacked))
    contents = {EMPTY_BLAKE3, *whole.contents()}
    copies = tuple(copy for copy in effects.copies if copy.blake3 in contents)
    return replace(whole, effects=replace(whole.effects, copies=copies))


def merge_effects(effects: Iterable[Effects]) -> Effects:
    """The union, in canonical order.

    Of what programs wrote themselves, the later one counts; other files that contradict each other at one
    place stay, for `invariants` to refuse.
    """
    found = tuple(effects)
    downloads, moved = _merge_downloads([each for one in found for each in one.downloads])
    unpacked = dict.fromkeys(each for one in found for each in one.unpacked)
    copies = dict.fromkeys([*(each for one in found for each in one.copies), *moved])
    merged = Effects(
        downloads=downloads,
        unpacked=tuple(sorted(unpacked, key=lambda each: each.member.path)),
        copies=tuple(sorted(copies, key=lambda copy: copy.path)),
    )
    writes = {each.path: each for one in found for each in one.writes if each.path not in merged.paths}
    return replace(merged, writes=tuple(writes[path] for path in sorted(writes)))


def _merge_downloads(downloads: Iterable[Download]) -> tuple[tuple[Download, ...], list[Copy]]:
    """One entry a URL and content, with the members of all; a second place of one becomes a copy."""
    merged: dict[tuple[str, str], Download] = {}
    moved: list[Copy] = []
    for download in downloads:
        key = (download.url, download.blake3)
        known = merged.get(key, download)
        if known.path is not None and download.path not in {None, known.path}:
            moved.append(Copy(path=download.path or known.path, blake3=download.blake3))
        members = sorted({*known.members, *download.members}, key=lambda member: member.path)
        merged[key] = replace(
            known,
            path=known.path or download.path,
            members=tuple(members),
            asked_by=known.asked_by or download.asked_by,
            when=known.when or download.when,
        )
    return tuple(merged[key] for key in sorted(merged)), moved
