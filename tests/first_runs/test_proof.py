"""What a proof sees, with real sandboxes and unmodified libraries: each way to be wrong turns it red."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlxlock.first_runs.proof import Proven
from tests.commands.laboratory import Captured, Lab, settle
from tests.testhub import LoopbackHub

pytestmark = pytest.mark.sandbox

APP = '[models.app]\nrepo = "org/app"\nfirst-run = [{ name = "app", command = ["python", "app.py"]%s }]\n%s'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("proofs")


@pytest.fixture(scope="module")
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as hub:
        hub.repo("org/app").commit({"config.json": b"{}", "model.safetensors": b"w" * 100})
        hub.repo("org/dep").commit({"a.json": b"{}", "b.json": b"[]"})
        hub.repo("org/gated", gated="manual").commit({"a.json": b"gated"})
        yield hub


@pytest.fixture
def project(hub: LoopbackHub, place: Path, tmp_path: Path) -> Path:
    settle(os.environ, hub.endpoint, place)
    return tmp_path / "project"


def capture(root: Path, program: str, *, run: str = "", model: str = "") -> Captured:
    root.mkdir()
    (root / "app.py").write_text(f"import os\nOFFLINE = 'HF_HUB_OFFLINE' in os.environ\n{program}")
    return Lab(root, APP % (run, model)).capture()


def codes(proven: Proven) -> list[str]:
    return [objection.code for objection in proven.objections]


FETCH = "from huggingface_hub import hf_hub_download\nhf_hub_download('org/dep', 'a.json')\n"


def test_a_command_that_has_all_it_asks_for_is_proven_without_a_comparison(project: Path) -> None:
    captured = capture(project, FETCH)
    proven = captured.prove()
    assert (proven.level, proven.objections) == ("proven", ())
    (proof,) = proven.model.proofs
    assert (proof.first_run, proof.offline, proof.compared) == ("app", "proven", "none")
    withheld = captured.prove_without("org/dep")
    assert (withheld.level, codes(withheld)) == ("unproven", ["failed", "asked"])
    assert "org/dep/a.json" in withheld.objections[1].text


def test_what_is_asked_for_only_offline_and_swallowed_is_seen(project: Path) -> None:
    program = f"""
if OFFLINE:
    try:
        {FETCH.replace(chr(10), "; ").replace("org/dep", "org/fallback")}
    except Exception:
        pass
"""
    proven = capture(project, program).prove()
    assert codes(proven) == ["asked"]
    assert "`org/fallback/a.json`" in proven.objections[0].text


def test_a_host_that_is_tried_and_given_up_is_seen_in_capture_and_proof(project: Path) -> None:
    program = """
import socket
try:
    socket.create_connection(("downloads.invalid", 443), timeout=1)
except OSError:
    pass
"""
    captured = capture(project, program)
    assert codes(captured.prove()) == ["denied"]
    assert [entry.url for entry in captured.trial.model.denied] == ["tcp://downloads.invalid:443"]


def test_a_datagram_that_is_sent_and_forgotten_is_a_denial(project: Path) -> None:
    program = """
import socket
try:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53))
except OSError:
    pass
"""
    captured = capture(project, program)
    assert codes(captured.prove()) == ["denied"]
    (denied,) = captured.trial.model.denied
    assert (denied.url, denied.asked_by) == ("tcp://192.0.2.1:53", "__main__:<module>")


def test_what_the_manifest_accepts_stands_in_the_lock_and_blocks_nothing(project: Path) -> None:
    program = FETCH.replace("org/dep", "org/gated")
    swallowed = f"try:\n    {program.replace(chr(10), '; ')}\nexcept Exception:\n    pass\n"
    refused = capture(project, swallowed)
    assert codes(refused.prove()) == ["denied"]
    (denied,) = refused.trial.model.denied
    assert (denied.url, denied.accepted) == ("hf://org/gated/a.json", False)
    accepted = capture(
        project.with_name("accepted"), swallowed, model='accept-denied = ["org/gated"]\n'
    ).prove()
    assert (accepted.level, codes(accepted)) == ("proven", [])
    assert [entry.accepted for entry in accepted.model.denied] == [True]


def test_a_program_that_insists_on_the_api_is_served_from_the_lock(project: Path) -> None:
    program = f"from huggingface_hub import HfApi\nprint(HfApi().list_repo_files('org/dep'))\n{FETCH}"
    captured = capture(project, program)
    proven = captured.prove()
    assert (proven.level, proven.model.proofs[0].offline) == ("served", "served")
    assert proven.objections == ()
    withheld = captured.prove_without("org/dep")
    assert (withheld.level, codes(withheld)) == ("unproven", ["failed", "asked"])


def test_an_exit_code_that_no_python_stands_behind_proves_nothing(project: Path) -> None:
    manifest = '[models.app]\nrepo = "org/app"\nfirst-run = [{ name = "app", command = ["true"] }]\n'
    assert codes(Lab(project, manifest).capture().prove()) == ["unwatched"]


def test_a_model_may_write_beside_its_files_and_that_is_told(project: Path) -> None:
    program = """
from pathlib import Path
model = Path(os.environ["MLXK_MODEL"])
assert model.name == "app"
(model / "cache").mkdir()
(model / "cache" / "faces.npy").write_bytes(b"derived")
try:
    (model / "model.safetensors").write_bytes(b"spoilt")
except OSError:
    print("kept")
"""
    captured = capture(project, program, run=', compare = "output"')
    proven = captured.prove()
    assert (proven.level, proven.wrote) == ("proven", ("cache/faces.npy",))
    assert captured.record.output is not None
    assert captured.record.output.text == "kept\n"


def test_a_model_that_replaces_its_own_files_is_not_proven(project: Path) -> None:
    program = """
from pathlib import Path
model = Path(os.environ["MLXK_MODEL"])
(model / "new").write_bytes(b"{}")
(model / "new").replace(model / "config.json")
"""
    proven = capture(project, program).prove()
    assert codes(proven) == ["changed-itself"]
    assert (proven.objections[0].text, proven.wrote) == (
        "it changed its own `config.json`",
        ("config.json",),
    )


def test_without_a_sandbox_a_file_that_was_written_through_is_seen(project: Path) -> None:
    project.mkdir()
    (project / "app.py").write_text(
        "import os\nfrom pathlib import Path\nfile = Path(os.environ['MLXK_MODEL']) / 'config.json'\n"
        "file.resolve().chmod(0o644)\nfile.write_text('[]')\n"
    )
    proven = Lab(project, (APP % ("", "")).replace("full", "partial"), sandboxed=False).capture().prove()
    assert codes(proven) == ["changed-itself"]


def test_output_that_is_to_be_compared_is(project: Path) -> None:
    program = "import time\nprint(time.time_ns())"
    assert codes(capture(project, program, run=', compare = "output"').prove()) == ["output-differs"]


@pytest.fixture(scope="module")
def moondream(hub: LoopbackHub, tiny_models: Path, place: Path) -> Captured:
    """A model whose library takes another tokenizer when it does not get the right one, and says nothing."""
    hub.load_tree(tiny_models)
    settle(os.environ, hub.endpoint, place)
    return Lab(place / "moondream", '[models.moon]\nrepo = "mlx-community/moondream2-tiny"\n').capture()


@pytest.mark.mlx
def test_a_silent_fallback_turns_the_proof_red(moondream: Captured, project: Path) -> None:
    del project
    assert moondream.prove().level == "proven"
    withheld = moondream.prove_without("moondream/starmie-v1")
    assert withheld.level == "unproven"
    assert "failed" not in codes(withheld)
    asked = [objection.text for objection in withheld.objections if objection.code == "asked"]
    assert any("`moondream/starmie-v1" in text for text in asked)
    assert {"input-differs", "output-differs"} & set(codes(withheld))
