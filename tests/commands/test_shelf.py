"""`mlxk list`, `show` and `health`, on real directories, as a user's shell calls them."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlxlock import __version__
from mlxlock.spec.digest import content_hash
from mlxlock.spec.names import CommitHash, RepoId, RepoPath
from mlxlock.spec.sentinel import SENTINEL_NAME, Sentinel
from mlxlock.workspace.building import DirectoryWorkspaces
from tests.commands.site import Site, contents
from tests.fakes import MemoryStore
from tests.testhub import LoopbackHub, lfs
from tests.workspace.test_library import BROKEN, make_snapshot

TINY = "org/tiny"


def tensors(*names: str, **metadata: str) -> bytes:
    """A safetensors file with one byte for each tensor."""
    told: dict[str, object] = {
        name: {"dtype": "U8", "shape": [1], "data_offsets": [at, at + 1]} for at, name in enumerate(names)
    }
    if metadata:
        told["__metadata__"] = metadata
    text = json.dumps(told).encode()
    return len(text).to_bytes(8, "little") + text + b"w" * len(names)


FILES = {
    "config.json": b'{"model_type": "llama", "max_position_embeddings": 128, "quantization": {"bits": 4}}',
    "model.safetensors": tensors("a", "b", format="mlx"),
    "sub/vocab.txt": b"v" * 40,
}


@pytest.fixture
def site(loopback_hub: LoopbackHub, tmp_path: Path) -> Site:
    weights = lfs(FILES["model.safetensors"])
    loopback_hub.repo(TINY).commit({**FILES, "model.safetensors": weights})
    site = Site(tmp_path / "here", loopback_hub.endpoint)
    site.env["MLXK_WORKSPACE_HOME"] = str(tmp_path / "home")
    site.env["HF_HUB_CACHE"] = str(tmp_path / "hub")
    return site


@pytest.fixture
def home(site: Site, loopback_hub: LoopbackHub, tmp_path: Path) -> Path:
    """A workspace home with one clone, made by the same hands as `clone` makes it."""
    repo = loopback_hub.find(TINY)
    assert repo is not None
    (tmp_path / "blobs").mkdir()
    store = MemoryStore(tmp_path / "blobs")
    made = Path(site.env["MLXK_WORKSPACE_HOME"])
    workspaces = DirectoryWorkspaces(site.store / "workspaces", version=__version__, link_mode="copy")
    with workspaces.building(made / "tiny") as building:
        building.add({RepoPath(path): store.put(data) for path, data in FILES.items()})
        building.finish(
            Sentinel(
                source_repo=RepoId(TINY),
                source_revision=CommitHash(repo.refs["refs/heads/main"]),
                operation="clone",
                content_hash=content_hash(dict(building.seal())),
            )
        )
    return made


def by_hand(directory: Path, **files: bytes) -> Path:
    directory.mkdir(parents=True)
    for name, data in {**FILES, **files}.items():
        path = directory / name.replace("__", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    return directory


def weights_of(snapshot: Path) -> None:
    (snapshot / "model.safetensors").write_bytes(FILES["model.safetensors"])


def names(told: dict[str, Any]) -> list[tuple[str, str]]:
    return [(model["name"], model["source"]) for model in told["models"]]


def test_list_shows_every_place_in_its_columns(site: Site, home: Path) -> None:
    weights_of(make_snapshot(Path(site.env["HF_HUB_CACHE"]), "org/cached", "1" * 40, "main"))
    make_snapshot(Path(site.env["HF_HUB_CACHE"]), "org/tokenizer", "1" * 40, "main")
    site.write(f'[models.chat]\nrepo = "{TINY}"\n')
    site.mlxk("lock", "--no-capture")
    site.mlxk("sync")
    by_hand(site.models / "mine")
    text = site.mlxk("list").splitlines()
    assert text[0].split() == ["Name", "Source", "Size", "Type"]
    assert [line.split()[:2] for line in text[1:5]] == [
        ["chat", "ws"],
        ["mine", "ws"],
        ["tiny", "ws"],
        ["org/cached", "cache"],
    ]
    assert text[5] == "1 snapshot more in the cache with `--all`"
    assert names(site.data("list", "--all"))[-1] == ("org/tokenizer", "cache")
    assert site.mlxk("list", "--origin", "tiny").splitlines()[-1].split()[:3] == ["tiny", "ws", TINY]
    assert site.mlxk("list", "--full-paths", "tiny").splitlines()[-1].split()[0] == str(home / "tiny")
    assert names(site.data("list", "org/c*")) == [("org/cached", "cache")]
    assert names(site.data("list", "CACH")) == [("org/cached", "cache")]
    assert names(site.data("list", "./models")) == [("mine", "workspace"), ("tiny", "workspace")]
    assert site.mlxk("list", "nothing").strip() == "no model matches `nothing`"


def test_a_directory_that_two_ways_lead_to_is_listed_once(site: Site, home: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("home")
    site.env["MLXK_MODEL_PATH"] = str(tmp_path / "link")
    assert names(site.data("list")) == [("tiny", "workspace")]
    site.write(f'[models.chat]\nrepo = "{TINY}"\n')
    site.mlxk("lock", "--no-capture")
    site.mlxk("sync")
    (site.root / "link").symlink_to("models")
    site.env["MLXK_WORKSPACE_HOME"] = str(site.root / "link")
    assert [name for name, _ in names(site.data("list"))] == ["chat", "tiny"]
    assert home.exists()


def test_the_model_object_has_the_fields_of_the_decision_record_and_ours(site: Site, home: Path) -> None:
    site.env["VIRTUAL_ENV"] = "/nonexistent"
    (model,) = site.data("list")["models"]
    written = json.loads((home / "tiny" / SENTINEL_NAME).read_text())
    assert model == {
        "name": "tiny",
        "source": "workspace",
        "origin": TINY,
        "hash": written["source_revision"],
        "revision": written["source_revision"],
        "locked": False,
        "path": str(home / "tiny"),
        "size_bytes": sum(map(len, FILES.values())) + (home / "tiny" / SENTINEL_NAME).stat().st_size,
        "last_modified": model["last_modified"],
        "framework": "MLX",
        "model_type": "text",
        "architecture": "llama",
        "capabilities": ["text-generation"],
        "quantization": {"bits": 4},
        "context_length": 128,
        "health": "healthy",
        "runtime_compatible": False,
        "reason": "no interpreter `/nonexistent/bin/python`",
        "content_hash": written["content_hash"],
        "hash_modified": False,
        "cached": False,
    }
    assert model["last_modified"].endswith("Z")


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_times_are_utc_in_every_zone(site: Site, home: Path, zone: str) -> None:
    for path in [home / "tiny", *(home / "tiny").rglob("*")]:
        os.utime(path, (1_600_000_000, 1_600_000_000))
    done = site.run("list", "--json", more={"TZ": zone})
    assert json.loads(done.stdout)["data"]["models"][0]["last_modified"] == "2020-09-13T12:26:40Z"


def test_show_says_where_it_came_from_and_whether_it_was_modified(site: Site, home: Path) -> None:
    text = site.mlxk("show", "tiny", "--files")
    written = json.loads((home / "tiny" / SENTINEL_NAME).read_text())
    for line in (
        "Framework:       MLX",
        "Type:            text",
        "Quantization:    4 bits",
        "Context length:  128 tokens",
        f"  Source:        {TINY}",
        f"  Revision:      {written['source_revision']}",
        "  Operation:     clone",
        f"  Created:       {written['created_at']}",
        f"  Content Hash:  {written['content_hash']}",
        "  Modified:      no",
    ):
        assert line in text.splitlines(), line
    told = site.data("show", str(home / "tiny"), "--files")
    by_path = {file["path"]: file for file in told["files"]}
    assert by_path["sub/vocab.txt"]["size_bytes"] == 40
    assert by_path["model.safetensors"]["sha256"] == site_sha256(FILES["model.safetensors"])
    vocab = home / "tiny" / "sub" / "vocab.txt"
    vocab.write_bytes(b"u" + vocab.read_bytes()[1:])
    assert site.data("show", "tiny")["workspace"]["modified"] is True
    assert "  Modified:      yes" in site.mlxk("show", "tiny").splitlines()


def site_sha256(data: bytes) -> str:
    import hashlib  # noqa: PLC0415 - one use

    return hashlib.sha256(data).hexdigest()


def test_list_tells_an_edit_also_when_its_size_and_mtime_are_kept(site: Site, home: Path) -> None:
    assert site.data("list", "tiny")["models"][0]["hash_modified"] is False
    path = home / "tiny" / "config.json"
    before, data = path.stat(), path.read_bytes()
    path.write_bytes(data[:-2] + b" }")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert site.data("list", "tiny")["models"][0]["hash_modified"] is True
    path.write_bytes(data)
    assert site.data("list", "tiny")["models"][0]["hash_modified"] is False


def test_a_workspace_that_was_moved_is_still_what_it_was(site: Site, home: Path) -> None:
    before = site.data("show", "tiny")["workspace"]
    moved = site.root / "elsewhere" / "renamed"
    shutil.copytree(home / "tiny", moved)
    shutil.rmtree(home)
    shutil.rmtree(site.store)
    assert site.data("show", "./elsewhere/renamed")["workspace"] == before
    assert before["modified"] is False


def damage_cut(home: Path) -> None:
    path = home / "tiny" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def damage_config(home: Path) -> None:
    (home / "tiny" / "config.json").write_text("[]")


def damage_weights(home: Path) -> None:
    (home / "tiny" / "model.safetensors").unlink()


def damage_index(home: Path) -> None:
    told = {"weight_map": {"a": "model.safetensors", "z": "model.safetensors"}}
    (home / "tiny" / "model.safetensors.index.json").write_text(json.dumps(told))


def damage_vocabulary(home: Path) -> None:
    (home / "tiny" / "sub" / "vocab.txt").unlink()


def damage_sentinel(home: Path) -> None:
    (home / "tiny" / SENTINEL_NAME).write_text("[1]")


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (damage_cut, "cut off: 1 bytes"),
        (damage_config, "`config.json` is not a JSON object"),
        (damage_weights, "it has no weights"),
        (damage_index, "names 1 tensors that are not there"),
        (damage_vocabulary, "`sub/vocab.txt` is gone"),
        (damage_sentinel, "its sentinel: it is not a JSON object"),
    ],
)
def test_health_sees_damage_and_exits_with_1(
    site: Site, home: Path, damage: Callable[[Path], None], problem: str
) -> None:
    damage(home)
    done = site.run("health", "tiny", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["status"], told["error"]["code"]) == (1, "error", "unhealthy")
    assert any(problem in each for each in told["data"]["models"][0]["problems"])
    assert site.data("list")["models"][0]["health"] == "unhealthy"


def test_a_directory_made_by_hand_in_a_clones_place_is_not_held_to_the_clone(site: Site, home: Path) -> None:
    shutil.rmtree(home / "tiny")
    by_hand(home / "tiny", other__txt=b"x")
    (home / "tiny" / "sub" / "vocab.txt").unlink()
    assert site.mlxk("health", "tiny") == "tiny (ws): healthy\n"
    assert site.data("list", "tiny")["models"][0]["hash_modified"] is False


def test_health_of_all_that_is_well(site: Site, home: Path) -> None:
    assert site.mlxk("health") == "tiny (ws): healthy\n"
    assert site.mlxk("health", "--content", "tiny") == "tiny (ws): healthy\n"
    assert site.refusal("health", "nothing")[:2] == (2, "usage")
    assert home.exists()


def test_only_content_sees_a_flipped_byte_that_kept_its_stat(site: Site, home: Path) -> None:
    path = home / "tiny" / "model.safetensors"
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert site.run("health", "tiny").returncode == 0
    done = site.run("health", "tiny", "--content", "--json")
    told = json.loads(done.stdout)["data"]["models"][0]
    assert done.returncode == 1
    assert "its sentinel says" in told["problems"][0]
    assert told["hash_modified"] is True


def test_content_of_a_cache_is_what_its_blobs_are_named(site: Site) -> None:
    snapshot = make_snapshot(Path(site.env["HF_HUB_CACHE"]), "org/cached", "1" * 40, "main")
    data = FILES["model.safetensors"]
    blob = snapshot.parent.parent / "blobs" / site_sha256(data)
    blob.parent.mkdir()
    blob.write_bytes(data)
    (snapshot / "model.safetensors").symlink_to(blob)
    assert site.run("health", "--content", "org/cached").returncode == 0
    blob.write_bytes(data[:-1] + b"x")
    assert site.run("health", "org/cached").returncode == 0
    assert "is not what its blob's name says" in site.run("health", "--content", "org/cached").stdout
    blob.unlink()
    assert "is a link to nothing" in site.run("health", "org/cached").stdout


def test_verbose_health_tells_what_stands_in_the_cache_and_never_judges_the_model_by_it(
    site: Site, home: Path
) -> None:
    snapshot = make_snapshot(home / ".hf_cache" / "hub", "Qwen/Qwen2.5-7B", "2" * 40, "main")
    (home / "tiny" / ".hf_cache").mkdir()
    (home / "tiny" / ".hf_cache" / "download.tmp").write_text("")
    assert site.mlxk("health", "tiny") == "tiny (ws): healthy\n"
    text = site.mlxk("health", "tiny", "--verbose")
    assert f"{home / '.hf_cache'}: 1 runtime artifact" in text
    assert "Qwen/Qwen2.5-7B  complete" in text
    (snapshot / "vocab.txt").symlink_to("../../blobs/gone")
    done = site.run("health", "tiny", "-v")
    assert done.returncode == 1
    assert "1 of 2 files are links to nothing" in done.stdout
    assert "tiny (ws): healthy" in done.stdout


def test_weights_in_the_cache_alone_are_no_weights(site: Site, home: Path) -> None:
    (home / "tiny" / ".hf_cache").mkdir()
    (home / "tiny" / "model.safetensors").rename(home / "tiny" / ".hf_cache" / "model.safetensors")
    assert "it has no weights" in site.run("health", "tiny").stdout


def test_a_locked_model_that_drifted_is_unhealthy(site: Site) -> None:
    site.write(f'[models.chat]\nrepo = "{TINY}"\n')
    site.mlxk("lock", "--no-capture")
    assert site.run("health", "chat").returncode == 1
    site.mlxk("sync")
    assert site.mlxk("health", "chat") == "chat (ws): healthy\n"
    assert site.data("list", "chat")["models"][0]["hash_modified"] is False
    (site.models / "tiny" / "sub" / "vocab.txt").write_text("edited")
    assert "`tiny/sub/vocab.txt` is changed" in site.run("health", "chat").stdout
    assert site.data("show", "chat")["workspace"]["modified"] is True


def test_a_broken_project_hides_no_other_model(site: Site, home: Path) -> None:
    site.write("not toml")
    done = site.run("list")
    assert (done.returncode, "tiny" in done.stdout) == (0, True)
    assert "cannot be read" in done.stderr
    assert home.exists()


def test_no_broken_sentinel_breaks_a_listing(site: Site, home: Path) -> None:
    for name, spoil in BROKEN.items():
        spoil(by_hand(home / name) / SENTINEL_NAME)
    told = {model["name"]: model["health"] for model in site.data("list")["models"]}
    assert told == {"tiny": "healthy", **dict.fromkeys(BROKEN, "unhealthy")}
    for name in BROKEN:
        assert site.run("show", name).returncode == 0
    done = site.run("health")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_a_sentinel_cannot_excuse_its_own_files(site: Site, home: Path) -> None:
    path = home / "tiny" / SENTINEL_NAME
    told = json.loads(path.read_text())
    (home / "tiny" / "sub" / "vocab.txt").unlink()
    path.write_text(json.dumps({**told, "hash_excludes": ["*"], "exclude_patterns": ["*"], "file_index": []}))
    assert site.run("health", "tiny", "--content").returncode == 1
    assert site.data("show", "tiny")["workspace"]["modified"] is True


def test_a_sentinel_that_states_another_hash_is_found_out(site: Site, home: Path) -> None:
    path = home / "tiny" / SENTINEL_NAME
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "content_hash": f"sha256:{'0' * 64}"}))
    assert site.data("show", "tiny")["workspace"]["modified"] is True
    assert site.run("health", "tiny", "--content").returncode == 1


PEER = """{
  "mlxk_version": "2.0.8",
  "created_at": "2026-11-23T08:09:01.494689Z",
  "source_repo": "org/tiny",
  "source_revision": null,
  "managed": true,
  "operation": "clone",
  "hash_modified": "2026-11-23T08:09:01.494669Z",
  "hash_algorithm": "v2",
  "content_hash": "sha256:HASH",
  "exclude_patterns": [".hf_cache/", "*.lock"],
  "file_index": [{"path": "config.json", "size": 8, "mtime_ns": 1795421341475333361, "sha": "sha256:HASH"}]
}"""


def test_the_peers_sentinel_is_read_as_what_it_is(site: Site, home: Path) -> None:
    peer = by_hand(home / "peer")
    (peer / SENTINEL_NAME).write_text(PEER.replace("HASH", "a" * 64))
    model = site.data("list", "peer")["models"][0]
    assert (model["origin"], model["hash"], model["hash_modified"]) == (TINY, None, False)
    assert model["content_hash"] == f"sha256:{'a' * 64}"
    assert (
        "  Modified:      unknown: the hash is of another kind (mlx-knife's)"
        in site.mlxk("show", "peer").splitlines()
    )
    assert site.run("health", "peer", "--content").returncode == 0


def everything(directory: Path) -> object:
    stats = {
        path: (path.lstat().st_mtime_ns, path.lstat().st_ino) for path in [directory, *directory.rglob("*")]
    }
    return contents(directory), stats


def test_reading_commands_never_write(site: Site, home: Path, tmp_path: Path) -> None:
    site.write(f'[models.chat]\nrepo = "{TINY}"\n')
    site.mlxk("lock", "--no-capture")
    site.mlxk("sync")
    os.utime(home / "tiny" / "config.json")
    os.utime(site.models / "tiny" / "config.json")
    weights_of(make_snapshot(Path(site.env["HF_HUB_CACHE"]), "org/cached", "1" * 40, "main"))
    before = everything(tmp_path)
    for argv in (
        ["list", "--all"],
        ["show", "tiny", "--files"],
        ["show", "chat"],
        ["show", "org/cached"],
        ["health", "-v", "--content"],
    ):
        site.mlxk(*argv)
    assert everything(tmp_path) == before


BARE = """
import sys
for name in {blocked!r}:
    sys.modules[name] = None
from mlxlock.cli.main import run
sys.exit(run(sys.argv[1:]))
"""
MODELS = ["mlx", "mlx_lm", "mlx_vlm", "mlx_audio", "transformers", "torch", "numpy", "tokenizers"]


@pytest.mark.parametrize(
    ("argv", "blocked"),
    [
        (["clone", TINY], MODELS),
        (["list", "--json"], [*MODELS, "huggingface_hub", "urllib3", "subprocess", "mlxlock.spec.record"]),
        (["show", "tiny"], [*MODELS, "huggingface_hub", "urllib3"]),
        (["health", "-v", "--content"], [*MODELS, "huggingface_hub", "urllib3"]),
    ],
)
def test_a_bare_machine_is_enough(site: Site, home: Path, argv: list[str], blocked: list[str]) -> None:
    by_hand(home / "eye", config__json=b'{"model_type": "qwen2_vl", "vision_config": {"depth": 1}}')
    site.env["HOME"] = str(site.root / "nobody")
    for name in ("HF_HUB_CACHE", "VIRTUAL_ENV"):
        site.env.pop(name, None)
    site.env["HF_HOME"] = ""
    site.env["PATH"] = "/nonexistent"
    done = subprocess.run(
        [sys.executable, "-c", BARE.format(blocked=blocked), *argv],
        cwd=site.root,
        env=site.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (site.root / "nobody").exists()
