"""What can be seen of a model's directory without running it: files, small JSON texts, weight headers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from mlxlock.spec.safetensors import Header


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A file of a model's directory.

    Attributes:
        path: Relative, as the disk has it: perhaps one that no repo could have.
        modified_ns: When it was written.
        blob: In a cache, the name of the blob that it is: a git id, or a SHA-256.
        problem: Why it has no content that counts (a link, a pipe, an impossible name).
    """

    path: str
    size_bytes: int
    modified_ns: int = 0
    blob: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """One directory, looked at once.

    Attributes:
        files: All of them but a `.hf_cache`, sorted bytewise by path.
        texts: The JSON files at the top, by name, and a chat template's text.
        weights: By path: a safetensors header, None for a format that is taken as it is, or what is wrong.
        gone: Paths that were there when mlxk made the directory.
    """

    files: tuple[ModelFile, ...]
    texts: Mapping[str, str]
    weights: Mapping[str, Header | str | None]
    gone: tuple[str, ...] = ()

    @property
    def modified_ns(self) -> int:
        """When the youngest file was written; 0 without files."""
        return max((file.modified_ns for file in self.files), default=0)

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(file.size_bytes for file in self.files)

    @property
    def config(self) -> Mapping[str, object] | None:
        """`config.json`, if it is a JSON object."""
        return json_object(self.texts.get("config.json"))


@lru_cache(maxsize=64)
def json_object(text: str | None) -> Mapping[str, object] | None:
    """A JSON object; None for anything else."""
    try:
        parsed = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None
