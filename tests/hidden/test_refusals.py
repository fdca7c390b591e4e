"""What a model may not have, it does not get: another repo's code, a gated repo; and no silence hides it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.site import Site
from tests.hidden.rows import ROWS, find
from tests.hidden.trial import project
from tests.testhub import LoopbackHub

pytestmark = [pytest.mark.mlx, pytest.mark.sandbox]
ROW = {row.name: row for row in ROWS}


@pytest.fixture
def hub(tiny_models: Path) -> Iterator[LoopbackHub]:
    with LoopbackHub() as hub:
        hub.load_tree(tiny_models)
        yield hub


def untrusted(name: str, hub: LoopbackHub, root: Path) -> Site:
    """The row's project, without what the row's manifest allows and without its token."""
    site = project(ROW[name], hub, root / "project")
    text = (site.root / "models.toml").read_text()
    site.write(text.replace(ROW[name].manifest, "") if ROW[name].manifest else text)
    site.env.pop("MLXK_ENDPOINT_TOKEN", None)
    return site


@pytest.mark.parametrize(
    ("name", "named"),
    [("automap", "acme/tokenizer-code--tokenization_tiny.TinyTokenizer"), ("modelfile", "modeling_tiny.py")],
)
def test_code_runs_only_where_it_is_allowed(hub: LoopbackHub, tmp_path: Path, name: str, named: str) -> None:
    site = untrusted(name, hub, tmp_path)
    exit_code, code, told = site.refusal("lock")
    assert (exit_code, code) == (1, "policy")
    assert named in told
    assert f"[models.{name}]" in told
    assert not site.lock_path.exists()
    assert not [request for request in hub.requests if "acme/tokenizer-code" in request.path]


def test_without_a_token_a_gated_repo_stops_the_lock_and_says_where_to_go(
    hub: LoopbackHub, tmp_path: Path
) -> None:
    ROW["tada"].arrange(hub)
    site = untrusted("tada", hub, tmp_path)
    exit_code, code, told = site.refusal("lock")
    assert (exit_code, code) == (2, "auth-gated")
    assert "meta-llama/Llama-3.2-1B-Instruct" in told
    assert "MLXK_ENDPOINT_TOKEN" in told
    assert not site.lock_path.exists()


def test_a_refusal_that_the_library_swallows_stands_in_the_lock_and_proves_nothing(
    hub: LoopbackHub, tmp_path: Path
) -> None:
    find(hub, "moondream/starmie-v1").gated = "manual"
    site = untrusted("moondream2", hub, tmp_path)
    done = site.run("lock")
    assert done.returncode == 1, done.stdout + done.stderr
    entry = site.locked["moondream2"]
    assert [proof["offline"] for proof in entry["proofs"]] == ["unproven"]
    (denied,) = entry["denied"]
    assert denied["url"] == "hf://moondream/starmie-v1/tokenizer_config.json"
    assert not [file for artifact in entry.get("artifact", []) for file in artifact.get("files", [])]


def test_code_of_a_repo_that_the_library_trusts_by_itself_is_withheld(
    hub: LoopbackHub, tmp_path: Path
) -> None:
    ROW["vibevoice-code"].arrange(hub)
    site = untrusted("vibevoice-code", hub, tmp_path)
    exit_code, code, told = site.refusal("lock")
    assert (exit_code, code) == (2, "first-run-failed")
    assert "Qwen/Qwen2.5-7B/tokenization_more.py" in told
    assert 'remote-code = \\"allow\\"' in told
    assert not site.lock_path.exists()


def test_what_the_manifest_lets_go_is_told_and_proven(hub: LoopbackHub, tmp_path: Path) -> None:
    find(hub, "moondream/starmie-v1").gated = "manual"
    site = untrusted("moondream2", hub, tmp_path)
    text = (site.root / "models.toml").read_text()
    site.write(f'{text}accept-denied = ["moondream/starmie-v1"]\n')
    site.mlxk("lock")
    entry = site.locked["moondream2"]
    assert [proof["offline"] for proof in entry["proofs"]] == ["proven"]
    (denied,) = entry["denied"]
    assert denied["accepted"] is True
