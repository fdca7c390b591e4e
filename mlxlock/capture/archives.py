"""Takes files out of archives: zip (and so wheels), and tar by whatever compression this Python can read.

Owns what counts as a member: a regular file, under the name by which an extraction would find it last. Never
extracts to a path: members become blobs. An archive may be hostile, so no more is read of a member than it is
said to have, and no member but those that somebody looks for.
"""

import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from lzma import LZMAError
from typing import IO, Final

from mlxlock.errors import MismatchError
from mlxlock.fs import CHUNK_BYTES
from mlxlock.ports import Blob, BlobStore, IntakeStore
from mlxlock.spec.effects import Member

_MAX_MEMBERS: Final = 200_000
# RuntimeError: it is encrypted. NotImplementedError: packed by a method that nobody knows.
_UNREADABLE: Final = (
    EOFError,
    LZMAError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OSError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Packed:
    """A member as the archive has it."""

    size_bytes: int
    open: Callable[[], IO[bytes]]

    def chunks(self) -> Iterator[bytes]:
        """Its bytes, and never more of them than it is said to have.

        Raises:
            ValueError: There are fewer.
        """
        left = self.size_bytes
        with self.open() as stream:
            while left and (chunk := stream.read(min(left, CHUNK_BYTES))):
                left -= len(chunk)
                yield chunk
        if left:
            raise ValueError("a member is shorter than it is said to be")


class PackedFiles:
    """An `outside.Archives`."""

    def find(self, archive: Blob, sizes: Collection[int], store: IntakeStore) -> Iterator[tuple[str, Blob]]:
        """The members of these sizes, by name, each brought into the store; none when it is no archive.

        Raises:
            DiskError: The store's disk refuses.
        """
        with _opened(archive) as members:
            for name, packed in members.items():
                if packed.size_bytes in sizes:
                    blob = _taken(packed, store)
                    if blob is not None:
                        yield name, blob

    def unpack(self, archive: Blob, members: Sequence[Member], store: BlobStore) -> None:
        """Bring members into the store, compared with the lock before they get a name.

        Raises:
            MismatchError: One is missing, or has other bytes.
            DiskError: The store's disk refuses.
        """
        missing = [member for member in members if store.find(member.file) is None]
        if not missing:
            return
        with _opened(archive) as packed:
            for member in missing:
                _bring(packed.get(member.name), member, store)


def _taken(packed: _Packed, store: IntakeStore) -> Blob | None:
    """The member as a blob; None when it cannot be read."""
    with store.intake() as intake:
        try:
            for chunk in packed.chunks():
                intake.write(chunk)
        except _UNREADABLE:
            return None
        return intake.commit()


def _bring(packed: _Packed | None, member: Member, store: BlobStore) -> None:
    if packed is None or packed.size_bytes != member.size_bytes:
        raise _other(member, "it has none of this name and size")
    with store.deposit(member.file) as deposit:
        if 0 < deposit.offset < member.size_bytes:
            deposit.restart()
        try:
            for chunk in packed.chunks() if deposit.offset == 0 else ():
                deposit.write(chunk)
        except _UNREADABLE as problem:
            raise _other(member, "it cannot be read") from problem
        try:
            deposit.commit()
        except MismatchError as problem:
            raise _other(member, *problem.details) from problem


def _other(member: Member, *details: str) -> MismatchError:
    return MismatchError(
        f"the archive does not have the `{member.name}` that was locked",
        details=details,
        hint="run `mlxk lock --upgrade` to lock what there is now",
    )


@contextmanager
def _opened(archive: Blob) -> Iterator[Mapping[str, _Packed]]:
    """The members of an archive by name; none for a file that is none."""
    with archive.path.open("rb") as file:
        if zipfile.is_zipfile(file):
            with _read_zip(file) as members:
                yield members
        else:
            file.seek(0)
            with _read_tar(file) as members:
                yield members


@contextmanager
def _read_zip(file: IO[bytes]) -> Iterator[Mapping[str, _Packed]]:
    try:
        opened = zipfile.ZipFile(file)
    except _UNREADABLE:
        yield {}
        return
    with opened as archive:
        yield {
            info.filename: _Packed(size_bytes=info.file_size, open=partial(archive.open, info))
            for info in archive.infolist()[:_MAX_MEMBERS]
            if not info.is_dir()
        }


@contextmanager
def _read_tar(file: IO[bytes]) -> Iterator[Mapping[str, _Packed]]:
    try:
        opened = tarfile.open(fileobj=file)  # noqa: SIM115 - closed by the `with` below
    except _UNREADABLE:
        yield {}
        return
    with opened as archive:
        yield dict(_tar_members(archive))


def _tar_members(archive: tarfile.TarFile) -> Iterator[tuple[str, _Packed]]:
    try:
        for number, info in enumerate(archive):
            if number >= _MAX_MEMBERS:
                return
            if info.isreg():
                yield info.name, _Packed(size_bytes=info.size, open=partial(_open_in_tar, archive, info))
    except _UNREADABLE:
        return  # what came before is readable


def _open_in_tar(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(info)
    if stream is None:
        raise ValueError("a regular file has no bytes")
    return stream
