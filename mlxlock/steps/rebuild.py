"""Brings back what first runs left outside the Hub's cache: from URLs, out of archives, from nowhere else.

A step of `lock` and `sync`. Owns the order, and which file needs which source; the store's own files cost
nothing, and no request is made when it has them.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlxlock.errors import OfflineMissingError, UnrebuildableError
from mlxlock.ports import BlobStore, Ports
from mlxlock.spec.digest import Blake3
from mlxlock.spec.effects import Download, Member
from mlxlock.spec.lockfile import LockedModel
from mlxlock.spec.resolution import FileEntry, RemoteFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilding:
    """What the store lacks, and where it comes from.

    Attributes:
        downloads: URLs to fetch, each content once.
        archives: Files of the Hub that have to be there first, and who needs them.
        members: What to unpack, by the archive's file.
        writes: Files that nothing can bring back, with the model whose first run made them.
        needed_by: Which model needs which of `downloads`, by URL.
    """

    downloads: tuple[Download, ...] = ()
    archives: Mapping[RemoteFile, str]
    members: Mapping[FileEntry, tuple[Member, ...]]
    writes: tuple[tuple[FileEntry, str], ...] = ()
    needed_by: Mapping[str, str]

    @property
    def size_bytes(self) -> int:
        """How much is to be downloaded, the Hub's archives not counted."""
        return sum(download.size_bytes for download in self.downloads)


def missing_effects(
    models: Iterable[LockedModel], store: BlobStore, wanted: Collection[Blake3] | None = None
) -> Rebuilding:
    """What has to be brought so that the store has every file that first runs left.

    Args:
        models: Whose.
        store: What is there already.
        wanted: Only these contents; None for all.
    """
    downloads: dict[Blake3, Download] = {}
    archives: dict[RemoteFile, str] = {}
    members: dict[FileEntry, list[Member]] = {}
    needed_by: dict[str, str] = {}
    models = tuple(models)
    for model in models:
        for archive, member in _missing_members(model, store, wanted):
            members.setdefault(archive, []).append(member)
        for download in model.effects.downloads:
            if _needed(download, members, wanted) and store.find(download.file) is None:
                downloads.setdefault(download.blake3, download)
                needed_by.setdefault(download.url, model.name)
        for remote in model.remote_files():
            if remote.file in members:
                archives.setdefault(remote, f"the first run of `{model.name}`")
    return Rebuilding(
        downloads=tuple(downloads.values()),
        archives=archives,
        members={archive: tuple(found) for archive, found in members.items()},
        writes=tuple(_missing_writes(models, store, wanted)),
        needed_by=needed_by,
    )


def _missing_members(
    model: LockedModel, store: BlobStore, wanted: Collection[Blake3] | None
) -> Iterator[tuple[FileEntry, Member]]:
    contents = model.contents()
    for archive, member in model.effects.members:
        if (wanted is None or member.blake3 in wanted) and store.find(member.file) is None:
            yield contents[archive], member


def _needed(download: Download, members: Collection[FileEntry], wanted: Collection[Blake3] | None) -> bool:
    """Whether its own bytes have a place, or something has to be unpacked from them."""
    kept = wanted is None and download.path is not None
    return kept or (wanted is not None and download.blake3 in wanted) or download.file in members


def _missing_writes(
    models: Iterable[LockedModel], store: BlobStore, wanted: Collection[Blake3] | None
) -> Iterator[tuple[FileEntry, str]]:
    for model in models:
        for write in model.effects.writes:
            if (wanted is None or write.blake3 in wanted) and store.find(write) is None:
                yield write, model.name


def rebuild(missing: Rebuilding, ports: Ports) -> None:
    """Fetch and unpack; the archives of the Hub are in the store already.

    Raises:
        UnrebuildableError: A file was made by a first run itself, and this store does not have it.
        OfflineMissingError: Offline, and a URL has to be fetched: each with who needs it.
        DownloadError: A URL gives nothing.
        MismatchError: Bytes differ from what the lock asserts.
        DiskError: The store's disk refuses.
    """
    refuse_unrebuildable(missing.writes)
    store = ports.store()
    if missing.downloads:
        try:
            ports.web().fetch(missing.downloads, store, ports.on_event)
        except OfflineMissingError as offline:
            raise _explained(offline, missing) from offline
    for archive, members in missing.members.items():
        blob = store.find(archive)
        if blob is None:
            raise OfflineMissingError(
                f"the store has lost `{archive.path}`", hint="run `mlxk sync` again, online"
            )
        ports.archives().unpack(blob, members, store)


def refuse_unrebuildable(writes: Sequence[tuple[FileEntry, str]]) -> None:
    """Stop at files that only the machine of their first run has.

    Raises:
        UnrebuildableError: There are some.
    """
    if writes:
        names = " ".join(f"--upgrade-model {name}" for name in sorted({name for _, name in writes}))
        raise UnrebuildableError(
            "what first runs wrote themselves cannot be made again, and this store does not have it",
            details=tuple(f"`{write.path}` of `{name}`" for write, name in writes),
            hint="bring them from the store of the machine that locked, or let first runs make them anew: "
            f"`mlxk lock {names} --adopt-writes`",
        )


def _explained(offline: OfflineMissingError, missing: Rebuilding) -> OfflineMissingError:
    lines = tuple(
        f"`{download.url}`, needed by the first run of `{missing.needed_by[download.url]}`"
        for download in missing.downloads
    )
    return OfflineMissingError(offline.reason, hint=offline.hint, details=lines)
