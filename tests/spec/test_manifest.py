"""What of a manifest becomes a lock entry's request: no defaults, no order, nothing of layout."""

from itertools import permutations

import pytest

from mlxlock.spec.lockfile import Request
from mlxlock.spec.manifest import Manifest, ModelSpec, Policy, RemoteCode, SandboxSpec, request_of
from mlxlock.spec.manifest_reader import parse_manifest
from mlxlock.spec.names import ModelName, RepoId, RepoPath, Revision
from mlxlock.spec.weights import BY_SUFFIX, FORMATS, weight_format
from tests.spec.manifests import EXAMPLE

PLAIN = ModelSpec(name=ModelName("a"), repo=RepoId("org/name"))
QWEN = RepoId("Qwen/Qwen2.5-7B")


def test_defaults_are_not_said() -> None:
    assert request_of(Manifest(models=(PLAIN,)), PLAIN) == Request(revision=Revision("main"))


def test_everything_that_changes_content_or_proof_is_said() -> None:
    manifest = parse_manifest(EXAMPLE)
    model = manifest.model("asr")
    assert model is not None
    request = request_of(manifest, model, [QWEN])
    assert request == Request(
        revision=Revision("main"),
        kind="stt",
        first_runs=model.first_runs,
        remote_code="allow",
        artifacts={QWEN: Revision("d149729398750b98c0af14eb82c78cfe92750796")},
        allow_hosts=("raw.githubusercontent.com",),
        accept_denied=("meta-llama/Llama-3.2-1B-Instruct",),
        sandbox_require="full",
    )


def test_pins_of_repos_that_the_model_does_not_fetch_do_not_apply() -> None:
    manifest = parse_manifest(EXAMPLE)
    assert request_of(manifest, manifest.models[0], [RepoId("other/repo")]).artifacts == {}


def test_selection_and_layout_stay_out() -> None:
    text = '[workspace]\npath = "{path}"\n[models.a]\nrepo = "org/name"\n{more}'
    first = parse_manifest(text.format(path="models", more=""))
    second = parse_manifest(text.format(path="other", more='groups = ["g"]\nwhen = "os_name == \'posix\'"'))
    assert request_of(first, first.models[0]) == request_of(second, second.models[0])


@pytest.mark.parametrize(
    ("own", "policy", "expected"),
    [
        (None, "deny", None),
        (None, "allow", "allow"),
        ("allow", "deny", "allow"),
        ("deny", "allow", None),
    ],
)
def test_the_models_own_word_on_remote_code_counts_before_the_policys(
    own: RemoteCode | None, policy: RemoteCode, expected: str | None
) -> None:
    model = ModelSpec(name=ModelName("a"), repo=RepoId("org/name"), remote_code=own)
    manifest = Manifest(models=(model,), policy=Policy(remote_code=policy))
    assert request_of(manifest, model).remote_code == expected


def test_a_dir_that_repeats_the_basename_asks_for_nothing() -> None:
    repeated = ModelSpec(name=ModelName("a"), repo=RepoId("org/name"), dir="name")
    other = ModelSpec(name=ModelName("a"), repo=RepoId("org/name"), dir="elsewhere")
    assert request_of(Manifest(), repeated).dir is None
    assert request_of(Manifest(), other).dir == "elsewhere"


def test_the_order_of_what_has_no_order_does_not_count() -> None:
    requests = [
        request_of(
            Manifest(sandbox=SandboxSpec(allow_hosts=order)),
            ModelSpec(
                name=ModelName("a"), repo=RepoId("org/name"), include=order, exclude=(*order, order[0])
            ),
        )
        for order in permutations(("a.org", "b.org", "c.org"))
    ]
    assert requests == [requests[0]] * 6


def test_every_format_that_a_policy_can_name_is_one_that_files_have() -> None:
    assert set(BY_SUFFIX.values()) == set(FORMATS)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("model-00001-of-00002.safetensors", "safetensors"),
        ("sub/PYTORCH_MODEL.BIN", "pickle"),
        ("model.safetensors.index.json", None),
        ("README", None),
    ],
)
def test_formats_follow_from_names(path: str, expected: str | None) -> None:
    assert weight_format(RepoPath(path)) == expected
