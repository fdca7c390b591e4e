"""Fixtures for holding the loopback Hub against real clients."""

from pathlib import Path

import pytest

from tests.testhub import LoopbackHub
from tests.testhub.clients import Installation


@pytest.fixture(params=["1.33", "2"])
def hf(
    request: pytest.FixtureRequest,
    hub_pythons: dict[str, Path],
    loopback_hub: LoopbackHub,
    tmp_path: Path,
) -> Installation:
    """Each supported huggingface_hub, with an empty cache, pointed at the Hub of the test."""
    return Installation(python=hub_pythons[request.param], home=tmp_path, endpoint=loopback_hub.endpoint)
