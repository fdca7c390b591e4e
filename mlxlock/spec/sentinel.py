"""The workspace sentinel, `.mlxk_workspace.json`, of ADR-022. Owns its fields and their order.

`lasting()` is what follows from the lock; times and the writing version are added when it is written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mlxlock.spec.names import CommitHash, RepoId

SENTINEL_NAME: Final = ".mlxk_workspace.json"
HASH_ALGORITHM: Final = "sha256-lines-1"
HASH_EXCLUDES: Final = (
    SENTINEL_NAME,
    ".hf_cache/",
    ".DS_Store",
    ".git/",
    "__pycache__/",
    "*.log",
    "*.tmp",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentinel:
    """One model directory's origin.

    Attributes:
        source_revision: The commit, never null.
        operation: What made the directory: `sync`, `clone` or `convert`.
        content_hash: `sha256:…` over its files but `HASH_EXCLUDES`.
    """

    source_repo: RepoId
    source_revision: CommitHash
    operation: str
    content_hash: str
    managed: bool = True

    def lasting(self) -> dict[str, object]:
        """Everything but times and version, in the written order."""
        return {
            "source_repo": self.source_repo,
            "source_revision": self.source_revision,
            "managed": self.managed,
            "operation": self.operation,
            "content_hash": self.content_hash,
            "hash_algorithm": HASH_ALGORITHM,
            "hash_excludes": list(HASH_EXCLUDES),
        }

    def written(self, *, version: str, now: str) -> dict[str, object]:
        """The whole document; `now` is UTC, ISO 8601 with `Z`."""
        document = {"mlxk_version": version, "created_at": now, **self.lasting()}
        return {**document, "hash_computed_at": now}


def lasting_part(document: Mapping[str, object]) -> dict[str, object]:
    """What of a read sentinel does not depend on when and by which version it was written."""
    return {
        key: value
        for key, value in document.items()
        if key not in {"mlxk_version", "created_at", "hash_computed_at"}
    }
