"""What first runs are made of, through the command line: names, limits, own programs, and failure."""

import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.site import ROOT, Site
from tests.testhub import LoopbackHub, Pattern, Slow

pytestmark = pytest.mark.sandbox

HEAD = f'[sandbox]\npython = "{sys.executable}"\n[models.it]\nrepo = "org/it"\n'
MEDIA = ROOT / "mlxlock" / "runners" / "media"
FETCH = "from huggingface_hub import hf_hub_download\nhf_hub_download('org/dep', '{}')\n"


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as hub:
        hub.repo("org/it").commit({"config.json": b"{}", "model.safetensors": b"w" * 10})
        hub.repo("org/dep").commit({"a.json": b"[1]", "b.json": b"[2]"})
        yield hub


@pytest.fixture
def site(hub: LoopbackHub, tmp_path: Path) -> Site:
    return Site(tmp_path / "project", hub.endpoint)


def run(name: str, more: str = "") -> str:
    return f'{{ name = "{name}", command = ["python", "{name}.py"]{more} }}'


def declare(site: Site, *runs: str, **programs: str) -> None:
    site.write(f"{HEAD}first-run = [{', '.join(runs)}]\n")
    for name, program in programs.items():
        (site.root / f"{name}.py").write_text(program)


def test_several_runs_are_proven_each_and_what_they_bring_adds_up(site: Site) -> None:
    declare(site, run("one"), run("two"), one=FETCH.format("a.json"), two=FETCH.format("b.json"))
    site.mlxk("lock")
    it = site.locked["it"]
    assert [(proof["first-run"], proof["offline"]) for proof in it["proofs"]] == [
        ("one", "proven"),
        ("two", "proven"),
    ]
    assert [file["path"] for file in it["artifact"][0]["files"]] == ["a.json", "b.json"]
    before = site.lock_path.read_text()
    assert "up to date" in site.mlxk("lock")
    assert site.lock_path.read_text() == before


def test_nothing_that_a_failed_run_fetched_is_locked(site: Site) -> None:
    declare(site, run("app"), app=FETCH.format("a.json") + "raise SystemExit(7)")
    code, name, told = site.refusal("lock")
    assert (code, name) == (2, "first-run-failed")
    assert "the first run `app` of `it` ended with exit code 7" in told
    assert not site.lock_path.exists()
    declare(site, run("app"), app=FETCH.format("b.json"))
    site.mlxk("lock")
    assert [file["path"] for file in site.locked["it"]["artifact"][0]["files"]] == ["b.json"]


def test_a_model_that_is_never_run_is_locked_without_a_proof(site: Site) -> None:
    site.write(f"{HEAD}first-run = false\n")
    site.mlxk("lock")
    assert "proofs" not in site.locked["it"]
    assert "up to date" in site.mlxk("lock")


def test_time_is_limited_but_a_slow_hub_takes_none_of_it(site: Site, hub: LoopbackHub) -> None:
    declare(site, run("app", ", timeout-s = 1"), app="import time; time.sleep(600)")
    told = site.refusal("lock")[2]
    assert "took longer than 1 s, which is its `timeout-s`" in told
    assert "give it a longer `timeout-s` in `models.toml`" in told
    assert any(waited_for(site, hub, limit_s) for limit_s in (7, 28))  # a busy machine takes some of it, too


def waited_for(site: Site, hub: LoopbackHub, limit_s: int) -> bool:
    """Whether a `lock` is proven whose file alone takes longer to come than its first run may last."""
    name, size_bytes = f"{limit_s}.bin", 3_000_000
    hub.repo(f"org/{limit_s}").commit({name: Pattern(size=size_bytes, seed=limit_s)})
    hub.fault(name, Slow(bytes_per_s=size_bytes * 2 // (3 * limit_s)), method="GET", times=None)
    program = FETCH.format(name).replace("org/dep", f"org/{limit_s}")
    declare(site, run("app", f", timeout-s = {limit_s}"), app=program)
    begun = time.monotonic()
    done = site.run("lock")
    assert done.returncode == 0 or f"took longer than {limit_s} s" in done.stderr
    return done.returncode == 0 and time.monotonic() - begun > limit_s


def test_memory_is_limited(site: Site) -> None:
    program = "bytearray({} << 20)"
    declare(site, run("app", ", memory-mb = 400"), app=program.format(600))
    code, name, told = site.refusal("lock")
    assert (code, name, "MemoryError" in told) == (2, "first-run-failed", True)
    assert "its `memory-mb` of 400 was not enough" in told
    assert "give it more `memory-mb` in `models.toml`" in told
    declare(site, run("app", ", memory-mb = 400"), app="raise SystemExit(7)")
    assert "memory-mb" not in site.refusal("lock")[2]
    declare(site, run("app", ", memory-mb = 400"), app=program.format(200))
    site.mlxk("lock")
    assert site.locked["it"]["request"]["first-run"][0]["memory-mb"] == 400


@pytest.mark.parametrize(
    ("target", "told"), [(None, "is not there"), ("/etc/passwd", "leads out of the project")]
)
def test_a_model_is_shown_no_file_but_the_projects_own(site: Site, target: str | None, told: str) -> None:
    if target is not None:
        (site.root / "a.wav").symlink_to(target)
    site.write(f'{HEAD}kind = "stt"\nfirst-run = [{{ name = "hello", audio = "a.wav" }}]\n')
    code, name, said = site.refusal("lock")
    assert (code, name) == (2, "first-run-failed")
    assert f"`a.wav`, the `audio` of the first run `hello` of `it`, {told}" in said


def test_a_command_sees_its_project_without_secrets_and_without_the_workspace(site: Site) -> None:
    site.write(f"{HEAD}first-run = false\n")
    site.mlxk("lock")
    site.mlxk("sync")
    assert (site.models / "it" / "config.json").exists()
    (site.root / ".env").write_text("TOKEN=1")
    program = """
import os
from pathlib import Path
assert Path("data.txt").read_text() == "mine"
for name in (".env", "models/it/config.json"):
    try:
        assert not Path(name).read_bytes(), name
    except OSError:
        pass
try:
    Path("left").write_text("x")
    raise SystemExit("it writes into the project")
except OSError:
    pass
assert (Path(os.environ["MLXK_MODEL"]) / "config.json").read_bytes() == b"{}"
"""
    (site.root / "data.txt").write_text("mine")
    declare(site, run("app"), app=program)
    site.mlxk("lock")
    assert not (site.root / "left").exists()


def test_nothing_runs_where_another_model_will_be_refused(site: Site, hub: LoopbackHub) -> None:
    """Work that is thrown away after minutes, for what was to be known before."""
    code = {
        "config.json": b'{"model_file": "code.py"}',
        "code.py": b"",
        "a.safetensors": b"w",
    }
    hub.repo("org/code").commit(code)
    declare(site, run("app"), app="")
    fine = (site.root / "models.toml").read_text()
    more = (
        '[models.code]\nrepo = "org/code"\nkind = "text"\n',
        '[models.unknown]\nrepo = "org/it"\ndir = "unknown"\n',
        '[models.nothing]\nrepo = "org/it"\ndir = "n"\nfirst-run = [{ name = "a", command = ["gone"] }]\n',
    )
    told = (
        "`code` would execute code",
        "`unknown` was not run: its kind cannot be told",
        "no program `gone`",
    )
    for one, says in zip(more, told, strict=True):
        site.write(fine + one)
        assert says in site.refusal("lock")[2]
    site.write(fine + "".join(more))
    done = site.run("lock")
    assert done.returncode == 1
    assert "error: 3 models cannot be run" in done.stderr
    assert [says for says in told if says not in done.stderr] == []
    assert "Running" not in done.stderr
    partly = site.run("lock", "--keep-going")
    assert (partly.returncode, list(site.locked)) == (3, ["it"])


DEEP = """
import os
os.chdir(os.environ["{where}"])
for _ in range({depth}):
    os.mkdir("d")
    os.chdir("d")
open("left", "w").close()
"""


def test_directories_nested_without_end_break_no_later_run(site: Site) -> None:
    scratch = site.store / "scratch"
    declare(site, run("app"), app=DEEP.format(where="TMPDIR", depth=3000))
    site.mlxk("lock")
    assert [path.name for path in scratch.iterdir()] == [".lock"]
    declare(site, run("app", ", timeout-s = 70"), app=DEEP.format(where="MLXK_MODEL", depth=1200))
    assert "wrote into its own directory" in site.run("lock").stderr
    declare(site, run("app", ", timeout-s = 80"), app=DEEP.format(where="HF_HOME", depth=3000))
    code, name, told = site.refusal("lock")
    assert (code, name) == (2, "disk")
    assert "which cannot be listed" in told
    assert [path.name for path in scratch.iterdir()] == [".lock"]


def test_what_it_goes_without_and_what_nobody_compared_is_told(site: Site, hub: LoopbackHub) -> None:
    hub.repo("org/gated", gated="manual").commit({"a.json": b"gated"})
    swallowed = f"try:\n    {FETCH.format('a.json').replace(chr(10), '; ').replace('org/dep', 'org/gated')}\n"
    declare(site, run("app"), app=f"{swallowed}except Exception:\n    pass\n")
    refused = site.run("lock", "--json")
    data = json.loads(refused.stdout)["data"]
    assert data["models"][0]["denied"] == [{"url": "hf://org/gated/a.json", "accepted": False}]
    (objection,) = data["runs"][0]["objections"]
    assert objection["code"] == "denied"
    assert "is gated" in objection["text"]
    assert 'accept-denied = ["org/gated"]' in objection["hint"]
    manifest = (site.root / "models.toml").read_text()
    site.write(manifest.replace('repo = "org/it"', 'repo = "org/it"\naccept-denied = ["org/gated"]'))
    told = site.mlxk("lock")
    assert "goes without hf://org/gated/a.json, which is accepted" in told
    assert "app: proven offline, sandbox full, nothing compared" in told


@pytest.mark.mlx
def test_what_a_first_run_asks_reaches_the_library(site: Site, hub: LoopbackHub, tiny_models: Path) -> None:
    hub.load_tree(tiny_models)
    shutil.copy(MEDIA / "hello.wav", site.root / "said.wav")
    head = HEAD.partition("[models.it]")[0]
    site.write(
        f'{head}[models.asr]\nrepo = "mlx-community/whisper-tiny-asr-fp16"\n'
        'first-run = [{ name = "en", audio = "said.wav", language = "en", voice = "v" }]\n'
        '[models.chat]\nrepo = "mlx-community/Qwen2-tiny-4bit"\n'
        'first-run = [{ name = "brief", prompt = "hello", system = "please", max-tokens = 9, seed = 3 }]\n'
    )
    code, name, told = site.refusal("lock")
    assert (code, name) == (2, "first-run-failed")
    assert "`voice` is not for this stt model" in told
    site.write((site.root / "models.toml").read_text().replace(', voice = "v"', ""))
    site.mlxk("lock")
    proofs = {name: entry["proofs"] for name, entry in site.locked.items()}
    assert [(proof["first-run"], proof["offline"]) for proof in proofs["asr"]] == [("en", "proven")]
    assert [(proof["first-run"], proof["offline"]) for proof in proofs["chat"]] == [("brief", "proven")]
