"""`mlxk tree`, `why` and `status`: what the lock holds and why, and how far the workspace is from it."""

import json

import pytest

from tests.commands.artifacts import MODEL, TOK, lock_with_artifact
from tests.commands.site import Site
from tests.testhub import LoopbackHub


@pytest.fixture
def site(loopback_hub: LoopbackHub, project: Site) -> Site:
    lock_with_artifact(loopback_hub, project)
    return project


def test_why_says_who_asked_for_a_repo_and_when(site: Site) -> None:
    commit = site.locked["asr"]["artifact"][0]["commit"]
    assert site.mlxk("why", "qwen/qwen2.5-7b").splitlines() == [
        f"{TOK} was asked for by the first run of `asr` ({MODEL})",
        "  by mlx_audio.stt:Model.post_load_hook",
        "  at load",
        f"  asked main, locked {commit}, 2 files",
        "    merges.txt",
        "    vocab.json",
        "    added_tokens.json (asked for, and not there)",
    ]
    assert site.mlxk("why", "asr").splitlines() == [
        f"{MODEL} is declared as `asr` in models.toml",
        f"  asked main, locked {site.locked['asr']['commit']}",
    ]
    assert site.data("why", TOK)["brought_by"][0]["absent"] == ["added_tokens.json"]
    code, kind, told = site.refusal("why", "Qwen/Qwen2.5")
    assert (code, kind) == (2, "usage")
    assert f"did you mean `{TOK}`?" in told


def test_tree_draws_what_a_model_brings(site: Site) -> None:
    own, brought = site.locked["asr"]["commit"][:12], site.locked["asr"]["artifact"][0]["commit"][:12]
    assert site.mlxk("tree").splitlines() == [
        f"asr  {MODEL} @ {own}  2.9 KiB  unproven",
        f"└── {TOK} @ {brought}  2 files, asked for at load",
    ]
    assert site.mlxk("tree", "--files").splitlines()[1:] == [
        "├── config.json  2 B",
        "│   model.safetensors  2.9 KiB",
        f"└── {TOK} @ {brought}  2 files, asked for at load",
        "      merges.txt  1 B",
        "      vocab.json  2.0 KiB",
    ]
    (model,) = site.data("tree")["models"]
    assert model["artifacts"][0]["files"] == ["merges.txt", "vocab.json"]


def test_only_what_the_first_run_needed_is_synced_and_offline_names_it(
    loopback_hub: LoopbackHub, site: Site
) -> None:
    assert "needed by the first run of `asr`" in site.refusal("sync", "--offline")[2]
    site.mlxk("sync")
    folder = site.models / ".hf_cache/hub/models--Qwen--Qwen2.5-7B"
    commit = site.locked["asr"]["artifact"][0]["commit"]
    assert sorted(path.name for path in (folder / "snapshots" / commit).iterdir()) == [
        "merges.txt",
        "vocab.json",
    ]
    assert (folder / ".no_exist" / commit / "added_tokens.json").read_bytes() == b""
    assert (folder / "refs/main").read_bytes() == commit.encode()
    fetched = [request.path for request in loopback_hub.requests if TOK in request.path]
    assert not [path for path in fetched if "safetensors" in path]


def status(site: Site, code: int) -> tuple[str, str]:
    """The state that `status` shows of the one model, and its last line."""
    done = site.run("status")
    assert done.returncode == code, done.stderr
    data = json.loads(site.run("status", "--json").stdout)["data"]
    return data["models"][0]["state"], (done.stdout + done.stderr).strip().splitlines()[-1]


def test_status_goes_with_the_workspace(site: Site) -> None:
    assert status(site, 1) == ("not fetched", "hint: run `mlxk sync`")
    site.mlxk("sync")
    agrees = "everything is as the lock says; 1 model not proven offline: run `mlxk lock`"
    assert status(site, 0) == ("in place", agrees)
    told = site.mlxk("status").splitlines()
    assert told[0].split() == ["Name", "Model", "Size", "Offline", "Workspace"]
    assert told[1].split()[:3] == ["asr", MODEL, "@"]
    config = site.models / "asr/config.json"
    config.unlink()
    assert status(site, 1)[0] == "incomplete"
    config.write_bytes(b"mine")
    assert status(site, 1)[0] == "changed"
    site.write(f'[models.asr]\nrepo = "{MODEL}"\nkind = "stt"\n')
    done = site.run("status")
    assert done.returncode == 1
    assert 'stale: `asr`: `kind` changed from nothing to "stt"' in done.stdout
    assert done.stderr.startswith("error: `models.lock` is stale")
    site.lock_path.unlink()
    assert site.refusal("status")[:2] == (1, "lock-missing")


def test_verify_reads_every_byte_and_names_what_differs(site: Site) -> None:
    site.mlxk("sync")
    weights = site.models / "asr/model.safetensors"
    flipped = bytearray(weights.read_bytes())
    flipped[1500] ^= 1
    weights.unlink()
    weights.write_bytes(flipped)
    (site.models / "asr/config.json").unlink()
    done = site.run("verify")
    assert done.returncode == 1
    assert "missing: asr/config.json" in done.stdout
    assert "changed: asr/model.safetensors (expected blake3:" in done.stdout
    findings = json.loads(site.run("verify", "--json").stdout)["data"]["findings"]
    assert {finding["path"]: finding["problem"] for finding in findings} == {
        "asr/config.json": "missing",
        "asr/model.safetensors": "changed",
    }
