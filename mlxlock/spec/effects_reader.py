"""Reads what a lock says of non-Hub files: `[[model.download]]`, `unpacked`, `copies`, `writes`.

Owns their keys; `lockfile_writer` spells them.
"""

from mlxlock.spec.digest import Blake3, Sha256
from mlxlock.spec.effects import Copy, Download, Effects, Member, Unpacked
from mlxlock.spec.names import RepoPath
from mlxlock.spec.phases import PHASES
from mlxlock.spec.readers import Table, plain
from mlxlock.spec.resolution import FileEntry
from mlxlock.spec.urls import Url, without_signature


def read_effects(table: Table) -> Effects:
    """What a `[[model]]` says of them; what is wrong is in `table.problems`."""
    downloads = [read_download(row) for row in table.tables("download")]
    unpacked = [read_unpacked(row) for row in table.tables("unpacked")]
    copies = [read_copy(row) for row in table.tables("copies")]
    writes = [read_write(row) for row in table.tables("writes")]
    return Effects(
        downloads=tuple(download for download in downloads if download is not None),
        unpacked=tuple(each for each in unpacked if each is not None),
        copies=tuple(copy for copy in copies if copy is not None),
        writes=tuple(write for write in writes if write is not None),
    )


def read_download(table: Table) -> Download | None:
    """One `[[model.download]]`."""
    url = table.text("url", _url, required=True)
    size_bytes = table.integer("size", required=True)
    sha256 = table.text("sha256", Sha256, required=True)
    blake3 = table.text("blake3", Blake3, required=True)
    path = table.text("path", RepoPath)
    asked_by = table.text("asked-by", plain)
    when = table.choice("when", PHASES)
    members = tuple(read_member(row) for row in table.tables("members"))
    if not (table.has("path") or members):
        table.problem(None, "has neither `path` nor `members`")
    table.finish()
    if url is None or size_bytes is None or sha256 is None or blake3 is None:
        return None
    return Download(
        url=url,
        size_bytes=size_bytes,
        sha256=sha256,
        blake3=blake3,
        path=path,
        members=tuple(member for member in members if member is not None),
        asked_by=asked_by,
        when=when,
    )


def read_member(table: Table) -> Member | None:
    """One row of `members`."""
    member = _member(table)
    table.finish()
    return member


def read_unpacked(table: Table) -> Unpacked | None:
    """One row of `unpacked`."""
    archive = table.text("archive", Blake3, required=True)
    member = _member(table)
    table.finish()
    return None if archive is None or member is None else Unpacked(archive=archive, member=member)


def read_copy(table: Table) -> Copy | None:
    """One row of `copies`."""
    path = table.text("path", RepoPath, required=True)
    blake3 = table.text("blake3", Blake3, required=True)
    table.finish()
    return None if path is None or blake3 is None else Copy(path=path, blake3=blake3)


def read_write(table: Table) -> FileEntry | None:
    """One row of `writes`."""
    path = table.text("path", RepoPath, required=True)
    size_bytes = table.integer("size", required=True)
    sha256 = table.text("sha256", Sha256, required=True)
    blake3 = table.text("blake3", Blake3, required=True)
    table.finish()
    if path is None or size_bytes is None or sha256 is None or blake3 is None:
        return None
    return FileEntry(path=path, size_bytes=size_bytes, sha256=sha256, blake3=blake3)


def _member(table: Table) -> Member | None:
    name = table.text("name", plain, required=True)
    path = table.text("path", RepoPath, required=True)
    size_bytes = table.integer("size", required=True)
    sha256 = table.text("sha256", Sha256, required=True)
    blake3 = table.text("blake3", Blake3, required=True)
    if name is None or path is None or size_bytes is None or sha256 is None or blake3 is None:
        return None
    return Member(name=name, path=path, size_bytes=size_bytes, sha256=sha256, blake3=blake3)


def _url(text: str) -> Url:
    if without_signature(text.partition("#")[0]) != text:
        raise ValueError(f"{text!r} has a signed query or a fragment")
    return Url(text)
