"""A manifest is read into values, or refused with every problem at its place."""

import pytest
from hypothesis import given
from packaging.markers import Marker

from mlxlock.errors import ManifestError
from mlxlock.spec.first_run import FirstRun
from mlxlock.spec.manifest import Manifest, ModelSpec, Policy, SandboxSpec, Workspace
from mlxlock.spec.manifest_reader import parse_manifest
from mlxlock.spec.names import ModelName, RepoId, Revision, printable
from tests.spec.manifests import EXAMPLE, any_manifest

COMMIT = Revision("d149729398750b98c0af14eb82c78cfe92750796")


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ManifestError) as caught:
        parse_manifest(text)
    return caught.value.details


def problems_of_model(line: str) -> tuple[str, ...]:
    return problems(f'[models.a]\nrepo = "org/name"\n{line}')


def test_the_worked_example_means_what_it_says() -> None:
    assert parse_manifest(EXAMPLE) == Manifest(
        models=(
            ModelSpec(name=ModelName("chat"), repo=RepoId("mlx-community/Qwen3-4B-Instruct-2507-4bit")),
            ModelSpec(
                name=ModelName("vision"),
                repo=RepoId("mlx-community/Qwen2.5-VL-7B-Instruct-4bit"),
                revision=Revision("v1.2"),
                exclude=("*.md",),
                groups=("vlm",),
                when=Marker("sys_platform == 'darwin'"),
            ),
            ModelSpec(
                name=ModelName("asr"),
                repo=RepoId("mlx-community/VibeVoice-ASR-4bit"),
                kind="stt",
                remote_code="allow",
                accept_denied=("meta-llama/Llama-3.2-1B-Instruct",),
                first_runs=(
                    FirstRun(name="hello", options={"audio": "tests/hello.wav"}, timeout_s=600),
                    FirstRun(name="app", command=("python", "app.py", "--selftest"), compare="none"),
                ),
            ),
        ),
        artifacts={RepoId("Qwen/Qwen2.5-7B"): COMMIT},
        workspace=Workspace(path="models"),
        sandbox=SandboxSpec(
            require="full", allow_hosts=("raw.githubusercontent.com",), python=".venv/bin/python"
        ),
        policy=Policy(licenses=("apache-2.0", "mit"), formats=("safetensors",), remote_code="deny"),
    )


def test_an_empty_manifest_is_one() -> None:
    assert parse_manifest("") == Manifest()
    assert parse_manifest("[workspace]\n[sandbox]\n[policy]\n[models]\n[artifacts]\n") == Manifest()


def test_a_version_range_stands_instead_of_a_revision() -> None:
    manifest = parse_manifest('[models.a]\nrepo = "org/name"\nversion = ">=1.0,<2"\ninclude = ["*.json"]')
    model = manifest.model("a")
    assert model is not None
    assert (model.revision, model.version, model.include) == (None, ">=1.0,<2", ("*.json",))
    assert manifest.model("b") is None


def test_a_first_run_can_be_declined() -> None:
    manifest = parse_manifest('[models.a]\nrepo = "org/name"\nfirst-run = false')
    assert manifest.models[0].first_runs == ()


def test_dir_names_the_directory_and_the_basename_does_otherwise() -> None:
    manifest = parse_manifest(
        '[models.a]\nrepo = "org/name"\n[models.b]\nrepo = "other/name"\ndir = "second"'
    )
    assert [model.directory for model in manifest.models] == ["name", "second"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('exlude = ["*"]', "`models.a`: unknown key `exlude`, did you mean `exclude`?"),
        ('kind = "sst"', "`models.a.kind`: expected one of `text`, `vision`, `stt`"),
        ('when = "sys_platform = 3"', "`models.a.when`: 'sys_platform = 3' is not a marker such as"),
        ("when = \"python_version ~= '3'\"", "`models.a.when`: "),
        ("when = \"extra == 'x'\"", "`models.a.when`: \"extra == 'x'\" asks for extras"),
        ('version = "one"', "`models.a.version`: 'one' is not a range of versions such as '>=1.0,<2'"),
        ('version = ""', "`models.a.version`: '' is empty or has control characters"),
        ('revision = ".."', "`models.a.revision`: '..' is not a branch, tag, `refs/pr/N` or commit"),
        ('groups = ["a b"]', "`models.a.groups[0]`: 'a b' is not a group's name"),
        ('include = [""]', "`models.a.include[0]`: '' is empty or has control characters"),
        ('dir = "a/b"', "`models.a.dir`: 'a/b' is not one directory name"),
        ('dir = ".."', "`models.a.dir`: '..' has an empty, `.` or `..` component"),
        ('dir = "hub"', "`models.a.dir`: 'hub' is what mlx-audio takes for"),
        ('dir = "HUB"', "`models.a.dir`: 'HUB' is what mlx-audio takes for"),
        ('dir = ".hf_cache"', "`models.a.dir`: '.hf_cache' begins with a dot: such names are mlxk's own"),
        ('remote-code = "yes"', "`models.a.remote-code`: expected one of `allow`, `deny`, got `yes`"),
        ("remote-code = true", "`models.a.remote-code`: expected a string, got a boolean"),
        ('accept-denied = ["a b"]', "`models.a.accept-denied[0]`: 'a b' is not a repo such as 'org/name'"),
        ("first-run = true", "`models.a.first-run`: expected an array of tables, got a boolean"),
        (
            'first-run = [{ name = "x", audio = 1 }]',
            "`models.a.first-run[0].audio`: expected a string, got an integer",
        ),
    ],
)
def test_each_wrong_value_of_a_model_is_refused_at_its_place(line: str, problem: str) -> None:
    (found,) = problems_of_model(line)
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[model.a]\nrepo = "org/name"', "unknown key `model`, did you mean `models`?"),
        ("[models.a]", "`models.a`: `repo` is missing"),
        ('[models."a b"]\nrepo = "org/name"', "`models.\"a b\"`: 'a b' is not a model name"),
        (
            '[models.a]\nrepo = "https://x.org/y"',
            "`models.a.repo`: 'https://x.org/y' is a URL: expected `org/name`",
        ),
        ('[models.a]\nrepo = "org/hub"', "`models.a.repo`: its name cannot be a directory's: 'hub' is what"),
        ('[models.a]\nrepo = "org/con"', "`models.a.repo`: its name cannot be a directory's: 'con' has"),
        (
            '[workspace]\npath = "../models"',
            "`workspace.path`: '../models' has an empty, `.` or `..` component",
        ),
        ('[workspace]\npath = "/models"', "`workspace.path`: '/models' is not a relative POSIX path"),
        ('[workspace]\npath = "cache/hub"', "`workspace.path`: 'hub' is what mlx-audio takes for"),
        ('[artifacts."org/x"]', '`artifacts."org/x"`: `revision` is missing'),
        ('[artifacts."org x"]\nrevision = "v1"', "`artifacts.\"org x\"`: 'org x' is not a repo id"),
        ('[sandbox]\nrequire = "none"', "`sandbox.require`: expected one of `full`, `partial`, got `none`"),
        (
            '[sandbox]\nallow-hosts = ["https://x.org"]',
            "`sandbox.allow-hosts[0]`: 'https://x.org' is not a host",
        ),
        ('[policy]\nformats = ["safetensor"]', "`policy.formats[0]`: expected one of `safetensors`"),
        ('[policy]\nremote-code = "no"', "`policy.remote-code`: expected one of `allow`, `deny`, got `no`"),
        ("[policy]\nlicences = []", "`policy`: unknown key `licences`, did you mean `licenses`?"),
    ],
)
def test_each_wrong_value_elsewhere_is_refused_at_its_place(text: str, problem: str) -> None:
    (found,) = problems(text)
    assert found.startswith(problem)


def test_a_workspace_may_lie_deeper_and_end_with_a_slash() -> None:
    assert parse_manifest('[workspace]\npath = "build/models/"').workspace.path == "build/models"


def test_revision_and_version_exclude_each_other() -> None:
    (found,) = problems_of_model('revision = "main"\nversion = ">=1"')
    assert found == "`models.a.version`: `revision` is given too, and only one of them can be meant"


def test_a_marker_nested_without_end_is_refused() -> None:
    (found,) = problems_of_model(f'when = "{"(" * 5000}"')
    assert "is not a marker" in found


@pytest.mark.parametrize(
    ("repo", "key"),
    [
        ('"other/name"', "repo"),
        ('"org/name"', "repo"),
        ('"other/NAME"', "repo"),
        ('"org/x"\ndir = "nAme"', "dir"),
    ],
)
def test_two_models_cannot_share_a_directory_on_any_filesystem(repo: str, key: str) -> None:
    (found,) = problems(f'[models.a]\nrepo = "org/name"\n[models.b]\nrepo = {repo}')
    assert found.startswith(f"`models.b.{key}`: its directory `")
    assert found.endswith("` is that of `a` too")


def test_a_clash_says_how_to_end_it() -> None:
    with pytest.raises(ManifestError) as caught:
        parse_manifest('[models.a]\nrepo = "org/name"\n[models.b]\nrepo = "other/name"')
    assert (
        caught.value.hint
        == 'give one of them a directory of its own: `dir = "name-b"`, or `mlxk add --dir name-b …`'
    )


def test_directories_that_differ_only_in_unicode_form_clash() -> None:
    text = '[models.a]\nrepo = "o/x"\ndir = "caf\\u00e9"\n[models.b]\nrepo = "o/y"\ndir = "cafe\\u0301"'
    assert len(problems(text)) == 1


def test_all_problems_come_at_once() -> None:
    assert problems("[models.a]\nrepo = 1\nkind = 2\n[models.b]\n[polcy]\n[sandbox]\nrequire = 3") == (
        "`models.a.repo`: expected a string, got an integer",
        "`models.a.kind`: expected a string, got an integer",
        "`models.b`: `repo` is missing",
        "`sandbox.require`: expected a string, got an integer",
        "unknown key `polcy`, did you mean `policy`?",
    )


@given(any_manifest())
def test_whatever_the_values_are_the_answer_is_a_manifest_or_printable_problems(text: str) -> None:
    try:
        parse_manifest(text)
    except ManifestError as error:
        told = error.details
    else:
        told = ()
    assert all(printable(line) for line in told)
