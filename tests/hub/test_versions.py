"""Resolving is the same under huggingface_hub 1.33, which speaks httpx, and 2, which speaks httpx2."""

import importlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from tests.hub.support import api_calls
from tests.testhub import LoopbackHub, Manners, Status

REPO = Path(__file__).resolve().parents[2]
ADA = "hf_ada"
FILES = {"config.json": b"{}", "w.safetensors": b"weights" * 99}


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mlxlock imports besides huggingface_hub, for interpreters that have only that."""
    folder = tmp_path_factory.mktemp("libraries")
    for name in ("blake3", "packaging", "truststore", "urllib3"):
        package = importlib.import_module(name).__file__
        assert package is not None
        (folder / name).symlink_to(Path(package).parent)
    return folder


@pytest.fixture(scope="module", params=["1.33", "2"])
def python(request: pytest.FixtureRequest, hub_pythons: dict[str, Path]) -> Path:
    return hub_pythons[request.param]


def run(python: Path, libraries: Path, *arguments: str, **environ: str) -> dict[str, Any]:
    """Run a module of this suite under another interpreter, and read the JSON it prints."""
    environment = {**os.environ, "PYTHONPATH": f"{REPO}:{libraries}", **environ}
    command = [str(python), *arguments]
    answer = subprocess.run(
        command, cwd=REPO, env=environment, check=True, timeout=240, capture_output=True, text=True
    )
    assert answer.stderr == "", "nobody talks past the renderer"
    told: dict[str, Any] = json.loads(answer.stdout)
    return told


def resolve(python: Path, libraries: Path, *arguments: str, **environ: str) -> dict[str, Any]:
    # huggingface_hub sends its telemetry to the endpoint of the environment.
    environ["HF_ENDPOINT"] = arguments[0]
    return run(python, libraries, "-m", "tests.hub.resolving", *arguments, **environ)


def test_one_call_resolves(loopback_hub: LoopbackHub, python: Path, libraries: Path) -> None:
    repo = loopback_hub.repo("org/m", license="mit")
    commit = repo.commit(FILES)
    told = resolve(python, libraries, loopback_hub.endpoint, "org/m")
    assert told["huggingface_hub"].startswith("1.33" if "1.33" in str(python) else "2.")
    known = repo.commits[commit].files
    assert (told["commit"], told["license"]) == (commit, "mit")
    assert told["files"] == {path: [known[path].etag, known[path].size] for path in FILES}
    assert len(api_calls(loopback_hub)) == 1, "and no telemetry"


def test_ranges_and_paged_trees_resolve(loopback_hub: LoopbackHub, python: Path, libraries: Path) -> None:
    repo = loopback_hub.repo("org/m")
    repo.commit({f"{n:02}.json": b"%d" % n for n in range(30)})
    repo.tag("v1.0")
    loopback_hub.manners = Manners(sibling_hashes=False, page=7)
    loopback_hub.fault("/tree/", Status(code=503, headers={"Retry-After": "0"}))
    told = resolve(python, libraries, loopback_hub.endpoint, "org/m", "~=1.0")
    assert (told["revision"], len(told["files"])) == ("v1.0", 30)


@pytest.mark.parametrize(
    ("repo", "code"), [("org/none", "repo-not-found"), ("org/private", "repo-not-found"), ("org/m", None)]
)
def test_refusals_mean_the_same_over_tls(
    authority: Authority, python: Path, libraries: Path, repo: str, code: str | None
) -> None:
    with LoopbackHub(tls=authority.server) as hub:
        hub.repo("org/m").commit(FILES)
        hub.repo("org/private", private=True).commit(FILES)
        told = resolve(python, libraries, hub.endpoint, repo, SSL_CERT_FILE=str(authority.ca))
    assert told.get("code") == code


def test_a_private_repo_opens_with_a_token(loopback_hub: LoopbackHub, python: Path, libraries: Path) -> None:
    loopback_hub.repo("org/private", private=True).commit(FILES)
    loopback_hub.user(ADA, grants=["org/private"])
    told = resolve(python, libraries, loopback_hub.endpoint, "org/private", MLXK_ENDPOINT_TOKEN=ADA)
    assert len(told["files"]) == 2


@pytest.mark.parametrize("token", ["writer", "reader"])
def test_publishing_is_the_same(
    loopback_hub: LoopbackHub, python: Path, libraries: Path, tmp_path: Path, token: str
) -> None:
    loopback_hub.user("writer", writes=["ada"])
    loopback_hub.user("reader")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"w" * 9000)
    environ = {"HF_ENDPOINT": loopback_hub.endpoint, "MLXK_ENDPOINT_TOKEN": token}
    told = run(python, libraries, "-m", "tests.hub.publishing", "ada/made", str(tmp_path), **environ)
    assert told.pop("huggingface_hub").startswith("1.33" if "1.33" in str(python) else "2.")
    made = loopback_hub.find("ada/made")
    if token == "reader":  # noqa: S105 - the name of a user
        assert (told, made) == ({"code": "auth-invalid"}, None)
        return
    assert made is not None
    assert told == {
        "private": True,
        "commit": made.refs["refs/heads/main"],
        "head": made.refs["refs/heads/main"],
        "files": [".gitattributes", "config.json", "model.safetensors"],
        "refused": "`ada/made` got another commit in the meantime; nothing was committed",
    }
    uploads = [request for request in loopback_hub.requests if request.method == "PUT"]
    assert [(request.server, request.authorized) for request in uploads] == [("cdn", False)]
    assert not [request for request in loopback_hub.requests if "agent-harnesses" in request.path]


def test_a_stored_login_is_huggingface_cos_alone(python: Path, libraries: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hf_stored\n", encoding="utf-8")
    script = (
        "import json, os; from mlxlock.hub.endpoint import endpoint_from; "
        "other = {'HF_ENDPOINT': 'https://hub.example.org'}; "
        "print(json.dumps({'own': endpoint_from({}).token, 'other': endpoint_from(other).token}))"
    )
    told = run(python, libraries, "-c", script, HF_HOME=str(tmp_path), HF_HUB_OFFLINE="1")
    assert told == {"own": "hf_stored", "other": None}
