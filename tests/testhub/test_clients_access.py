"""huggingface_hub 1.33 and 2 map the loopback Hub's refusals and redirects to the right exceptions."""

from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.testhub import LoopbackHub
from tests.testhub.clients import Installation

GRANTED, STRANGER, UNKNOWN = "hf_granted", "hf_stranger", "hf_unknown"
FILES = {"config.json": b"{}", "model.safetensors": b"weights"}


def test_gated_metadata_is_public_and_contents_are_not(loopback_hub: LoopbackHub, hf: Installation) -> None:
    commit = loopback_hub.repo("org/gated", gated="manual").commit(FILES)
    loopback_hub.user(GRANTED, grants=["org/gated"])
    loopback_hub.user(STRANGER)
    asked = {"repo_id": "org/gated", "filename": "model.safetensors"}
    with hf.start() as client:
        for token in (False, STRANGER):
            info = client.call("model_info", repo_id="org/gated", token=token)
            assert (info["sha"], info["gated"]) == (commit, "manual")
            assert len(client.call("list_repo_tree", repo_id="org/gated", token=token)) == 2
            assert "GatedRepoError" in client.error("hf_hub_download", **asked, token=token)
            assert "GatedRepoError" in client.error("snapshot_download", repo_id="org/gated", token=token)
        path = client.call("hf_hub_download", **asked, token=GRANTED)
    assert Path(path).read_bytes() == b"weights"
    refusals = {(line.authorized, line.status) for line in loopback_hub.requests if "/resolve/" in line.path}
    assert refusals == {(False, 401), (True, 403), (True, 302)}


def test_private_and_missing_repos_look_alike(loopback_hub: LoopbackHub, hf: Installation) -> None:
    commit = loopback_hub.repo("org/private", private=True).commit(FILES)
    loopback_hub.user(GRANTED, grants=["org/private"])
    loopback_hub.user(STRANGER)
    with hf.start() as client:
        for repo_id in ("org/private", "org/missing"):
            kinds = client.error("model_info", repo_id=repo_id, token=STRANGER)
            assert kinds[0] == "RepositoryNotFoundError"
            # Over plain http the library cannot tell what a bare 401 means.
            assert client.error("model_info", repo_id=repo_id, token=False)[0] == "HfHubHTTPError"
        info = client.call("model_info", repo_id="org/private", token=GRANTED)
        assert (info["sha"], info["private"]) == (commit, True)
        assert client.error("model_info", repo_id="org/private", token=UNKNOWN)[0] == "HfHubHTTPError"


def test_over_tls_a_bare_401_means_not_found(
    hub_pythons: dict[str, Path], authority: Authority, tmp_path: Path
) -> None:
    with LoopbackHub(tls=authority.server) as hub:
        hub.repo("org/private", private=True).commit(FILES)
        hub.repo("org/name").commit(FILES)
        hub.user(GRANTED, grants=["org/private"])
        for version, python in hub_pythons.items():
            home = tmp_path / version
            home.mkdir()
            trusting = {"SSL_CERT_FILE": str(authority.ca)}
            secure = Installation(python=python, home=home, endpoint=hub.endpoint, more=trusting)
            with secure.start() as client:
                for repo_id in ("org/private", "org/missing"):
                    assert client.error("model_info", repo_id=repo_id)[0] == "RepositoryNotFoundError"
                kinds = client.error("model_info", repo_id="org/name", token=UNKNOWN)
                assert kinds[0] == "HfHubHTTPError"
                folder = Path(client.call("snapshot_download", repo_id="org/name"))
                assert (folder / "model.safetensors").read_bytes() == b"weights"
                client.call("snapshot_download", repo_id="org/private", token=GRANTED)
        assert not [line for line in hub.requests if line.server == "cdn" and line.authorized]


def test_who_am_i(loopback_hub: LoopbackHub, hf: Installation) -> None:
    loopback_hub.user(GRANTED, name="grace")
    with hf.start() as client:
        assert client.call("whoami", token=GRANTED)["name"] == "grace"
        assert "HfHubHTTPError" in client.error("whoami", token=UNKNOWN)


def test_renamed_and_un_namespaced_repos(loopback_hub: LoopbackHub, hf: Installation) -> None:
    commit = loopback_hub.repo("old/name").commit(FILES)
    bert = loopback_hub.repo("google-bert/bert-base-uncased").commit(FILES)
    gpt2 = loopback_hub.repo("gpt2").commit(FILES)
    loopback_hub.rename("old/name", "new/name")
    loopback_hub.alias("bert-base-uncased", "google-bert/bert-base-uncased")
    expected = {
        "old/name": ("new/name", commit),
        "new/name": ("new/name", commit),
        "bert-base-uncased": ("google-bert/bert-base-uncased", bert),
        "gpt2": ("gpt2", gpt2),
    }
    with hf.start() as client:
        for asked, (canonical, sha) in expected.items():
            info = client.call("model_info", repo_id=asked)
            assert (info["id"], info["sha"]) == (canonical, sha)
            folder = Path(client.call("snapshot_download", repo_id=asked))
            assert (folder / "model.safetensors").read_bytes() == b"weights"
            assert folder.parent.parent.name == f"models--{asked.replace('/', '--')}"
            assert len(client.call("get_paths_info", repo_id=asked, paths=["config.json"])) == 1
            assert len(client.call("list_repo_refs", repo_id=asked)["branches"]) == 1


@pytest.mark.parametrize("filename", ["missing.json", "no such/missing.safetensors"])
def test_a_missing_file_is_remembered(loopback_hub: LoopbackHub, hf: Installation, filename: str) -> None:
    commit = loopback_hub.repo("org/name").commit(FILES)
    with hf.start() as client:
        kinds = client.error("hf_hub_download", repo_id="org/name", filename=filename)
        assert kinds[0] == "RemoteEntryNotFoundError"
        revision = {"repo_id": "org/name", "filename": "config.json", "revision": "v9"}
        assert client.error("hf_hub_download", **revision)[0] == "RevisionNotFoundError"
    assert (hf.cache / "models--org--name" / ".no_exist" / commit / filename).is_file()


def test_disabled_repos(loopback_hub: LoopbackHub, hf: Installation) -> None:
    loopback_hub.repo("org/name", disabled=True).commit(FILES)
    with hf.start() as client:
        assert client.error("model_info", repo_id="org/name")[0] == "DisabledRepoError"
        assert client.error("list_repo_tree", repo_id="org/name")[0] == "DisabledRepoError"
        # A download wraps whatever kept it from the metadata of the file.
        kinds = client.error("hf_hub_download", repo_id="org/name", filename="config.json")
        assert kinds[0] == "LocalEntryNotFoundError"
