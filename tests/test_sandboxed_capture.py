"""The pieces of a capture together: a real client, the real sandbox, nothing but the recording mirror."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlxlock.capture.backends import BACKENDS
from mlxlock.capture.choose import Choice, choose
from mlxlock.capture.listing import list_cache
from mlxlock.capture.none import NoSandbox
from mlxlock.ports import Job, Sandbox, Service
from mlxlock.workspace.environment import strict
from tests.commands.site import Site
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
try:
    pids = os.listdir("/proc")
except PermissionError:
    pids = ["self", *map(str, range(1, os.getpid() + 100))]
for pid in pids:
    for name in ("environ", "cmdline"):
        try:
            seen.append(open(f"/proc/{pid}/{name}", "rb").read().decode("latin-1"))
        except OSError:
            pass
with open(sys.argv[1] + ".told", "w") as told:
    json.dump({"files": sorted(os.listdir(folder)), "seen": seen}, told)
"""


@pytest.fixture(params=["none", *(backend.name for backend in BACKENDS if backend.platform == sys.platform)])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    if request.param == "none":
        return NoSandbox()
    backends = [backend for backend in BACKENDS if backend.name == request.param]
    return choose("partial", project=None, choice=Choice(backends=backends))


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
    if sandbox.level != "none":
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


def _without_bubblewrap(command: list[str]) -> list[str]:
    cover = 'mount --bind /dev/null "$(command -v bwrap)"; exec "$@"'
    return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", cover, "sh", *command]


def _without_namespaces(command: list[str]) -> list[str]:
    return ["bwrap", "--dev-bind", "/", "/", "--unshare-user", "--disable-userns", *command]


@pytest.mark.mlx
@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("around", "backend", "level"),
    [
        (_without_bubblewrap, "linux-namespaces", "full"),
        (_without_namespaces, "linux-landlock", "partial"),
    ],
    ids=["linux-namespaces", "linux-landlock"],
)
def test_a_real_model_is_captured_and_proven_without_bubblewrap(
    around: Callable[[list[str]], list[str]],
    backend: str,
    level: str,
    tiny_models: Path,
    loopback_hub: LoopbackHub,
    tmp_path: Path,
) -> None:
    """With bubblewrap, `scenarios/test_main_job` shows it."""
    loopback_hub.load_tree(tiny_models)
    site = Site(tmp_path / "project", loopback_hub.endpoint)
    site.write(
        f'[sandbox]\npython = "{sys.executable}"\n[models.chat]\nrepo = "mlx-community/Qwen2-tiny-4bit"\n'
    )
    before = tuple(around([]))
    locked = site.run("lock", before=before)
    assert locked.returncode == 0, locked.stderr
    (proof,) = site.locked["chat"]["proofs"]
    assert (proof["sandbox"], proof["offline"], proof["compared"]) == (level, "proven", "output")
    (measured,) = (json.loads(file.read_bytes()) for file in (site.store / "sandboxes").iterdir())
    assert (measured["key"]["backend"], measured["level"]) == (backend, level)
    site.mlxk("sync")
    assert site.run("verify", "--require-sandbox", "partial").returncode == 0
    enough = site.run("verify", "--require-sandbox", "full")
    assert (enough.returncode == 0) == (level == "full"), enough.stderr
    if level == "partial":
        assert "using `linux-landlock` (sandbox level `partial`, which the lock records)" in locked.stderr
        assert "weaker sandbox than `full`" in enough.stdout + enough.stderr
        manifest = site.root / "models.toml"
        manifest.write_text(manifest.read_text().replace("[sandbox]", '[sandbox]\nrequire = "full"'))
        refused = site.run("lock", "--json", before=before)
        error = json.loads(refused.stdout)["error"]
        assert (refused.returncode, error["code"]) == (2, "sandbox-unavailable")
        assert "another sandbox around this one" in error["message"]


_APP = """
import os, sys
seen = []
for place, folders, files in os.walk("."):
    for name in files:
        path = os.path.join(place, name)
        try:
            seen.append(path) if "to" "ken" in open(path).read() else None
        except OSError:
            pass
try:
    open("written", "w")
    seen.append("written")
except OSError:
    pass
import package.module
sys.exit(0 if seen == ["./package/readable.txt"] else f"it saw {seen}")
"""


@pytest.mark.sandbox
@pytest.mark.parametrize(
    "around", [list, _without_bubblewrap, _without_namespaces], ids=["bwrap", "namespaces", "landlock"]
)
def test_a_projects_own_command_sees_it_read_only_and_without_its_secrets(
    around: Callable[[list[str]], list[str]], loopback_hub: LoopbackHub, tmp_path: Path
) -> None:
    loopback_hub.repo("org/model").commit({"config.json": b"{}", "model.safetensors": b"\0" * 100})
    site = Site(tmp_path / "project", loopback_hub.endpoint)
    for path in (".git/config", ".env", ".env.local", "package/.env", "package/.git", "package/readable.txt"):
        (site.root / path).parent.mkdir(exist_ok=True)
        (site.root / path).write_text("token", encoding="ascii")
    (site.root / "package" / "module.py").touch()
    (site.root / "app.py").write_text(_APP, encoding="ascii")
    site.write(
        f'[sandbox]\npython = "{sys.executable}"\n[models.m]\nrepo = "org/model"\n'
        'first-run = [{ name = "app", command = ["python", "app.py"], compare = "none" }]\n'
    )
    site.mlxk("lock", before=tuple(around([])))
    (proof,) = site.locked["m"]["proofs"]
    assert (proof["first-run"], proof["compared"]) == ("app", "none")
    assert not (site.root / "written").exists()
