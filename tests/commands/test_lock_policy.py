"""`[policy]` through the command line: refused by `lock`, checked again by `verify`, and how to allow it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.site import Site
from tests.testhub import LoopbackHub

PYTHON = f'[sandbox]\npython = "{sys.executable}"\n'


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with LoopbackHub() as hub:
        files = {"config.json": b"{}", "model.safetensors": b"w" * 10}
        hub.repo("org/free", license="mit").commit(files)
        hub.repo("org/bare").commit({**files, "old.BIN": b"p" * 10})
        hub.repo("org/dep", license="other").commit({"weights.pt": b"q" * 10, "a.json": b"[1]"})
        yield Site(tmp_path / "project", hub.endpoint)


def manifest(repo: str, policy: str = "", more: str = "first-run = false\n") -> str:
    return f'[models.it]\nrepo = "org/{repo}"\n{more}[policy]\n{policy}\n{PYTHON}'


def test_a_licence_that_is_not_allowed_is_refused_and_verify_asks_again(site: Site) -> None:
    site.write(manifest("bare", 'licenses = ["mit"]'))
    code, name, told = site.refusal("lock")
    assert (code, name) == (1, "policy")
    assert r"`it` names no licence; add \"unknown\" to `policy.licenses` to allow it" in told
    assert not site.lock_path.exists()
    site.write(manifest("bare", 'licenses = ["mit", "unknown"]'))
    site.mlxk("lock")
    site.mlxk("sync")
    site.mlxk("verify")
    site.write(manifest("bare", 'licenses = ["mit"]'))
    assert "names no licence" in site.refusal("lock")[2]
    verdict = site.run("verify")
    assert verdict.returncode == 1
    assert "names no licence" in verdict.stdout


def test_pickled_weights_are_refused_whatever_their_case(site: Site) -> None:
    site.write(manifest("bare", 'formats = ["safetensors"]'))
    code, name, told = site.refusal("lock")
    assert (code, name, "`it` has `pickle` weights" in told) == (1, "policy", True)
    site.write(manifest("bare", 'formats = ["safetensors"]', 'exclude = ["*.BIN"]\nfirst-run = false\n'))
    site.mlxk("lock")
    site.mlxk("sync")
    site.mlxk("verify")


RUN = 'first-run = [{ name = "app", command = ["python", "-c", "%s"] }]\n'
FETCH = "from huggingface_hub import hf_hub_download as get; get('org/dep', '%s')"


@pytest.mark.sandbox
def test_what_a_first_run_brings_is_held_to_the_policy(site: Site) -> None:
    run = RUN % (FETCH % "a.json")
    site.write(manifest("free", 'licenses = ["mit"]', run))
    code, name, told = site.refusal("lock")
    assert (code, name) == (1, "policy")
    assert "`org/dep` (for `it`) has the licence `other`" in told
    assert not site.lock_path.exists()
    site.write(manifest("free", 'licenses = ["mit", "other"]', run))
    site.mlxk("lock")
    (artifact,) = site.locked["it"]["artifact"]
    assert artifact["license"] == "other"
    site.mlxk("sync")
    site.write(manifest("free", 'licenses = ["mit"]', run))
    verdict = site.run("verify")
    assert verdict.returncode == 1
    assert "`org/dep` (for `it`) has the licence `other`" in verdict.stdout


@pytest.mark.sandbox
def test_pickled_weights_do_not_reach_a_first_run_that_may_not_have_them(site: Site) -> None:
    run = RUN % (FETCH % "weights.pt")
    site.write(manifest("free", 'formats = ["safetensors"]', run))
    code, name, told = site.refusal("lock")
    assert (code, name) == (2, "first-run-failed")
    assert "it was refused `hf://org/dep/weights.pt`: `pickle` weights are withheld" in told
    site.write(manifest("free", 'formats = ["safetensors", "pickle"]', run))
    site.mlxk("lock")
    assert site.locked["it"]["artifact"][0]["files"][0]["path"] == "weights.pt"
