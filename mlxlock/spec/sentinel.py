"""The workspace sentinel, `.mlxk_workspace.json`, of ADR-022. Owns its fields and their order.

`lasting()` is what follows from the source; times and the writing version are added when it is written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from mlxlock.spec.names import CommitHash, RepoId

SENTINEL_NAME: Final = ".mlxk_workspace.json"
CACHE_DIR: Final = ".hf_cache"
"""What runs of the models in a directory leave there: it stands beside them."""
HASH_ALGORITHM: Final = "sha256-lines-1"
HASH_EXCLUDES: Final = (
    SENTINEL_NAME,
    f"{CACHE_DIR}/",
    ".DS_Store",
    ".git/",
    "__pycache__/",
    "*.log",
    "*.tmp",
)

_OF_THE_WRITING: Final = frozenset(
    {"mlxk_version", "created_at", "hash_computed_at", "operation", "parameters"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentinel:
    """One model directory's origin.

    Attributes:
        source_revision: The commit, never null.
        operation: What made the directory: `sync`, `clone` or `convert`.
        content_hash: `sha256:…` over its files but `HASH_EXCLUDES`.
        parameters: What `operation` was told beside the source, such as `include` or `quantize`.
    """

    source_repo: RepoId
    source_revision: CommitHash
    operation: str
    content_hash: str
    managed: bool = True
    parameters: Mapping[str, object] = field(default_factory=dict)

    def lasting(self) -> dict[str, object]:
        """Everything but times and version, in the written order."""
        return {
            "source_repo": self.source_repo,
            "source_revision": self.source_revision,
            "managed": self.managed,
            "operation": self.operation,
            **({"parameters": dict(self.parameters)} if self.parameters else {}),
            "content_hash": self.content_hash,
            "hash_algorithm": HASH_ALGORITHM,
            "hash_excludes": list(HASH_EXCLUDES),
        }

    def written(self, *, version: str, now: str) -> dict[str, object]:
        """The whole document; `now` is UTC, ISO 8601 with `Z`."""
        document = {"mlxk_version": version, "created_at": now, **self.lasting()}
        return {**document, "hash_computed_at": now}


def lasting_part(document: Mapping[str, object]) -> dict[str, object]:
    """What of a sentinel does not depend on when, by which version and by which verb it was written.

    What `clone` made and what `sync` would make of the same commit is the same: `sync` takes it over.
    """
    return {key: value for key, value in document.items() if key not in _OF_THE_WRITING}


def is_hashed(path: str) -> bool:
    """Whether the content hash covers a path of a model's directory: all but the ADR's exclude list."""
    names = path.split("/")
    folders = {pattern.rstrip("/") for pattern in HASH_EXCLUDES if pattern.endswith("/")}
    files = [pattern for pattern in HASH_EXCLUDES if not pattern.endswith("/")]
    return not folders.intersection(names[:-1]) and not any(fnmatchcase(names[-1], name) for name in files)
