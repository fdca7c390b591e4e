"""`mlxk why` answers for whatever a lock names."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from mlxlock.commands.why import WhyOptions, why
from mlxlock.errors import UsageError
from mlxlock.spec.lockfile_writer import format_lockfile
from mlxlock.steps.project import Project
from mlxlock.steps.report import Line, Report
from tests.commands.site import ROOT
from tests.spec.locks import COMMIT, CONFIG, LOCK, OTHER


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "models.lock").write_text(format_lockfile(LOCK))
    return Project(root=tmp_path)


def told(report: Report) -> list[str]:
    return [line.text for line in report.lines if isinstance(line, Line)]


ASKED = "mlx_audio.stt.models.vibevoice_asr.vibevoice_asr:Model.post_load_hook"


@pytest.mark.parametrize("what", ["Qwen/Qwen2.5-7B", "qwen/qwen2.5-7b", "qwen/Qwen2.5-7B-Base"])
def test_an_artifact_by_each_of_its_names(project: Project, what: str) -> None:
    assert told(why(project, WhyOptions(what=what)))[:4] == [
        "Qwen/Qwen2.5-7B was asked for by the first run of `asr` (mlx-community/VibeVoice-ASR-4bit)",
        f"  by {ASKED}",
        "  at load",
        f"  asked main, locked {OTHER}, 1 file",
    ]


@pytest.mark.parametrize("what", ["asr", "mlx-community/VibeVoice-ASR-4bit"])
def test_a_declared_model(project: Project, what: str) -> None:
    assert told(why(project, WhyOptions(what=what)))[1] == f"  asked main, locked {COMMIT}"


@pytest.mark.parametrize(
    ("what", "origin"),
    [
        ("https://example.org/en_core_web_sm.tar.gz", "https://example.org/en_core_web_sm.tar.gz"),
        ("models/.hf_cache/python/en/meta.json", "https://example.org/en_core_web_sm.tar.gz"),
        (".hf_cache/home/.cache/voices/a.json", "`voices/a.json` of the archive `config.json` of Qwen"),
        ("home/.cache/3f9c", "a copy of `config.json` of Qwen/Qwen2.5-7B"),
        ("home/.cache/made", "the program itself, and you adopted it"),
    ],
)
def test_what_a_first_run_left_outside_of_the_hubs_cache(project: Project, what: str, origin: str) -> None:
    first, second, *_ = told(why(project, WhyOptions(what=what)))
    assert first == "the first run of `asr` (mlx-community/VibeVoice-ASR-4bit) left this"
    assert second.startswith(f"  from {origin}")


@pytest.mark.parametrize(
    "what", ["https://example.org/en_core_web_sm.tar.gz", "models/.hf_cache/python/en/meta.json"]
)
def test_who_asked_for_a_url_and_when(project: Project, what: str) -> None:
    assert told(why(project, WhyOptions(what=what)))[2:4] == [
        "  by spacy.cli.download:download",
        "  at generate",
    ]


def test_a_file_made_of_one_of_the_hub_says_who_asked_for_that_and_which_commit_came(
    project: Project,
) -> None:
    assert told(why(project, WhyOptions(what="home/.cache/3f9c")))[2:5] == [
        f"  by {ASKED}",
        "  at load",
        f"  asked main, locked {OTHER}",
    ]


@pytest.mark.parametrize(
    "what",
    [
        "Qwen/Qwen2.5-7B/config.json",
        "hf://datasets/Qwen/Qwen2.5-7B/config.json",
        f"models/.hf_cache/hub/datasets--Qwen--Qwen2.5-7B/snapshots/{OTHER}/config.json",
        f"models/.hf_cache/hub/datasets--Qwen--Qwen2.5-7B/blobs/{CONFIG.etag}",
    ],
)
def test_a_file_of_an_artifact_by_repo_and_by_its_place_in_the_cache(project: Project, what: str) -> None:
    lines = told(why(project, WhyOptions(what=what)))
    assert lines[1:4] == [f"  by {ASKED}", "  at load", f"  asked main, locked {OTHER}, 1 file"]
    assert lines[4:] == ["    config.json"]


@pytest.mark.parametrize(
    "what",
    [
        "datasets/Qwen/Qwen2.5-7B",
        "/p/models/.hf_cache/hub/datasets--Qwen--Qwen2.5-7B",
        "models/.hf_cache/hub/datasets--Qwen--Qwen2.5-7B/refs/main",
    ],
)
def test_an_artifact_by_its_place_in_the_cache(project: Project, what: str) -> None:
    lines = told(why(project, WhyOptions(what=what)))
    assert lines == told(why(project, WhyOptions(what="Qwen/Qwen2.5-7B")))
    assert len(lines) == 7


@pytest.mark.parametrize(
    "what",
    [
        "asr/config.json",
        "mlx-community/VibeVoice-ASR-4bit/config.json",
        "./models/asr-here/config.json",
        f".hf_cache/hub/models--mlx-community--VibeVoice-ASR-4bit/snapshots/{COMMIT}/config.json",
    ],
)
def test_a_file_of_a_declared_model(project: Project, what: str) -> None:
    assert told(why(project, WhyOptions(what=what)))[1:] == [
        f"  asked main, locked {COMMIT}",
        "    config.json",
    ]


@pytest.mark.parametrize(
    "what",
    [
        "Qwen/Qwen2.5-7B/other.json",
        "models/.hf_cache/hub/models--Qwen--Qwen2.5-7B",
        f"models/.hf_cache/hub/datasets--Qwen--Qwen2.5-7B/snapshots/{COMMIT}/config.json",
        "Qwen",
        "asr/other.json",
    ],
)
def test_what_is_beside_that_is_in_no_lock(project: Project, what: str) -> None:
    with pytest.raises(UsageError):
        why(project, WhyOptions(what=what))


def test_what_was_refused(project: Project) -> None:
    lines = told(why(project, WhyOptions(what="https://example.org/telemetry")))
    assert "asked for this, and did not get it" in lines[0]
    assert lines[1:] == [
        "  `accept-denied` in models.toml names it",
        "  by telemetry.ping:send",
        "  at import",
    ]


def test_what_nobody_needs_is_an_error_that_names_what_is_near(project: Project) -> None:
    with pytest.raises(UsageError, match=r"did you mean `Qwen/Qwen2.5-7B`"):
        why(project, WhyOptions(what="Qwen/Qwen2.5-7b-"))


@pytest.mark.parametrize("what", ["Qwen/Qwen2.5-7B", "home/.cache/3f9c", "https://example.org/telemetry"])
def test_the_data_is_as_described(project: Project, what: str) -> None:
    schema = json.loads((ROOT / "schemas/output.schema.json").read_text())
    data = why(project, WhyOptions(what=what)).data
    answer = {"status": "success", "command": "why", "data": data, "error": None}
    Draft202012Validator(schema).validate(answer)
