"""Where each file that a first run left came from, told by its content. Pure.

Owns the order: nothing, a file of the Hub that the entry has, a URL, a member of an archive, and then nobody
knows. Names do not count, since programs make them up; they only choose between archives with one content.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mlxlock.planning.layout import CACHE_DIR, FileNode, LinkNode, Node, TextNode, Tree
from mlxlock.spec.digest import EMPTY_BLAKE3, Blake3
from mlxlock.spec.effects import Copy, Download, Effects, Member, Unpacked
from mlxlock.spec.lockfile import LockedModel
from mlxlock.spec.record import Body, Left, Pin
from mlxlock.spec.resolution import FileEntry

_HUB: Final = "hub/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a cache may hold without anybody being asked, by paths below `.hf_cache`.

    Attributes:
        laid_out: Each file that was there before the run, with its BLAKE3.
        blobs: The sizes of the Hub's files, by their blobs' names: git ids and SHA-256.
        snapshots: Where the Hub's files stand.
        sizes: Those of all that may be a known file: others are none, whatever is in them. None when every
            file has to be seen.
    """

    laid_out: Mapping[str, Blake3]
    blobs: Mapping[str, int]
    snapshots: frozenset[str]
    sizes: frozenset[int] | None = None


def expected(tree: Tree, pins: Iterable[Pin], sizes: frozenset[int] | None = None) -> Expected:
    """What is accounted for: what was laid out, and what the Hub's answers name.

    Args:
        tree: What was laid out.
        pins: The Hub's answers.
        sizes: Of what else may have brought a file; None when every file has to be seen.
    """
    below = f"{CACHE_DIR}/"
    laid_out = {
        path.removeprefix(below): node.identity
        for path, node in tree.nodes.items()
        if path.startswith(below) and not isinstance(node, LinkNode)
    }
    blobs = {node.file.etag: node.file.size_bytes for _, node in tree.files()}
    snapshots = {path.removeprefix(below) for path in tree.nodes}
    for pin in pins:
        folder = f"hub/{pin.repo.cache_folder(pin.repo_type)}/snapshots/{pin.resolution.commit}"
        for file in pin.resolution.files:
            blobs[file.etag] = file.size_bytes
            snapshots.add(f"{folder}/{file.path}")
    if sizes is not None:
        sizes |= {size for path, node in tree.nodes.items() if path.startswith(below) for size in _size(node)}
    return Expected(laid_out=laid_out, blobs=blobs, snapshots=frozenset(snapshots), sizes=sizes)


def _size(node: Node) -> Iterator[int]:
    match node:
        case FileNode():
            yield node.file.size_bytes
        case TextNode():
            yield len(node.content)
        case _:
            pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A file that was found in an archive."""

    archive: Blake3
    name: str
    size_bytes: int
    blake3: Blake3


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """What is known of all that a first run left.

    Attributes:
        unattributed: Files that nobody could bring back, each with what is known against it.
    """

    effects: Effects
    unattributed: tuple[Left, ...]


def attribute(
    left: Sequence[Left], model: LockedModel, bodies: Iterable[Body], packed: Iterable[Packed] = ()
) -> Attribution:
    """Say where each file came from.

    Args:
        left: The files, by path.
        model: The entry, with the artifacts that the run brought.
        bodies: What came from URLs.
        packed: What was found in archives, by the sizes of files that were unattributed without it.
    """
    sources = _Sources(model, bodies, packed)
    found = _Found()
    for each in left:
        sources.place(each, found)
    return Attribution(effects=found.effects(), unattributed=tuple(found.unattributed))


class _Found:
    """What was placed so far."""

    def __init__(self) -> None:
        self.downloads: dict[Blake3, Download] = {}
        self.members: dict[Blake3, list[Member]] = {}
        self.unpacked: list[Unpacked] = []
        self.copies: list[Copy] = []
        self.unattributed: list[Left] = []

    def effects(self) -> Effects:
        downloads = (
            replace(download, members=tuple(self.members.get(content, ())))
            for content, download in self.downloads.items()
        )
        return Effects(
            downloads=tuple(sorted(downloads, key=lambda download: download.url)),
            unpacked=tuple(self.unpacked),
            copies=tuple(self.copies),
        )


class _Sources:
    """What could have brought a content."""

    def __init__(self, model: LockedModel, bodies: Iterable[Body], packed: Iterable[Packed]) -> None:
        self._hub = {remote.file.blake3 for remote in model.remote_files() if remote.file.blake3}
        self._earlier = model.contents().keys() - self._hub
        self._bodies = _by_content(bodies)
        self._moody = _moody(self._bodies)
        self._packed: dict[Blake3, list[Packed]] = {}
        for each in packed:
            self._packed.setdefault(each.blake3, []).append(each)

    def place(self, left: Left, found: _Found) -> None:
        """Put one file where its content belongs."""
        file = left.file
        if file is None:
            found.unattributed.append(left)
        elif left.path.startswith(_HUB):
            found.unattributed.append(replace(left, problem="only what the Hub answered may stand there"))
        elif file.blake3 is None:
            found.unattributed.append(left)
        elif file.blake3 in {EMPTY_BLAKE3} | self._hub | self._earlier:
            found.copies.append(Copy(path=file.path, blake3=file.blake3))
        elif file.blake3 in self._bodies:
            self._place_body(left, file, self._bodies[file.blake3], found)
        elif file.blake3 in self._packed:
            self._place_member(left, file, _nearest(self._packed[file.blake3], left.path), found)
        else:
            found.unattributed.append(left)

    def _place_body(self, left: Left, file: FileEntry, body: Body, found: _Found) -> None:
        if self._is_lost(body):
            found.unattributed.append(replace(left, problem=self._lost(body)))
            return
        known = found.downloads.get(body.blake3)
        if known is None or known.path is None:
            found.downloads[body.blake3] = replace(known or _download(body), path=file.path)
        else:
            found.copies.append(Copy(path=file.path, blake3=body.blake3))

    def _place_member(self, left: Left, file: FileEntry, packed: Packed, found: _Found) -> None:
        assert file.sha256 is not None  # noqa: S101 - whoever saw a file has both hashes
        member = Member(
            name=packed.name,
            path=file.path,
            size_bytes=file.size_bytes,
            sha256=file.sha256,
            blake3=packed.blake3,
        )
        body = self._bodies.get(packed.archive)
        if packed.archive in self._hub or body is None:
            found.unpacked.append(Unpacked(archive=packed.archive, member=member))
        elif self._is_lost(body):
            found.unattributed.append(replace(left, problem=self._lost(body)))
        else:
            found.downloads.setdefault(body.blake3, _download(body))
            found.members.setdefault(body.blake3, []).append(member)

    def _is_lost(self, body: Body) -> bool:
        return body.signed or body.url in self._moody

    @staticmethod
    def _lost(body: Body) -> str:
        why = "was asked with a signature" if body.signed else "gave other bytes each time it was asked"
        return f"`{body.url}` {why}"


def _by_content(bodies: Iterable[Body]) -> dict[Blake3, Body]:
    """One URL for each content: one without a signature before others, then the first by name."""
    return {
        body.blake3: body for body in sorted(bodies, key=lambda body: (body.signed, body.url), reverse=True)
    }


def _moody(bodies: Mapping[Blake3, Body]) -> frozenset[str]:
    """URLs that gave more than one content: no lock could say what they will give next."""
    urls = [body.url for body in bodies.values()]
    return frozenset(url for url in urls if urls.count(url) > 1)


def _nearest(packed: Sequence[Packed], path: str) -> Packed:
    """The one whose name ends the path, else the first by name."""
    return min(packed, key=lambda each: (not path.endswith(each.name), each.name, each.archive))


def _download(body: Body) -> Download:
    return Download(
        url=body.url,
        size_bytes=body.size_bytes,
        sha256=body.sha256,
        blake3=body.blake3,
        asked_by=body.asked_by,
        when=body.when,
    )


def wanted_sizes(unattributed: Iterable[Left]) -> frozenset[int]:
    """The sizes that a member of an archive would have to have."""
    return frozenset(each.file.size_bytes for each in unattributed if each.file)


def known_sizes(model: LockedModel, bodies: Iterable[Body]) -> frozenset[int]:
    """The sizes of all that can have brought a file, but for members of archives that nobody looked into yet.

    Args:
        model: The entry, with the artifacts that the run brought.
        bodies: What came from URLs.
    """
    sizes = {file.size_bytes for file in model.contents().values()}
    return frozenset({0} | sizes | {body.size_bytes for body in bodies})


def archives_of(model: LockedModel, bodies: Iterable[Body]) -> Iterator[FileEntry]:
    """Every file that may be an archive from which something was unpacked: URLs first."""
    for body in sorted(bodies, key=lambda body: body.url):
        yield _download(body).file
    for remote in model.remote_files():
        if remote.file.path.suffix in _ARCHIVE_SUFFIXES:
            yield remote.file


_ARCHIVE_SUFFIXES: Final = frozenset({".bz2", ".gz", ".tar", ".tgz", ".whl", ".xz", ".zip", ".zst"})


def adopted(attribution: Attribution) -> Attribution:
    """The same, with all that has bytes and a name locked as the program's own."""
    files = [each for each in attribution.unattributed if _adoptable(each)]
    effects = replace(attribution.effects, writes=tuple(each.file for each in files if each.file is not None))
    rest = tuple(each for each in attribution.unattributed if not _adoptable(each))
    return Attribution(effects=effects, unattributed=rest)


def _adoptable(left: Left) -> bool:
    return left.file is not None and left.file.blake3 is not None and not left.path.startswith(_HUB)
