"""The loopback Hub's faults do to huggingface_hub 1.33 and 2 what the real ones were seen to do."""

import time
from pathlib import Path

from tests.testhub import (
    Corrupt,
    Drop,
    Expired,
    LoopbackHub,
    Manners,
    MoveRef,
    Pattern,
    Short,
    Status,
    Truncate,
    lfs,
)
from tests.testhub.clients import Installation

FILES = {"config.json": b'{"a": 1}', "model.safetensors": b"weights" * 1000}
ASKED = {"repo_id": "org/name", "filename": "model.safetensors"}
_CHUNK = 10 * 1024 * 1024


def test_a_cut_is_resumed_from_the_last_whole_chunk(loopback_hub: LoopbackHub, hf: Installation) -> None:
    big = lfs(Pattern(size=25_000_000))
    loopback_hub.repo("org/name").commit({"model.safetensors": big})
    loopback_hub.fault("model.safetensors", Truncate(at=23_000_000), server="cdn")
    with hf.start() as client:
        path = Path(client.call("hf_hub_download", **ASKED))
    assert lfs(path).sha256 == big.sha256
    sent = [(line.status, line.range) for line in loopback_hub.requests if line.server == "cdn"]
    assert sent == [(200, None), (206, f"bytes={2 * _CHUNK}-")]


def test_a_flipped_bit_goes_unnoticed(loopback_hub: LoopbackHub, hf: Installation) -> None:
    loopback_hub.repo("org/name").commit(FILES)
    loopback_hub.fault("model.safetensors", Corrupt(offset=6), server="cdn")
    loopback_hub.fault("resolve-cache.*config.json", Corrupt(offset=6), method="GET")
    with hf.start() as client:
        folder = Path(client.call("snapshot_download", repo_id="org/name"))
    assert (folder / "model.safetensors").read_bytes() == b"weightr" + b"weights" * 999
    assert (folder / "config.json").read_bytes() == b'{"a": 0}'


def test_a_short_body_is_noticed(loopback_hub: LoopbackHub, hf: Installation) -> None:
    loopback_hub.repo("org/name").commit(FILES)
    loopback_hub.fault("model.safetensors", Short(by=7), server="cdn")
    with hf.start() as client:
        assert "OSError" in client.error("hf_hub_download", **ASKED)
        assert Path(client.call("hf_hub_download", **ASKED)).stat().st_size == 7000


def test_errors_of_the_cdn(loopback_hub: LoopbackHub, hf: Installation) -> None:
    loopback_hub.repo("org/name").commit(FILES)
    limited = Status(code=429, headers={"RateLimit": '"resolvers";r=0;t=0'})
    with hf.start() as client:
        for fault in (Status(code=500), Expired()):
            loopback_hub.fault("model.safetensors", fault, server="cdn")
            assert "HfHubHTTPError" in client.error("hf_hub_download", **ASKED)
        loopback_hub.fault("model.safetensors", limited, server="cdn")
        loopback_hub.fault("model.safetensors", Drop(), server="cdn")
        client.call("hf_hub_download", **ASKED)
    statuses = [line.status for line in loopback_hub.requests if line.server == "cdn"]
    assert statuses == [500, 403, 429, 0, 200]


def test_a_signed_url_expires(loopback_hub: LoopbackHub, hf: Installation) -> None:
    loopback_hub.repo("org/name").commit(FILES)
    loopback_hub.manners = Manners(url_ttl_s=-60)
    with hf.start() as client:
        assert "HfHubHTTPError" in client.error("hf_hub_download", **ASKED)
    assert [line.status for line in loopback_hub.requests if line.server == "cdn"] == [403]


def test_the_rate_limit_is_told_and_respected(loopback_hub: LoopbackHub, hf: Installation) -> None:
    loopback_hub.repo("org/name").commit(FILES)
    loopback_hub.manners = Manners(page=1)
    with hf.start() as client:
        client.call("model_info", repo_id="org/name")
        loopback_hub.forget_requests()
        loopback_hub.limit("api", quota=1, window_s=3.0)
        begin = time.monotonic()
        assert len(client.call("list_repo_files", repo_id="org/name")) == 2
        assert time.monotonic() - begin > 0.5
        loopback_hub.limit("api", quota=0, window_s=60.0)
        assert client.error("model_info", repo_id="org/name")[0] == "HfHubHTTPError"
    assert [line.status for line in loopback_hub.requests] == [200, 429, 200, 429]


def test_a_branch_moves_between_two_requests(loopback_hub: LoopbackHub, hf: Installation) -> None:
    repo = loopback_hub.repo("org/name")
    first = repo.commit(FILES)
    second = repo.commit({"config.json": b"moved"}, ref=None)
    loopback_hub.fault("/revision/main", MoveRef(repo="org/name", commit=second))
    with hf.start() as client:
        assert Path(client.call("snapshot_download", repo_id="org/name")).name == first
        assert client.call("model_info", repo_id="org/name")["sha"] == second


def test_a_sloppy_mirror_still_serves(loopback_hub: LoopbackHub, hf: Installation) -> None:
    commit = loopback_hub.repo("org/name").commit(FILES)
    loopback_hub.sloppy()
    with hf.start() as client:
        folder = Path(client.call("snapshot_download", repo_id="org/name"))
        info = client.call("model_info", repo_id="org/name", files_metadata=True)
        missing = client.error("hf_hub_download", repo_id="org/name", filename="nothing.json")
    assert folder.name == commit
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert [sibling["size"] for sibling in info["siblings"]] == [None, None]
    assert "RemoteEntryNotFoundError" not in missing
    assert {line.server for line in loopback_hub.requests} == {"hub"}
    blobs = {path.name for path in (hf.cache / "models--org--name" / "blobs").iterdir()}
    assert lfs(FILES["model.safetensors"]).sha256 in blobs


def test_announced_xet_can_be_declined(loopback_hub: LoopbackHub, hf: Installation) -> None:
    loopback_hub.repo("org/name").commit(FILES)
    loopback_hub.manners = Manners(xet=True)
    with hf.start(HF_HUB_DISABLE_XET="1") as client:
        entries = client.call("list_repo_tree", repo_id="org/name")
        path = Path(client.call("hf_hub_download", **ASKED))
    assert entries[1]["xet_hash"] == lfs(FILES["model.safetensors"]).xet_hash
    assert path.read_bytes() == FILES["model.safetensors"]
