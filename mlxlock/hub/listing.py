"""The Hub's description of a repo, parsed once, at the border.

Owns the step from huggingface_hub's objects to `Resolution` and `FileEntry`, and what is wrong with a
description that we cannot use. Never sends a request.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC

from huggingface_hub import DatasetInfo, ModelInfo, SpaceInfo
from huggingface_hub.hf_api import RepoFile, RepoFolder, RepoSibling

from mlxlock.errors import HubError
from mlxlock.hub.endpoint import Endpoint
from mlxlock.ports import Wanted
from mlxlock.spec.digest import GitOid, Sha256
from mlxlock.spec.names import CommitHash, RepoId, RepoPath, Revision
from mlxlock.spec.resolution import FileEntry, Resolution
from mlxlock.spec.toml_text import shown

Info = ModelInfo | DatasetInfo | SpaceInfo
Described = RepoSibling | RepoFile

_PAGE = 1000


def files_of_info(info: Info, repo: RepoId) -> tuple[FileEntry, ...] | None:
    """The files, when one answer tells all about them; None when the tree must be asked.

    Careless mirrors leave out hashes and sizes, and a list of whole thousands may be a cut one.

    Raises:
        HubError: A path, a hash or a size is none.
    """
    siblings = info.siblings or []
    if not siblings or len(siblings) % _PAGE == 0 or not all(map(_identified, siblings)):
        return None
    return _sorted(file_entry(sibling, repo) for sibling in siblings)


def files_of_tree(
    entries: Iterable[RepoFile | RepoFolder], repo: RepoId, endpoint: Endpoint
) -> tuple[FileEntry, ...]:
    """The files of a whole tree.

    Raises:
        HubError: One of them has no hash, or is otherwise unusable.
    """
    files = [entry for entry in entries if isinstance(entry, RepoFile)]
    for file in files:
        if not _identified(file):
            raise no_hashes(endpoint, repo)
    return _sorted(file_entry(file, repo) for file in files)


def file_entry(described: Described, repo: RepoId) -> FileEntry:
    """One file with what the Hub asserts of it.

    Raises:
        HubError: The path could leave its root, or a hash or the size is malformed.
    """
    try:
        path = RepoPath(described.rfilename)
        if described.lfs is not None:
            return FileEntry(
                path=path, size_bytes=_size(described.lfs.size), sha256=Sha256(described.lfs.sha256)
            )
        return FileEntry(path=path, size_bytes=_size(described.size), git=GitOid(described.blob_id or ""))
    except (TypeError, ValueError) as problem:
        raise HubError(
            f"`{repo}` lists a file that cannot be locked: `{shown(described.rfilename)}`",
            details=(shown(str(problem)),),
        ) from problem


def resolution(info: Info, wanted: Wanted, revision: Revision, files: tuple[FileEntry, ...]) -> Resolution:
    """Everything the Hub said, as our value.

    Raises:
        HubError: The id is none.
    """
    return Resolution(
        repo=wanted.repo,
        repo_type=wanted.repo_type,
        revision=revision,
        commit=commit_of(info, wanted.repo),
        files=files,
        canonical=_canonical(info, wanted.repo),
        date=None if info.last_modified is None else info.last_modified.astimezone(UTC).date().isoformat(),
        license=_license(info),
        gated=bool(getattr(info, "gated", False)),
    )


def commit_of(info: Info, repo: RepoId) -> CommitHash:
    """The commit that was described.

    Raises:
        HubError: There is none.
    """
    try:
        return CommitHash(info.sha or "")
    except ValueError as problem:
        raise HubError(f"the Hub does not say which commit of `{repo}` it describes") from problem


def no_hashes(endpoint: Endpoint, repo: RepoId) -> HubError:
    """The error for a mirror that cannot be locked against."""
    return HubError(
        f"`{endpoint.url}` does not say the hashes and sizes of the files of `{repo}`",
        hint="lock against https://huggingface.co; this mirror can still serve `mlxk sync`",
    )


def _identified(described: Described) -> bool:
    if described.lfs is not None:
        return bool(described.lfs.sha256)
    return bool(described.blob_id) and described.size is not None


def _size(size: int | None) -> int:
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ValueError(f"{size!r} is not a size")
    return size


def _sorted(files: Iterable[FileEntry]) -> tuple[FileEntry, ...]:
    return tuple(sorted(files, key=lambda file: file.path.encode()))


def _canonical(info: Info, repo: RepoId) -> RepoId | None:
    if info.id == repo:
        return None
    try:
        return RepoId(info.id)
    except ValueError as problem:
        raise HubError(f"the Hub answers for `{repo}` under a name that is none: {info.id!r}") from problem


def _license(info: Info) -> str | None:
    stated = getattr(info.card_data, "license", None)
    if isinstance(stated, str) and stated:
        return shown(stated)
    tags: Sequence[str] = stated if isinstance(stated, list) else info.tags or []
    named = [str(tag).removeprefix("license:") for tag in tags if stated or tag.startswith("license:")]
    return shown(", ".join(named)) or None
