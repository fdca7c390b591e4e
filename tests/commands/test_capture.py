"""`mlxk capture`, `lock --frozen-artifacts`: what is recorded stays, and nothing comes unreviewed."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlxlock.spec.lockfile import Environment
from tests.commands.site import Site
from tests.testhub import LoopbackHub

pytestmark = pytest.mark.sandbox

MAC = Environment(platform="macosx-arm64", python="3.12", packages={})
FETCH = "from huggingface_hub import hf_hub_download\nhf_hub_download('org/{}', '{}')\n"


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as hub:
        for name in ("it", "other"):
            hub.repo(f"org/{name}").commit({"config.json": b"{}", "model.safetensors": b"w" * 10})
        for name in ("dep", "new"):
            hub.repo(f"org/{name}").commit({"a.json": b"[1]", "b.json": b"[2]"})
        yield hub


@pytest.fixture
def site(hub: LoopbackHub, tmp_path: Path) -> Site:
    site = Site(tmp_path / "project", hub.endpoint)
    site.write(
        f'[sandbox]\npython = "{sys.executable}"\n'
        '[models.it]\nrepo = "org/it"\nfirst-run = [{ name = "app", command = ["python", "app.py"] }]\n'
        '[models.other]\nrepo = "org/other"\nfirst-run = false\n'
    )
    (site.root / "app.py").write_text(FETCH.format("dep", "a.json"))
    site.mlxk("lock")
    return site


def move(hub: LoopbackHub, repo: str, files: dict[str, bytes]) -> None:
    found = hub.find(repo)
    assert found is not None
    found.commit(files)


def elsewhere(site: Site) -> str:
    """Let the lock's proof be one of another environment, as a Mac's would be here."""
    text = site.lock_path.read_text()
    mine = str(site.locked["it"]["proofs"][0]["environment"])
    head, _, _ = text.partition("\n[[environment]]")
    mac = f'id = "{MAC.id}"\nplatform = "macosx-arm64"\npython = "3.12"\npackages = {{}}\n'
    site.lock_path.write_text(f"{head}\n[[environment]]\n{mac}".replace(mine, MAC.id))
    return mine


def test_this_environments_proof_comes_beside_another_ones(site: Site) -> None:
    mine = elsewhere(site)
    foreign = site.lock_path.read_text()
    assert "up to date" in site.mlxk("lock")
    assert site.lock_path.read_text() == foreign
    site.mlxk("capture", "it")
    proofs = {proof["environment"]: proof["offline"] for proof in site.locked["it"]["proofs"]}
    assert proofs == {MAC.id: "proven", mine: "proven"}


def test_an_upgrade_that_finds_nothing_new_keeps_what_other_environments_proved(
    site: Site, hub: LoopbackHub
) -> None:
    mine = elsewhere(site)
    site.mlxk("lock", "--upgrade")
    assert [proof["environment"] for proof in site.locked["it"]["proofs"]] == sorted([MAC.id, mine])
    move(hub, "org/dep", {"a.json": b"[9]", "b.json": b"[2]"})
    site.mlxk("lock", "--upgrade")
    assert [proof["environment"] for proof in site.locked["it"]["proofs"]] == [mine]


def test_nothing_is_resolved_anew_and_artifacts_add_up(site: Site, hub: LoopbackHub) -> None:
    commit = site.locked["it"]["artifact"][0]["commit"]
    move(hub, "org/dep", {"a.json": b"[9]", "b.json": b"[9]"})
    move(hub, "org/it", {"config.json": b"{}", "model.safetensors": b"x" * 10})
    before = site.lock_path.read_text()
    assert "up to date" in site.mlxk("capture")
    assert site.lock_path.read_text() == before
    (site.root / "app.py").write_text(FETCH.format("dep", "b.json"))
    site.mlxk("capture")
    (artifact,) = site.locked["it"]["artifact"]
    assert artifact["commit"] == commit
    assert [file["path"] for file in artifact["files"]] == ["a.json", "b.json"]


def test_a_recorded_proof_is_not_lowered_without_being_asked(site: Site) -> None:
    before = site.lock_path.read_text()
    fetch = FETCH.format("dep", "a.json")
    (site.root / "app.py").write_text(f"import os\nassert 'HF_HUB_OFFLINE' not in os.environ\n{fetch}")
    code, name, told = site.refusal("capture")
    assert (code, name) == (1, "proof-failed")
    assert "--allow-lower" in told
    assert "offline would be `unproven`, and was `proven`" in site.run("capture").stdout
    assert site.lock_path.read_text() == before
    assert site.run("capture", "--allow-lower").returncode == 1
    assert site.locked["it"]["proofs"][0]["offline"] == "unproven"
    (site.root / "app.py").write_text(FETCH.format("dep", "a.json"))
    site.mlxk("lock")
    assert site.lock_path.read_text() == before
    code, name, _ = site.refusal("capture", "--no-sandbox")
    assert (code, name) == (1, "proof-failed")
    assert site.lock_path.read_text() == before


def test_lock_runs_nothing_in_a_lesser_sandbox_than_the_recorded_one(site: Site, hub: LoopbackHub) -> None:
    before = site.lock_path.read_text()
    move(hub, "org/it", {"config.json": b"{}", "model.safetensors": b"x" * 10})
    hub.forget_requests()
    for more in ((), ("--keep-going",)):
        code, name, told = site.refusal("lock", "--no-sandbox", "--upgrade-model", "it", *more)
        assert (code, name) == (1, "proof-failed")
        assert "`it`: would be `none`, and was `full`" in told
        assert "--allow-lower" in told
    assert (site.lock_path.read_text(), hub.requests) == (before, ())
    site.mlxk("lock", "--no-sandbox", "--allow-lower", "--upgrade-model", "it")
    assert [proof["sandbox"] for proof in site.locked["it"]["proofs"]] == ["none"]
    for verb in ("status", "tree"):
        assert "proven, no sandbox" in site.run(verb).stdout
    site.mlxk("lock", "--no-sandbox", "--upgrade-model", "it")
    site.mlxk("lock", "--upgrade-model", "it")
    assert [proof["sandbox"] for proof in site.locked["it"]["proofs"]] == ["full"]
    assert "sandbox" not in site.run("status").stdout
    assert "never run" in site.run("status").stdout


def required(site: Site, level: str, more: str = "") -> None:
    manifest = (site.root / "models.toml").read_text()
    site.write(manifest.replace("[sandbox]\n", f'[sandbox]\nrequire = "{level}"\n') + more)


def recorded(site: Site, **keys: str) -> None:
    """Let the lock's proof say something else, as that of an earlier day may."""
    text = site.lock_path.read_text()
    for key, value in keys.items():
        text = re.sub(f'({key} = "[a-z]+")(?=.*compared = )', f'{key} = "{value}"', text)
    site.lock_path.write_text(text)


@pytest.mark.parametrize("level", ["partial", "full"])
def test_no_sandbox_is_refused_at_once_where_the_manifest_requires_one(
    site: Site, hub: LoopbackHub, level: str
) -> None:
    required(site, level, '[models.new]\nrepo = "org/new"\nfirst-run = false\n')
    manifest, before = (site.root / "models.toml").read_bytes(), site.lock_path.read_bytes()
    hub.forget_requests()
    for verb in (("lock",), ("lock", "--keep-going"), ("capture",), ("add", "org/dep"), ("remove", "new")):
        code, name, told = site.refusal(*verb, "--no-sandbox")
        assert (code, name) == (2, "usage")
        assert (
            rf"`--no-sandbox` was given, and `[sandbox]` of `models.toml` says `require = \"{level}\"`"
            in told
        )
        assert "take `require` out of `models.toml`" in told
    assert ((site.root / "models.toml").read_bytes(), site.lock_path.read_bytes()) == (manifest, before)
    assert hub.requests == ()
    site.mlxk("lock", "--no-sandbox", "--no-capture")


def test_a_recorded_proof_below_the_required_sandbox_does_not_count(site: Site) -> None:
    required(site, "full")
    site.mlxk("lock")
    site.mlxk("sync")
    locked = site.lock_path.read_text()
    recorded(site, sandbox="partial")
    code, name, _ = site.refusal("lock", "--check")
    assert (code, name) == (1, "proof-failed")
    told = "first run `app` of `it` is proven in sandbox level `partial` only, and `full` is required"
    assert told in site.run("lock", "--check").stdout
    assert site.refusal("verify")[:2] == (1, "policy")
    told = "`it` (app) is proven in sandbox level `partial`, and `[sandbox]` requires `full`"
    assert told in site.run("verify").stdout
    assert "1 model not proven offline" in site.mlxk("status")
    site.mlxk("lock", "--check", "--no-capture")
    site.mlxk("lock")
    assert site.lock_path.read_text() == locked
    assert site.mlxk("lock", "--check") == "up to date\n"
    site.mlxk("verify")


def test_a_demanded_sandbox_is_that_of_a_proof_of_every_first_run(site: Site) -> None:
    site.write((site.root / "models.toml").read_text().partition("[models.other]")[0])
    site.mlxk("lock")
    site.mlxk("sync")
    site.mlxk("verify", "--require-sandbox", "full")
    recorded(site, offline="unproven")
    code, name, told = site.refusal("verify", "--require-sandbox", "partial")
    assert (code, name) == (1, "policy")
    assert "`it` (app) is not proven offline" in site.run("verify", "--require-sandbox", "full").stdout
    recorded(site, offline="served", sandbox="none")
    told = site.run("verify", "--require-sandbox", "partial").stdout
    assert "`it` (app) is proven in sandbox level `none`, a weaker sandbox than `partial`" in told
    recorded(site, sandbox="full")
    two = '{ name = "app", command = ["python", "app.py"] }, { name = "b", command = ["python", "app.py"] }'
    site.write((site.root / "models.toml").read_text().replace("[{", f"[{two}]#"))
    site.mlxk("lock")
    site.mlxk("verify", "--require-sandbox", "full")
    kept = [line for line in site.lock_path.read_text().split("\n") if 'first-run = "b"' not in line]
    site.lock_path.write_text("\n".join(kept))
    told = site.run("verify", "--require-sandbox", "full").stdout
    assert told.splitlines() == ["`it` (b) is not proven offline, in any sandbox"]
    site.write((site.root / "models.toml").read_text().replace("first-run = [", "first-run = false # ["))
    site.mlxk("lock")
    assert "`it` is never run" in site.run("verify", "--require-sandbox", "partial").stdout


def test_a_stale_lock_an_unknown_model_and_one_that_never_runs_are_told(site: Site) -> None:
    assert "did you mean `it`" in site.refusal("capture", "itt")[2]
    assert "first-run = false" in site.refusal("capture", "other")[2]
    manifest = (site.root / "models.toml").read_text()
    site.write(manifest.replace('repo = "org/it"', 'repo = "org/it"\nexclude = ["*.md"]'))
    assert site.refusal("capture")[1] == "lock-stale"


def test_frozen_artifacts_let_nothing_new_in(site: Site, hub: LoopbackHub) -> None:
    before = site.lock_path.read_text()
    manifest = (site.root / "models.toml").read_text()
    site.write(manifest.replace("\nfirst-run = [", '\nexclude = ["*.md"]\nfirst-run = ['))
    for repo, path in (("new", "a.json"), ("dep", "b.json")):
        (site.root / "app.py").write_text(
            f"try:\n    {FETCH.format(repo, path).replace(chr(10), '; ')}\nexcept Exception:\n    pass\n"
        )
        code, name, told = site.refusal("lock", "--frozen-artifacts")
        assert (code, name) == (1, "policy")
        assert f"org/{repo}" in told
        assert site.lock_path.read_text() == before
    assert not [request for request in hub.requests if "org/new" in request.path]
    (site.root / "app.py").write_text(FETCH.format("dep", "a.json"))
    site.mlxk("lock", "--frozen-artifacts")
    assert site.locked["it"]["request"]["exclude"] == ["*.md"]


ASKS = """
from huggingface_hub import hf_hub_download
for path in ("a.json", {}):
    try:
        hf_hub_download("org/dep", path)
    except Exception:
        pass
"""


def test_offline_nothing_is_asked_that_lock_and_store_have(site: Site, hub: LoopbackHub) -> None:
    manifest = (
        (site.root / "models.toml")
        .read_text()
        .replace("\nfirst-run = [", '\nexclude = ["*.md"]\nfirst-run = [')
    )
    site.write(manifest)
    (site.root / "app.py").write_text(ASKS.format('"never.json"'))
    site.mlxk("lock")
    before = site.lock_path.read_text()
    assert site.locked["it"]["artifact"][0]["absent"] == ["never.json"]
    hub.forget_requests()
    assert "up to date" in site.mlxk("capture", "--offline")
    assert site.lock_path.read_text() == before
    site.write(manifest.replace('app.py"]', 'app.py"], timeout-s = 90'))
    site.mlxk("lock", "--offline")
    assert site.locked["it"]["proofs"][0]["offline"] == "proven"
    assert site.lock_path.read_text() == before.replace('app.py"]', 'app.py"], timeout-s = 90')
    assert not hub.requests


def test_offline_nobody_says_that_a_file_is_absent_which_the_lock_only_lacks(site: Site) -> None:
    before = site.lock_path.read_text()
    (site.root / "app.py").write_text(ASKS.format('"b.json"'))
    code, name, _ = site.refusal("capture", "--offline")
    assert (code, name) == (1, "proof-failed")
    assert site.lock_path.read_text() == before
    assert "`b.json` of `org/dep` is not in the lock" in site.run("capture", "--offline").stderr
    manifest = (site.root / "models.toml").read_text()
    site.write(f'{manifest}[models.dep]\nrepo = "org/dep"\nfirst-run = false\n')
    assert site.refusal("lock", "--offline")[1] == "offline-missing"
    assert site.lock_path.read_text() == before
