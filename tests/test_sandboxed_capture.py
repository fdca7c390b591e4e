"""The pieces of a capture together: a real client, the real sandbox, nothing but the recording mirror."""

import json
import sys
from pathlib import Path

import pytest

from mlxlock.capture.choose import choose
from mlxlock.capture.listing import list_cache
from mlxlock.capture.none import NoSandbox
from mlxlock.ports import Job, Sandbox, Service
from mlxlock.workspace.environment import strict
from tests.hub.mirrors import TOKEN, serving_mirror
from tests.testhub import LoopbackHub

_CHILD = """
import json, os, sys
from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError
open(sys.argv[1], "w").write("load")
folder = snapshot_download("org/model")
try:
    hf_hub_download("org/model", "added_tokens.json")
except EntryNotFoundError:
    pass
seen = []
for pid in filter(str.isdigit, os.listdir("/proc")):
    for name in ("environ", "cmdline"):
        try:
            seen.append(open(f"/proc/{pid}/{name}", "rb").read().decode("latin-1"))
        except OSError:
            pass
with open(sys.argv[1] + ".told", "w") as told:
    json.dump({"files": sorted(os.listdir(folder)), "seen": seen}, told)
"""


@pytest.fixture(params=["sandboxed", "bare"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    return NoSandbox() if request.param == "bare" else choose("full", project=None)


@pytest.mark.sandbox
def test_a_capture(sandbox: Sandbox, loopback_hub: LoopbackHub, tmp_path: Path) -> None:
    loopback_hub.user(TOKEN, grants=["org/model"])
    commit = loopback_hub.repo("org/model", private=True).commit(
        {"config.json": b"{}", "model.safetensors": b"\0" * 100_000}
    )
    root, scratch = tmp_path / "models", tmp_path / "run"
    scratch.mkdir()
    phase_file = scratch / "phase"
    with serving_mirror(loopback_hub, tmp_path, phase_file=phase_file) as bench:
        endpoint = f"http://127.0.0.1:{{hub}}{bench.mirror.prefix}"
        setting = strict(root, scratch, {"HF_TOKEN": TOKEN, "PATH": "/usr/bin"}, endpoint=endpoint)
        for directory in setting.directories:
            directory.mkdir(parents=True, exist_ok=True)
        outcome = sandbox.run(
            Job(
                argv=(sys.executable, "-c", _CHILD, str(phase_file)),
                env=setting.variables,
                cwd=root,
                readable=(root,),
                writable=(scratch, root / ".hf_cache"),
                timeout_s=60,
                services={"hub": Service(port=8001, serve=bench.mirror.serve)},
            )
        )
        assert outcome.exit_code == 0, outcome.stderr
        told = json.loads((scratch / "phase.told").read_bytes())
        exchanges = bench.mirror.exchanges()
    assert told["files"] == ["config.json", "model.safetensors"]
    if sandbox.level == "full":
        assert not [text for text in told["seen"] if TOKEN in text]
    assert not [path for path in root.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert {exchange.commit for exchange in exchanges if exchange.repo} == {commit}
    assert {exchange.phase for exchange in exchanges if exchange.repo} == {"load"}
    (cached,) = list_cache(root / ".hf_cache" / "hub")
    assert (dict(cached.refs), dict(cached.files), dict(cached.absent)) == (
        {"main": commit},
        {commit: ("config.json", "model.safetensors")},
        {commit: ("added_tokens.json",)},
    )
