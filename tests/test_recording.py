"""The mirror as `lock` uses it: who asked is written down, and nothing is fetched twice."""

import shutil
import subprocess
from pathlib import Path

import pytest

from mlxlock.hub.client import HubSource
from mlxlock.hub.endpoint import Endpoint
from mlxlock.steps.pinning import PinnedSource
from mlxlock.store import DirectoryStore
from tests.hub.mirrors import TOKEN, serving_mirror
from tests.hub.support import wanted
from tests.runners.driver import RUNNERS
from tests.testhub import LoopbackHub
from tests.testhub.clients import Installation

LIBRARY = """
from huggingface_hub import HfApi, hf_hub_download, snapshot_download

class Model:
    def load(self):
        hf_hub_download("org/model", "config.json")
        snapshot_download("org/model", max_workers=4)
        HfApi().model_info("org/model")
"""
FILES = {f"{number}.bin": bytes([number]) * 1000 for number in range(6)} | {"config.json": b"{}"}


@pytest.mark.parametrize("version", ["1.33", "2"])
def test_the_library_code_that_asked_is_named_also_from_worker_threads(
    version: str, hub_pythons: dict[str, Path], loopback_hub: LoopbackHub, tmp_path: Path
) -> None:
    loopback_hub.user(TOKEN)
    loopback_hub.repo("org/model").commit(FILES)
    (tmp_path / "speechlib").mkdir()
    (tmp_path / "speechlib" / "model.py").write_text(LIBRARY)
    (tmp_path / "witness").mkdir()
    shutil.copyfile(RUNNERS / "witness.py", tmp_path / "witness" / "sitecustomize.py")
    with serving_mirror(loopback_hub, tmp_path) as bench:
        client = Installation(python=hub_pythons[version], home=tmp_path, endpoint=bench.endpoint)
        env = {"PYTHONPATH": f"{tmp_path / 'witness'}:{tmp_path}", "MLXK_WITNESS": str(tmp_path / "asked")}
        command = [str(client.python), "-c", "from speechlib.model import Model; Model().load()"]
        subprocess.run(command, env=client.environment(env), check=True, timeout=240, cwd=tmp_path)
        asked = [exchange for exchange in bench.mirror.exchanges() if exchange.repo]
    assert {exchange.asked_by for exchange in asked} == {"speechlib.model:Model.load"}
    assert {exchange.path for exchange in asked if exchange.path} == set(FILES)


def test_what_is_declared_is_never_asked_for_again(loopback_hub: LoopbackHub, tmp_path: Path) -> None:
    loopback_hub.user(TOKEN)
    loopback_hub.repo("org/declared").commit(FILES)
    source, store = HubSource(Endpoint(url=loopback_hub.endpoint)), DirectoryStore(tmp_path / "store")
    declared = source.resolve(wanted("org/declared", "main"))
    source.fetch([declared.remote(file) for file in declared.files], store)
    loopback_hub.repo("org/copy").commit(FILES)
    loopback_hub.forget_requests()
    pinned = PinnedSource(source, pins={}, artifacts={}, resolved=[declared])
    with serving_mirror(loopback_hub, tmp_path, source=pinned) as bench:
        for path, content in FILES.items():
            assert bench.ask(f"/org/declared/resolve/main/{path}").body == content
            assert bench.ask(f"/org/declared/resolve/{declared.commit}/{path}").body == content
        assert bench.ask("/api/models/org/declared").status == 200
        assert not loopback_hub.requests
        assert bench.ask("/org/copy/resolve/main/1.bin").body == FILES["1.bin"]
    assert [request.path for request in loopback_hub.requests] == ["/api/models/org/copy/revision/main"]


def test_what_the_users_own_cache_has_is_not_fetched(loopback_hub: LoopbackHub, tmp_path: Path) -> None:
    loopback_hub.user(TOKEN)
    loopback_hub.repo("org/model").commit(FILES)
    source = HubSource(Endpoint(url=loopback_hub.endpoint))
    resolution = source.resolve(wanted("org/model", "main"))
    for file in resolution.files:
        blob = tmp_path / "cache" / "models--org--model" / "blobs" / file.etag
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(FILES[file.path])
    store = DirectoryStore(tmp_path / "store", adopt_from=[tmp_path / "cache"])
    loopback_hub.forget_requests()
    with serving_mirror(loopback_hub, tmp_path, source=source, store=store) as bench:
        assert bench.ask("/org/model/resolve/main/3.bin").body == FILES["3.bin"]
    assert [request.path for request in loopback_hub.requests] == ["/api/models/org/model/revision/main"]
