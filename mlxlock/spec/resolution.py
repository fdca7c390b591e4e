"""What the Hub answered: one repo at one commit, with every file's identity.

Owns the values that `resolve` yields and `fetch` takes. Never talks to the Hub.
"""

from dataclasses import dataclass, replace

from mlxlock.spec.digest import Blake3, GitOid, Sha256
from mlxlock.spec.names import CommitHash, RepoId, RepoPath, RepoType, Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One file of a repo, and who says what about its bytes.

    `git` and, for LFS files, `sha256` are what the Hub asserts. `blake3`, and `sha256` of git files, are
    what we saw ourselves: both are there exactly when the bytes were seen.

    Attributes:
        path: Where it is in the repo.
        size_bytes: Its length.
        git: The git blob id; None for an LFS file (whose git blob is a pointer).
        sha256: SHA-256 of the bytes; None for a git file whose bytes were not seen.
        blake3: BLAKE3 of the bytes; None until they were seen.
    """

    path: RepoPath
    size_bytes: int
    git: GitOid | None = None
    sha256: Sha256 | None = None
    blake3: Blake3 | None = None

    @property
    def etag(self) -> str:
        """The name of the blob in a Hugging Face cache.

        Raises:
            ValueError: The Hub asserted nothing.
        """
        name = self.git or self.sha256
        if name is None:
            raise ValueError(f"no hash is known for {self.path!r}")
        return name

    @property
    def seen(self) -> bool:
        """Whether the bytes were hashed by us."""
        return self.blake3 is not None

    def with_seen(self, *, sha256: Sha256, blake3: Blake3) -> "FileEntry":
        """The same file, its bytes seen."""
        return replace(self, sha256=sha256, blake3=blake3)

    def asserted(self) -> "FileEntry":
        """Only what the Hub asserts."""
        return replace(self, sha256=None if self.git else self.sha256, blake3=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file where the Hub has it: enough to fetch it without asking anything else first."""

    repo: RepoId
    commit: CommitHash
    file: FileEntry
    repo_type: RepoType = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """One repo at one commit.

    Attributes:
        repo: The id as asked.
        canonical: The id the Hub answered under, when it is another (renamed repos); else None.
        revision: As asked; for a version range, the tag it chose.
        commit: What it means now.
        date: The commit's UTC day, `YYYY-MM-DD`, or None when the Hub does not say.
        license: The licence id of the model card, or None.
        gated: Whether the bytes need an accepted licence.
        files: Every file of the commit, sorted bytewise by path.
        absent: None for that; else `files` are only some of the commit, and these paths are known not to be
            in it.
    """

    repo: RepoId
    revision: Revision
    commit: CommitHash
    files: tuple[FileEntry, ...]
    repo_type: RepoType = "model"
    canonical: RepoId | None = None
    date: str | None = None
    license: str | None = None
    gated: bool = False
    absent: frozenset[RepoPath] | None = None

    def lacks(self, path: str) -> bool:
        """Whether it is certain that the commit has no such file."""
        there = any(file.path == path for file in self.files)
        return not there and (self.absent is None or path in self.absent)

    def remote(self, file: FileEntry) -> RemoteFile:
        """Where `file` of this resolution is to be had."""
        return RemoteFile(repo=self.repo, repo_type=self.repo_type, commit=self.commit, file=file)
