"""No code of a repo runs unless the manifest allows it: the code itself would leave a mark."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from mlxlock.errors import MlxlockError, PolicyError
from mlxlock.ports import Note
from tests.commands.laboratory import Lab, settle
from tests.testhub import LoopbackHub

pytestmark = [pytest.mark.mlx, pytest.mark.sandbox]

ALLOW = 'remote-code = "allow"\n'
TOKENIZER = """
from transformers import Qwen2Tokenizer

class Tok(Qwen2Tokenizer):
    pass
"""


class Marked:
    """A Hub whose code leaves a mark when it is executed. No sandbox, so that the mark can be left."""

    def __init__(self, hub: LoopbackHub, tree: Path, root: Path) -> None:
        self.hub = hub
        self.tree = tree
        self.root = root
        self.marks = 0

    def code(self, body: str) -> bytes:
        return f"open({str(self.root / 'mark')!r}, 'a').write('ran')\n{body}".encode()

    def ran(self) -> bool:
        return (self.root / "mark").exists()

    def repo(self, name: str, source: str, changed: Mapping[str, object], code: bytes | None = None) -> None:
        """A repo like the tiny one, some of its JSON files with more keys, and a `code.py`."""
        folder = self.tree / source
        files: dict[str, bytes] = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
        for path, more in changed.items():
            files[path] = json.dumps({**json.loads(files[path]), **dict(more)}).encode()  # type: ignore[call-overload]
        if code is not None:
            files["code.py"] = code
        self.hub.repo(name).commit(files)

    def lab(self, repo: str, more: str = "") -> Lab:
        lab = Lab(self.root / "project", f'[models.it]\nrepo = "{repo}"\n{more}', sandboxed=False)
        (self.root / "mark").unlink(missing_ok=True)
        return lab


@pytest.fixture
def marked(tiny_models: Path, tmp_path: Path) -> Iterator[Marked]:
    with LoopbackHub() as hub:
        settle(os.environ, hub.endpoint, tmp_path)
        yield Marked(hub, tiny_models, tmp_path)


def refusal(lab: Lab) -> MlxlockError:
    with pytest.raises(MlxlockError) as caught:
        lab.capture()
    return caught.value


def test_a_model_file_runs_only_when_allowed(marked: Marked) -> None:
    body = "from mlx_vlm.models.qwen2_vl import *\n"
    source = "mlx-community/Qwen2-VL-tiny-fp16"
    marked.repo("acme/vlm", source, {"config.json": {"model_file": "code.py"}}, marked.code(body))
    refused = refusal(marked.lab("acme/vlm"))
    assert isinstance(refused, PolicyError)
    assert refused.details == ("`config.json`: `model_file` names `code.py`",)
    assert '`remote-code = "allow"` in `[models.it]`' in (refused.hint or "")
    assert not marked.ran()
    lab = marked.lab("acme/vlm", ALLOW)
    captured = lab.capture()
    assert marked.ran()
    assert captured.trial.model.trusts_remote_code
    (code,) = [file for file in captured.trial.model.files if file.path == "code.py"]
    assert code.sha256 is not None
    told = [event.text for event in lab.events if isinstance(event, Note) and event.level == "warning"]
    assert told == ["`it` executes code of its repo: `config.json`: `model_file` names `code.py`"]


def test_code_of_another_repo_is_read_off_the_models_json(marked: Marked) -> None:
    auto_map = {"auto_map": {"AutoTokenizer": ["acme/code--code.Tok", None]}, "tokenizer_class": "Tok"}
    marked.repo("acme/text", "mlx-community/Qwen2-tiny-4bit", {"tokenizer_config.json": auto_map})
    marked.hub.repo("acme/code").commit({"code.py": marked.code(TOKENIZER)})
    refused = refusal(marked.lab("acme/text"))
    assert refused.details == (
        "`tokenizer_config.json`: `auto_map.AutoTokenizer` names `acme/code--code.Tok`, code of `acme/code`",
    )
    assert not marked.ran()
    captured = marked.lab("acme/text", ALLOW).capture()
    assert marked.ran()
    (artifact,) = captured.trial.model.artifacts
    assert (artifact.repo, artifact.trusts_remote_code) == ("acme/code", True)
    assert [file.path for file in artifact.files] == ["code.py"]


def test_a_library_that_trusts_whatever_it_is_told_is_not_given_the_code(marked: Marked) -> None:
    """mlx-audio loads Qwen's tokenizer with `trust_remote_code=True`, and nobody asked the manifest."""
    marked.repo("acme/VibeVoice-ASR", "mlx-community/VibeVoice-ASR-tiny", {})
    auto_map = {"auto_map": {"AutoTokenizer": ["code.Tok", None]}, "tokenizer_class": "Tok"}
    marked.repo(
        "Qwen/Qwen2.5-7B", "Qwen/Qwen2.5-7B", {"tokenizer_config.json": auto_map}, marked.code(TOKENIZER)
    )
    lab = marked.lab("acme/VibeVoice-ASR")
    refused = refusal(lab)
    assert not marked.ran()
    assert refused.hint == (
        "it was refused `hf://Qwen/Qwen2.5-7B/code.py`: code is withheld: "
        '`remote-code = "allow"` in `[models.it]` would allow it'
    )
    captured = marked.lab("acme/VibeVoice-ASR", ALLOW).capture()
    assert marked.ran()
    (artifact,) = captured.trial.model.artifacts
    assert artifact.trusts_remote_code
    assert "code.py" in [file.path for file in artifact.files]


def test_a_library_that_trusts_and_meets_no_code_needs_no_allowance(marked: Marked) -> None:
    marked.repo("acme/VibeVoice-ASR", "mlx-community/VibeVoice-ASR-tiny", {})
    marked.repo("Qwen/Qwen2.5-7B", "Qwen/Qwen2.5-7B", {}, marked.code(""))
    captured = marked.lab("acme/VibeVoice-ASR").capture()
    assert not marked.ran()
    (artifact,) = captured.trial.model.artifacts
    assert not artifact.trusts_remote_code
    assert captured.trial.model.denied == ()
