"""A sync that has work to do does not pay for huggingface_hub, and one that has none not for urllib3."""

import subprocess
import sys
from pathlib import Path

import pytest

from mlxlock.store import DirectoryStore
from tests.hub.support import remotes, source_for, wanted
from tests.testhub import LoopbackHub

REPO = Path(__file__).resolve().parents[2]
HEAVY = "{'huggingface_hub', 'httpx', 'httpx2', 'urllib3', 'truststore'}"


def heavy_modules(script: str, *arguments: str) -> list[str]:
    """The heavy packages that a script has imported by its end."""
    ending = f"\nimport sys; print(*sorted({HEAVY} & set(sys.modules)))"
    command = [sys.executable, "-c", script + ending, *arguments]
    answer = subprocess.run(command, cwd=REPO, check=True, timeout=240, capture_output=True, text=True)
    return answer.stdout.split()


@pytest.mark.parametrize("module", ["fetch", "client", "endpoint", "offline", "retry", "refusals", "tags"])
def test_an_import_alone_brings_nothing_heavy(module: str) -> None:
    assert heavy_modules(f"import mlxlock.hub.{module}") == []


def test_fetching_needs_no_huggingface_hub(loopback_hub: LoopbackHub, store: DirectoryStore) -> None:
    loopback_hub.repo("org/m").commit({"config.json": b"{}"})
    (remote,) = remotes(source_for(loopback_hub).resolve(wanted("org/m")))
    script = f"""
import sys
from pathlib import Path
from mlxlock.hub.client import HubSource
from mlxlock.hub.endpoint import Endpoint
from mlxlock.spec.digest import GitOid
from mlxlock.spec.names import CommitHash, RepoId, RepoPath
from mlxlock.spec.resolution import FileEntry, RemoteFile
from mlxlock.store import DirectoryStore
file = FileEntry(path=RepoPath("config.json"), size_bytes=2, git=GitOid("{remote.file.git}"))
remote = RemoteFile(repo=RepoId("org/m"), commit=CommitHash("{remote.commit}"), file=file)
HubSource(Endpoint(url=sys.argv[1])).fetch([remote], DirectoryStore(Path(sys.argv[2])))
"""
    arguments = (loopback_hub.endpoint, str(store.root))
    assert heavy_modules(script, *arguments) == ["truststore", "urllib3"]
    assert store.find(remote.file) is not None
    assert heavy_modules(script, *arguments) == [], "the second time there is nothing to do"
