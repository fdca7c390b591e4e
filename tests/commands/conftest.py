"""A project in a fresh directory, with a Hub on loopback and an empty store."""

from pathlib import Path

import pytest

from tests.commands.site import Site
from tests.testhub import LoopbackHub


@pytest.fixture
def project(loopback_hub: LoopbackHub, tmp_path: Path) -> Site:
    """An empty project directory."""
    return Site(tmp_path / "project", loopback_hub.endpoint)
