"""A real store for the files that this suite fetches."""

from pathlib import Path

import pytest

from mlxlock.store import DirectoryStore


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    """An empty one."""
    return DirectoryStore(tmp_path / "store")
