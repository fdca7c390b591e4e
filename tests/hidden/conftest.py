"""Each row is observed once a session, by whichever process needs it first."""

import fcntl
from pathlib import Path

import pytest

from tests.hidden.rows import ROWS, Row
from tests.hidden.trial import Observed, observe


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that every process of this session has in common."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if base.name.startswith("popen-") else base) / "hidden"
    root.mkdir(exist_ok=True)
    return root


@pytest.fixture(scope="session")
def observed(request: pytest.FixtureRequest, tiny_models: Path, shared: Path) -> Observed:
    """What came of the row that the test is about."""
    row: Row = request.param
    left = shared / f"{row.name}.json"
    with (shared / f"{row.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not left.exists():
            root = shared / row.name
            root.mkdir()
            observe(row, tiny_models, root).write(left)
    return Observed.read(left)


__all__ = ["ROWS"]
