"""Start-up: what answers from here imports nothing of the Hub or of MLX, and a no-op reads no file's content.

The Hub is gone before any of it runs.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.site import Site
from tests.testhub import LoopbackHub, lfs

HEAVY = {
    *("huggingface_hub", "hf_xet", "urllib3", "httpx", "httpx2", "requests", "truststore", "ssl"),
    *("mlx", "mlx_lm", "mlx_vlm", "mlx_audio", "transformers", "tokenizers", "numpy", "torch"),
    *("tomlkit", "packaging", "tqdm"),
}
PROGRAM = """
import sys
from mlxlock.__main__ import main
code = 0
try:
    main()
except SystemExit as done:
    code = done.code
print("imported:", *sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
sys.exit(code)
"""
needs_strace = pytest.mark.skipif(sys.platform != "linux", reason="strace is Linux's")
MANIFEST = '[models.one]\nrepo = "org/one"\n'


def made(root: Path) -> Site:
    """A synced project; another one, which shared its blobs, was deleted afterwards."""
    with LoopbackHub() as hub:
        hub.repo("org/one").commit(
            {"config.json": b"{}", "vocab.txt": b"a\n" * 400, "model.safetensors": lfs(b"w" * 3_000_000)}
        )
        site = Site(root / "project", hub.endpoint, store=root / "store")
        site.write(MANIFEST)
        site.mlxk("lock", "--no-capture")
        site.mlxk("sync", "--link-mode", "hardlink")
        other = Site(root / "other", hub.endpoint, store=site.store)
        shutil.copyfile(site.root / "models.toml", other.root / "models.toml")
        shutil.copyfile(site.lock_path, other.lock_path)
        other.mlxk("sync", "--link-mode", "hardlink")
    shutil.rmtree(other.root)
    return site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return made(tmp_path_factory.mktemp("start-up"))


def imported(site: Site, *argv: str) -> tuple[set[str], str]:
    """The packages that a call imports, and what it says on stdout."""
    command = [sys.executable, "-c", PROGRAM, *argv]
    done = subprocess.run(
        command, cwd=site.root, env=site.env, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    found = re.search(r"^imported: (.*)$", done.stderr, re.MULTILINE)
    assert found
    return set(found[1].split()), done.stdout


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("--version",), "mlxlock"),
        (("--help",), "Usage: mlxk"),
        (("sync", "--help"), "Usage: mlxk sync"),
        (("status",), "everything is as the lock says"),
        (("verify",), "every byte is as locked"),
        (("sync",), "nothing to do"),
        (("sync", "--locked", "--offline"), "nothing to do"),
        (("tree",), "org/one"),
        (("env",), "export HF_HOME="),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_answers_from_here_imports_neither_hub_nor_mlx(
    site: Site, argv: tuple[str, ...], told: str
) -> None:
    modules, output = imported(site, *argv)
    assert told in output
    assert "mlxlock" in modules
    assert modules & HEAVY == set()


def test_a_version_needs_no_click_and_help_none_of_the_commands(site: Site) -> None:
    assert "click" not in imported(site, "--version")[0]
    probe = "import sys; from mlxlock.cli.main import run; run(['--help']); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", probe], env=site.env, capture_output=True, text=True, check=True, timeout=240
    )
    ours = {name for name in done.stdout.splitlines()[-1].split() if name.startswith("mlxlock.")}
    assert {name.split(".")[1] for name in ours} <= {"cli", "render", "errors", "spec", "steps"}
    assert {name for name in ours if "steps." in name} == {"mlxlock.steps.report"}


@needs_strace
@pytest.mark.parametrize("verb", ["sync", "status"])
def test_the_first_no_op_opens_no_file_of_workspace_or_store_and_no_socket(tmp_path: Path, verb: str) -> None:
    site = made(tmp_path)
    log = site.root / "calls"
    calls = "trace=open,openat,openat2,socket,connect"
    site.mlxk(verb, before=("strace", "-f", "-y", "-qq", "-e", calls, "-o", str(log)))
    seen = log.read_text().splitlines()
    assert any("models.lock" in line for line in seen), "strace saw what is read"
    assert [line for line in seen if re.search(r"\b(socket|connect)\(", line)] == []
    opened = [line for line in seen if "O_DIRECTORY" not in line and "ENOENT" not in line]
    ours = f"{site.models}/.hf_cache/.mlxk_files"  # which paths an earlier sync wrote: a list, no content
    places = (f"{site.models}/", f"{site.store}/blobs/")
    assert [line for line in opened if ours not in line and any(place in line for place in places)] == []


@needs_strace
def test_verify_does_read_them(site: Site) -> None:
    log = site.root / "calls"
    site.mlxk("verify", before=("strace", "-f", "-y", "-qq", "-e", "trace=openat", "-o", str(log)))
    assert any("model.safetensors" in line for line in log.read_text().splitlines())
