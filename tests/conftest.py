"""Guards around every test, and the fixtures that all suites share.

Owns: no home, no network, a Hub on loopback, interpreters with each supported huggingface_hub.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.certificates import Authority, make_authority
from tests.guards import REAL_ENVIRONMENT, guard_environment, refuse_outside_sockets, refused_addresses
from tests.hub_pythons import cache_dir, ensure_hub_pythons
from tests.testhub import LoopbackHub

pytest_plugins = ("tests.fixtures_models",)

# Before any test module is imported: huggingface_hub reads its variables then, and never again.
guard_environment(os.environ)
refuse_outside_sockets()
# A shell that puts us into the background has us ignore Ctrl-C, and what we ignore our children ignore too.
signal.signal(signal.SIGINT, signal.default_int_handler)
# How long an example takes says more about the machine's other work than about us.
settings.register_profile("mlxlock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mlxlock")


@pytest.fixture(autouse=True)
def _guarded() -> Iterator[None]:
    """Give each test the guarded environment, and fail it when it swallowed the refusal of a socket."""
    kept = dict(os.environ)
    guard_environment(os.environ)
    refused_addresses.clear()
    yield
    os.environ.clear()
    os.environ.update(kept)
    assert not refused_addresses, f"the test tried to leave the machine: {refused_addresses}"


@pytest.fixture
def loopback_hub() -> Iterator[LoopbackHub]:
    """A fresh Hub, empty and running."""
    with LoopbackHub() as hub:
        yield hub


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A CA for this run, with a certificate for loopback."""
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def hub_pythons() -> dict[str, Path]:
    """An interpreter for each supported huggingface_hub, by `"1.33"` and `"2"`."""
    return ensure_hub_pythons(cache_dir(REAL_ENVIRONMENT), REAL_ENVIRONMENT)
