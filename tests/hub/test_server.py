"""The recording mirror under unmodified clients, and under raw requests where those are too polite."""

import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from mlxlock.errors import GatedError, MismatchError
from mlxlock.hub.offline import OfflineSource
from mlxlock.spec.names import CommitHash, RepoId, RepoPath, Revision
from mlxlock.spec.record import Exchange, Pin
from tests.hub.mirrors import TOKEN, Bench, serving_mirror
from tests.memory import peak_memory
from tests.testhub import Corrupt, LoopbackHub, Pattern
from tests.testhub.clients import Installation
from tests.tinymodels.tokenizer import Tokenizer

CONFIG = b'{"model_type": "llama"}'
WEIGHTS = b"\x00\x01" * 4000
FILES = {
    "config.json": CONFIG,
    "model.safetensors": WEIGHTS,
    "empty.txt": b"",
    "sub/deep/notes.txt": b"notes",
    "sub/ä ö%23.txt": b"odd name",
}


@pytest.fixture
def bench(loopback_hub: LoopbackHub, tmp_path: Path) -> Iterator[Bench]:
    loopback_hub.user(TOKEN)
    with serving_mirror(loopback_hub, tmp_path) as opened:
        yield opened


@pytest.fixture(params=["1.33", "2"])
def client(
    request: pytest.FixtureRequest, hub_pythons: dict[str, Path], bench: Bench, tmp_path: Path
) -> Installation:
    """Each supported huggingface_hub, as a sandboxed child would have it."""
    more = {"HF_HUB_DOWNLOAD_TIMEOUT": "3600", "HF_HUB_ETAG_TIMEOUT": "3600", "HF_TOKEN": ""}
    return Installation(
        python=hub_pythons[request.param], home=tmp_path / "home", endpoint=bench.endpoint, more=more
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def resolved(bench: Bench, **wanted: object) -> list[Exchange]:
    """The exchanges with these attributes."""
    return [
        exchange
        for exchange in bench.mirror.exchanges()
        if all(getattr(exchange, name) == value for name, value in wanted.items())
    ]


def downloads(hub: LoopbackHub, name: str) -> int:
    """How often the bytes of a file left the Hub."""
    return sum(name in request.path and request.method == "GET" for request in hub.requests)


def test_a_snapshot_arrives_whole(
    client: Installation, loopback_hub: LoopbackHub, bench: Bench, home: Path
) -> None:
    commit = loopback_hub.repo("org/model").commit(FILES)
    with client.start() as running:
        folder = Path(running.call("snapshot_download", repo_id="org/model"))
    assert {
        str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    } == FILES
    assert folder.name == commit
    assert (home / "hf" / "hub" / "models--org--model" / "refs" / "main").read_text(
        encoding="ascii"
    ) == commit
    assert (folder / "model.safetensors").resolve().name == sha256(WEIGHTS).hexdigest()
    asked = {exchange.path for exchange in resolved(bench, status=200, commit=commit) if exchange.path}
    assert asked == set(FILES)
    assert [(pin.repo, pin.revision, pin.resolution.commit) for pin in bench.mirror.pins()] == [
        ("org/model", "main", commit)
    ]
    assert not [exchange for exchange in bench.mirror.exchanges() if exchange.denied]


@pytest.mark.usefixtures("home")
def test_one_file_a_dataset_and_a_short_name(client: Installation, loopback_hub: LoopbackHub) -> None:
    loopback_hub.repo("t5-base").commit({"config.json": CONFIG})
    data = loopback_hub.repo("org/data", repo_type="dataset")
    data.commit({"train/a.bin": WEIGHTS})
    data.pull_request(7)
    with client.start() as running:
        got = running.call("hf_hub_download", repo_id="t5-base", filename="config.json")
        assert Path(got).read_bytes() == CONFIG
        got = running.call(
            "hf_hub_download",
            repo_id="org/data",
            filename="train/a.bin",
            repo_type="dataset",
            revision="refs/pr/7",
        )
        assert Path(got).read_bytes() == WEIGHTS


@pytest.mark.usefixtures("home")
def test_pins_hold_while_upstream_moves(
    client: Installation, loopback_hub: LoopbackHub, bench: Bench
) -> None:
    repo = loopback_hub.repo("org/model")
    old = repo.commit({"config.json": CONFIG, "model.safetensors": WEIGHTS})
    with client.start() as running:
        first = running.call("hf_hub_download", repo_id="org/model", filename="config.json")
        repo.commit({"config.json": b"{}", "model.safetensors": b"moved"})
        folder = running.call("snapshot_download", repo_id="org/model")
    assert Path(first).parent == Path(folder)
    assert Path(folder).name == old
    assert (Path(folder) / "model.safetensors").read_bytes() == WEIGHTS
    assert {exchange.commit for exchange in resolved(bench, repo="org/model")} == {old}


@pytest.mark.usefixtures("home")
def test_a_flipped_byte_is_an_error_and_never_bytes(
    client: Installation, loopback_hub: LoopbackHub, bench: Bench
) -> None:
    loopback_hub.repo("org/model").commit({"model.safetensors": WEIGHTS})
    loopback_hub.fault("model.safetensors", Corrupt(offset=100), server="cdn", times=None)
    with client.start() as running:
        kinds = running.error("hf_hub_download", repo_id="org/model", filename="model.safetensors")
    assert "HfHubHTTPError" in kinds
    (refused,) = resolved(bench, method="GET", path="model.safetensors")
    assert refused.status == 424
    assert refused.denied is not None
    assert isinstance(bench.mirror.failures()[0], MismatchError)
    assert not list(client.cache.rglob("blobs/*"))


def test_missing_files_are_told_and_written_down(
    client: Installation, loopback_hub: LoopbackHub, bench: Bench, home: Path
) -> None:
    commit = loopback_hub.repo("org/model").commit({"config.json": CONFIG})
    with client.start() as running:
        kinds = running.error("hf_hub_download", repo_id="org/model", filename="added_tokens.json")
    assert "EntryNotFoundError" in kinds
    (missed,) = resolved(bench, path="added_tokens.json")
    assert (missed.method, missed.status, missed.commit, missed.denied) == ("HEAD", 404, commit, None)
    assert (home / "hf/hub/models--org--model/.no_exist" / commit / "added_tokens.json").is_file()


@pytest.mark.usefixtures("home")
def test_what_the_hub_does_not_have_is_said_in_its_words(
    client: Installation, loopback_hub: LoopbackHub, bench: Bench
) -> None:
    loopback_hub.repo("org/model").commit({"config.json": CONFIG})
    with client.start() as running:
        gone = running.error("hf_hub_download", repo_id="org/gone", filename="config.json")
        elsewhere = running.error(
            "hf_hub_download", repo_id="org/model", filename="config.json", revision="nowhere"
        )
    assert "RepositoryNotFoundError" in gone
    assert "RevisionNotFoundError" in elsewhere
    assert {exchange.denied for exchange in resolved(bench, status=404)} == {None}
    assert bench.mirror.pins() == ()


@pytest.mark.usefixtures("home")
def test_a_gated_repo_is_refused_as_one(
    client: Installation, loopback_hub: LoopbackHub, bench: Bench
) -> None:
    loopback_hub.repo("org/gated", gated=True).commit({"model.safetensors": WEIGHTS})
    with client.start() as running:
        kinds = running.error("hf_hub_download", repo_id="org/gated", filename="model.safetensors")
    assert "GatedRepoError" in kinds
    assert [exchange.status for exchange in resolved(bench, method="GET", path="model.safetensors")] == [403]
    assert resolved(bench, method="GET", path="model.safetensors")[0].denied is not None
    assert isinstance(bench.mirror.failures()[0], GatedError)


@pytest.mark.usefixtures("home")
def test_the_parents_token_opens_what_the_child_may_not_ask_for(
    client: Installation, loopback_hub: LoopbackHub, bench: Bench
) -> None:
    loopback_hub.user(TOKEN, grants=["org/private"])
    loopback_hub.repo("org/private", private=True).commit({"config.json": CONFIG})
    with client.start() as running:
        got = Path(running.call("hf_hub_download", repo_id="org/private", filename="config.json"))
    assert got.read_bytes() == CONFIG
    answer = bench.ask("/org/private/resolve/main/config.json")
    said = json.dumps(dict(answer.headers)) + bench.ask("/api/models/org/private?blobs=true").body.decode()
    assert TOKEN not in said
    assert loopback_hub.endpoint not in said
    assert loopback_hub.cdn not in said


@pytest.mark.usefixtures("home")
def test_a_renamed_repo_keeps_the_asked_name_and_shows_the_new_one(
    client: Installation, loopback_hub: LoopbackHub, bench: Bench
) -> None:
    loopback_hub.repo("old-name").commit({"config.json": CONFIG})
    loopback_hub.rename("old-name", "org/new-name")
    with client.start() as running:
        got = Path(running.call("hf_hub_download", repo_id="old-name", filename="config.json"))
    assert "models--old-name" in got.parts
    assert json.loads(bench.ask("/api/models/old-name").body)["id"] == "org/new-name"
    assert bench.mirror.pins()[0].resolution.canonical == "org/new-name"


@pytest.mark.mlx
def test_transformers_loads_a_tokenizer(
    loopback_hub: LoopbackHub, bench: Bench, tmp_path: Path, home: Path
) -> None:
    Tokenizer().write(tmp_path / "tree" / "org" / "tokenizer", template_file=True)
    loopback_hub.load_tree(tmp_path / "tree")
    code = (
        "from transformers import AutoTokenizer\n"
        "t = AutoTokenizer.from_pretrained('org/tokenizer')\n"
        "print(t.decode(t.encode('hello world')), t.chat_template is not None)\n"
    )
    child = Installation(python=Path(sys.executable), home=home, endpoint=bench.endpoint)
    environment = child.environment({"HF_HUB_DISABLE_TELEMETRY": "1"})
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.stdout.splitlines() == ["hello world True"], done.stderr
    assert {str(path) for path in absent(bench)} >= {"added_tokens.json", "special_tokens_map.json"}
    assert not [exchange for exchange in bench.mirror.exchanges() if exchange.denied]


def absent(bench: Bench) -> set[RepoPath]:
    return {exchange.path for exchange in resolved(bench, status=404) if exchange.path}


def test_the_file_system_interface_reads(
    client: Installation, loopback_hub: LoopbackHub, bench: Bench, home: Path
) -> None:
    loopback_hub.repo("org/model").commit({"sub/part.bin": WEIGHTS})
    code = (
        "from huggingface_hub import HfFileSystem\n"
        "fs = HfFileSystem()\n"
        "print(sorted(fs.ls('org/model', detail=False)), fs.info('org/model/sub/part.bin')['size'])\n"
        "with fs.open('org/model/sub/part.bin', block_size=1000) as f:\n"
        "    f.seek(7001); print(f.read(3))\n"
    )
    done = subprocess.run(
        [str(client.python), "-c", code],
        env=client.environment({}),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.stdout.splitlines() == ["['org/model/sub'] 8000", repr(WEIGHTS[7001:7004])], done.stderr
    assert resolved(bench, status=206)


def test_asking_without_the_body_downloads_nothing(loopback_hub: LoopbackHub, bench: Bench) -> None:
    commit = loopback_hub.repo("org/model").commit({"model.safetensors": WEIGHTS})
    answer = bench.ask("/org/model/resolve/main/model.safetensors", "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-length"] == answer.headers["x-linked-size"] == str(len(WEIGHTS))
    digest = f'"{sha256(WEIGHTS).hexdigest()}"'
    assert answer.headers["etag"] == answer.headers["x-linked-etag"] == digest
    assert answer.headers["x-repo-commit"] == commit
    assert downloads(loopback_hub, "model.safetensors") == 0


def test_what_the_store_has_is_never_fetched_again(loopback_hub: LoopbackHub, bench: Bench) -> None:
    loopback_hub.repo("org/model").commit({"model.safetensors": WEIGHTS})
    loopback_hub.repo("org/copy").commit({"other.safetensors": WEIGHTS})
    for path in ("/org/model/resolve/main/model.safetensors", "/org/copy/resolve/main/other.safetensors"):
        assert bench.ask(path).body == WEIGHTS
        assert bench.ask(path).body == WEIGHTS
    assert sum(request.server == "cdn" for request in loopback_hub.requests) == 1


@pytest.mark.parametrize(
    ("asked", "status", "body", "told"),
    [
        ("bytes=0-3", 206, WEIGHTS[:4], "bytes 0-3/8000"),
        ("bytes=7998-7999", 206, WEIGHTS[7998:], "bytes 7998-7999/8000"),
        ("bytes=7998-", 200, WEIGHTS, None),
        ("bytes=-5", 206, WEIGHTS[-5:], "bytes 7995-7999/8000"),
        ("bytes=-9000", 206, WEIGHTS, "bytes 0-7999/8000"),
        ("bytes=5-99999", 206, WEIGHTS[5:], "bytes 5-7999/8000"),
        ("bytes=8000-8001", 416, b"", "bytes */8000"),
        ("bytes=8000-", 200, WEIGHTS, None),
        ("bytes=0-1,4-5", 200, WEIGHTS, None),
        ("bytes=5-2", 200, WEIGHTS, None),
        ("lines=0-1", 200, WEIGHTS, None),
        ("bytes=-", 200, WEIGHTS, None),
    ],
)
def test_ranges(
    loopback_hub: LoopbackHub, bench: Bench, asked: str, status: int, body: bytes, told: str | None
) -> None:
    loopback_hub.repo("org/model").commit({"model.safetensors": WEIGHTS})
    answer = bench.ask("/org/model/resolve/main/model.safetensors", Range=asked)
    assert (answer.status, answer.body, answer.headers.get("content-range")) == (status, body, told)


def test_an_empty_file_is_a_file(loopback_hub: LoopbackHub, bench: Bench) -> None:
    loopback_hub.repo("org/model").commit({"empty.txt": b""})
    for asked in ("bytes=0-0", "bytes=5-", "nonsense"):
        answer = bench.ask("/org/model/resolve/main/empty.txt", Range=asked)
        assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "0")


def test_the_description_is_the_hubs_own(loopback_hub: LoopbackHub, bench: Bench) -> None:
    """Siblings, tree and paths are compared with what the Hub itself says, key by key."""
    loopback_hub.repo("org/model", license="mit").commit(FILES)
    base = f"{loopback_hub.endpoint}/api/models/org/model"

    def hub(path: str) -> object:
        with urllib.request.urlopen(base + path) as answer:
            return json.load(answer)

    ours = json.loads(bench.ask("/api/models/org/model?blobs=true").body)
    theirs = hub("?blobs=true")
    assert isinstance(theirs, dict)
    same = ("id", "sha", "siblings", "tags", "cardData", "gated", "private", "modelId", "author")
    assert {name: ours[name] for name in same} == {name: theirs[name] for name in same}
    assert ours["lastModified"][:10] == theirs["lastModified"][:10]
    for path in ("/tree/main?recursive=true", "/tree/main", "/tree/main/sub", "/tree/main/sub%2Fdeep"):
        assert without_ids(json.loads(bench.ask(f"/api/models/org/model{path}").body)) == without_ids(
            hub(path)
        )


def without_ids(entries: object) -> object:
    """Directories without git's id, and files without Xet's, neither of which we can or want to know."""
    assert isinstance(entries, list)
    return [
        {
            name: value
            for name, value in entry.items()
            if name != "xetHash" and (name != "oid" or entry["type"] == "file")
        }
        for entry in entries
    ]


def test_pages_follow_one_another(loopback_hub: LoopbackHub, bench: Bench) -> None:
    loopback_hub.repo("org/model").commit({f"{number:03}.txt": b"x" for number in range(25)})
    found: list[str] = []
    path = "/api/models/org/model/tree/main?limit=10&recursive=true"
    while path:
        answer = bench.ask(path)
        found += [entry["path"] for entry in json.loads(answer.body)]
        link = answer.headers.get("link", "")
        path = link.partition(">")[0].removeprefix(f"<{bench.endpoint}") if link else ""
    assert found == [f"{number:03}.txt" for number in range(25)]


def test_refs_and_paths(loopback_hub: LoopbackHub, bench: Bench) -> None:
    commit = loopback_hub.repo("org/model").commit(FILES)
    refs = json.loads(bench.ask("/api/models/org/model/refs").body)
    assert refs["branches"] == [{"name": "main", "ref": "refs/heads/main", "targetCommit": commit}]
    path = "/api/models/org/model/paths-info/main"
    form = bench.ask(path, "POST", body=b"paths=config.json&paths=sub&paths=gone&expand=False")
    assert [entry["path"] for entry in json.loads(form.body)] == ["config.json", "sub"]
    asked = json.dumps({"paths": ["empty.txt"]}).encode()
    listed = bench.ask(path, "POST", body=asked, Content_Type="application/json")
    assert [entry["size"] for entry in json.loads(listed.body)] == [0]
    for body in (b"[", b"[" * 900_000):
        assert bench.ask(path, "POST", body=body, Content_Type="application/json").status == 400


def test_artifact_pins_decide_what_a_branch_means(loopback_hub: LoopbackHub, tmp_path: Path) -> None:
    repo = loopback_hub.repo("org/model")
    old = repo.commit({"config.json": CONFIG})
    new = repo.commit({"config.json": b"{}"})
    loopback_hub.user(TOKEN)
    pinned = {RepoId("org/model"): Revision(old)}
    with serving_mirror(loopback_hub, tmp_path, artifact_pins=pinned) as bench:
        assert bench.ask("/org/model/resolve/main/config.json").body == CONFIG
        assert bench.ask("/org/model/resolve/v1.0/config.json").headers["x-repo-commit"] == old
        assert bench.ask(f"/org/model/resolve/{new}/config.json").body == b"{}"
        assert [(pin.revision, pin.resolution.commit) for pin in bench.mirror.pins()] == [
            ("main", old),
            ("v1.0", old),
            (new, new),
        ]


def test_a_commit_of_a_pinned_branch_is_the_same_thing(loopback_hub: LoopbackHub, bench: Bench) -> None:
    commit = loopback_hub.repo("org/model").commit({"config.json": CONFIG})
    bench.ask("/api/models/org/model")
    asked = len(loopback_hub.requests)
    assert bench.ask(f"/org/model/resolve/{commit}/config.json", "HEAD").status == 200
    assert len(loopback_hub.requests) == asked
    assert [pin.revision for pin in bench.mirror.pins()] == ["main"]


def test_frozen_serves_what_is_pinned_and_nothing_else(loopback_hub: LoopbackHub, tmp_path: Path) -> None:
    loopback_hub.user(TOKEN)
    commit = loopback_hub.repo("org/model").commit({"config.json": CONFIG})
    loopback_hub.repo("org/other").commit({"config.json": CONFIG})
    with serving_mirror(loopback_hub, tmp_path / "first") as before:
        before.ask("/org/model/resolve/main/config.json")
        pins = before.mirror.pins()
    with serving_mirror(loopback_hub, tmp_path / "first", pins=pins, frozen=True) as bench:
        assert bench.ask("/org/model/resolve/main/config.json").body == CONFIG
        assert bench.ask(f"/org/model/resolve/{commit}/config.json").status == 200
        refused = bench.ask("/org/other/resolve/main/config.json")
    assert (refused.status, refused.headers["x-error-code"]) == (404, "RepoNotFound")
    assert "is not locked" in str(bench.mirror.exchanges()[-1].denied)


def test_a_source_that_refuses_makes_a_mirror_of_the_store(loopback_hub: LoopbackHub, tmp_path: Path) -> None:
    loopback_hub.user(TOKEN)
    loopback_hub.repo("org/model").commit(FILES)
    with serving_mirror(loopback_hub, tmp_path) as before:
        before.ask("/org/model/resolve/main/config.json")
        pins = before.mirror.pins()
    loopback_hub.forget_requests()
    with serving_mirror(loopback_hub, tmp_path, pins=pins, source=OfflineSource("--offline")) as bench:
        assert bench.ask("/org/model/resolve/main/config.json").body == CONFIG
        assert bench.ask("/org/model/resolve/main/model.safetensors").status == 424
        assert bench.ask("/org/model/resolve/v2/config.json").status == 404
    assert loopback_hub.requests == ()
    assert [exchange.denied is None for exchange in bench.mirror.exchanges()] == [True, False, False]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/whoami-v2"),
        ("POST", "/api/repos/create"),
        ("POST", "/api/models/org/model/commit/main"),
        ("PUT", "/org/model/resolve/main/config.json"),
        ("DELETE", "/api/models/org/model"),
        ("POST", "/org/model/resolve/main/config.json"),
        ("GET", "/api/models/org/model/xet-read-token/main"),
        ("GET", "/api/models/org/model/commits/main"),
        ("GET", "/api/models?search=x"),
        ("GET", "/api/models/../../etc/passwd"),
        ("HEAD", "/api/telemetry/huggingface_hub"),
        ("GET", "/"),
    ],
)
def test_what_is_no_read_is_refused(bench: Bench, loopback_hub: LoopbackHub, method: str, path: str) -> None:
    loopback_hub.repo("org/model").commit(FILES)
    assert bench.ask(path, method).status == 403
    (exchange,) = bench.mirror.exchanges()
    assert (exchange.method, exchange.url, exchange.status) == (method, path.partition("?")[0], 403)
    assert exchange.denied is not None
    assert loopback_hub.requests == ()


@pytest.mark.parametrize(
    "path", ["/api/models/org/model", "/00000000000000000000000000000000/api/models/org/model"]
)
def test_without_the_prefix_there_is_nothing(bench: Bench, path: str) -> None:
    assert bench.ask(path, prefixed=False).status == 403
    assert bench.mirror.exchanges()[0].denied == "asked without the secret prefix"
    assert bench.mirror.prefix not in bench.ask(path, prefixed=False).body.decode()


def test_prefixes_differ(loopback_hub: LoopbackHub, tmp_path: Path, bench: Bench) -> None:
    with serving_mirror(loopback_hub, tmp_path) as other:
        assert other.mirror.prefix != bench.mirror.prefix
        assert len(other.mirror.prefix) == 33


def test_a_usual_question_is_no_offence(bench: Bench) -> None:
    assert bench.ask("/api/agent-harnesses").status == 404
    assert [exchange.denied for exchange in bench.mirror.exchanges()] == [None]


def test_phase_and_asker_are_written_down(loopback_hub: LoopbackHub, tmp_path: Path) -> None:
    loopback_hub.user(TOKEN)
    loopback_hub.repo("org/model").commit(FILES)
    phase_file = tmp_path / "phase"
    told = []
    with serving_mirror(loopback_hub, tmp_path, phase_file=phase_file) as bench:
        for text in (None, "load", "generate\n", "lunch", "x" * 100_000):
            if text is not None:
                phase_file.write_text(text, encoding="ascii")
            bench.ask("/api/models/org/model", X_Mlxk_Asked_By="mlx_audio.stt:load")
        phase_file.write_text("load", encoding="ascii")
        bench.ask("/api/models/org/model", X_Mlxk_Importing="1")
        phase_file.unlink()
        phase_file.symlink_to("/proc/self/environ")
        bench.ask("/api/models/org/model", X_Mlxk_Asked_By="x" * 301)
        told = [(exchange.phase, exchange.asked_by) for exchange in bench.mirror.exchanges()]
    assert told == [
        (None, "mlx_audio.stt:load"),
        ("load", "mlx_audio.stt:load"),
        ("generate", "mlx_audio.stt:load"),
        (None, "mlx_audio.stt:load"),
        (None, "mlx_audio.stt:load"),
        ("import", None),
        (None, None),
    ]


def test_many_at_once_resolve_and_fetch_once(loopback_hub: LoopbackHub, bench: Bench) -> None:
    loopback_hub.repo("org/model").commit({"model.safetensors": Pattern(size=3_000_000)})
    bodies: list[bytes] = []

    def get() -> None:
        bodies.append(bench.ask("/org/model/resolve/main/model.safetensors").body)

    threads = [threading.Thread(target=get) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {len(body) for body in bodies} == {3_000_000}
    assert len(set(bodies)) == 1
    assert sum(request.server == "cdn" for request in loopback_hub.requests) == 1
    assert sum("/api/models/org/model" in request.path for request in loopback_hub.requests) == 1
    assert len(bench.mirror.exchanges()) == 8


def test_a_large_file_costs_no_memory(loopback_hub: LoopbackHub, bench: Bench) -> None:
    size = 200_000_000
    loopback_hub.repo("org/model").commit({"model.safetensors": Pattern(size=size)})
    bench.ask("/org/model/resolve/main/model.safetensors", "HEAD")
    url = f"{bench.endpoint}/org/model/resolve/main/model.safetensors"
    with peak_memory() as grown, urllib.request.urlopen(url) as answer:
        got = 0
        while chunk := answer.read(1 << 16):
            got += len(chunk)
    assert got == size
    assert 0 <= grown.size_bytes < 60_000_000


def test_a_preset_pin_is_told_once_it_is_asked_for(loopback_hub: LoopbackHub, tmp_path: Path) -> None:
    loopback_hub.user(TOKEN)
    commit = loopback_hub.repo("org/model").commit(FILES)
    with serving_mirror(loopback_hub, tmp_path) as before:
        before.ask("/api/models/org/model")
        (pin,) = before.mirror.pins()
    unused = Pin(repo=RepoId("org/unused"), revision="main", resolution=pin.resolution)
    with serving_mirror(loopback_hub, tmp_path, pins=[pin, unused]) as bench:
        assert bench.mirror.pins() == ()
        assert json.loads(bench.ask("/api/models/org/model").body)["sha"] == commit
        assert bench.mirror.pins() == (pin,)
    assert pin.resolution.commit == CommitHash(commit)


def test_what_is_withheld_is_refused_and_no_listing_shows_it(
    loopback_hub: LoopbackHub, tmp_path: Path
) -> None:
    loopback_hub.user(TOKEN)
    commit = loopback_hub.repo("org/x").commit({"a.json": b"{}", "lib/code.py": b"import os"})

    def withhold(path: RepoPath) -> str | None:
        return "code is withheld" if path.suffix == ".py" else None

    with serving_mirror(loopback_hub, tmp_path, withhold=withhold) as bench:
        for method in ("HEAD", "GET"):
            refused = bench.ask("/org/x/resolve/main/lib/code.py", method=method)
            assert (refused.status, refused.headers["x-error-message"]) == (403, "code is withheld")
        assert bench.ask("/org/x/resolve/main/a.json").status == 200
        info = json.loads(bench.ask("/api/models/org/x").body)
        assert [sibling["rfilename"] for sibling in info["siblings"]] == ["a.json"]
        tree = json.loads(bench.ask(f"/api/models/org/x/tree/{commit}?recursive=true").body)
        assert [entry["path"] for entry in tree] == ["a.json"]
        denied = [exchange for exchange in bench.mirror.exchanges() if exchange.denied]
        assert [(exchange.path, exchange.commit) for exchange in denied] == [("lib/code.py", commit)] * 2
