"""`mlxk sync` of files that are not the Hub's: from URLs, out of archives, as copies, or not at all."""

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from mlxlock.spec.digest import Blake3, Sha256
from mlxlock.spec.effects import Copy, Download, Effects, Member, Unpacked
from mlxlock.spec.lockfile_reader import parse_lockfile
from mlxlock.spec.lockfile_writer import format_lockfile
from mlxlock.spec.names import RepoPath
from mlxlock.spec.resolution import FileEntry
from mlxlock.spec.urls import Url
from mlxlock.store import DirectoryStore
from tests.commands.site import Site
from tests.standins import Page, StandIns
from tests.testhub import LoopbackHub, lfs

DATA, META, VOICE = b"words\n" * 1000, b'{"name": "en"}', b"a voice"
MADE = b"made by the program"


def packed(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return target.getvalue()


WHEEL = packed({"en/meta.json": META, "en/words": DATA, "en/unused": b"never kept"})
VOICES = packed({"a.json": VOICE})
BLOB_URL, WHEEL_URL = "https://blobs.example/words", "https://files.example/en.whl"
PAGES = {BLOB_URL: Page(body=DATA), WHEEL_URL: Page(body=WHEEL)}


def hashes(data: bytes) -> dict[str, Any]:
    return {
        "size_bytes": len(data),
        "sha256": Sha256(hashlib.sha256(data).hexdigest()),
        "blake3": Blake3(blake3(data).hexdigest()),
    }


def member(name: str, path: str, data: bytes) -> Member:
    return Member(name=name, path=RepoPath(path), **hashes(data))


PLACES = {
    "tiktoken/9b5a": DATA,
    "python/en/meta.json": META,
    "home/.cache/voices/a.json": VOICE,
    "home/.cache/3f9c": VOICES,
    "home/.cache/done": b"",
}
EFFECTS = Effects(
    downloads=(
        Download(url=Url(BLOB_URL), path=RepoPath("tiktoken/9b5a"), when="load", **hashes(DATA)),
        Download(
            url=Url(WHEEL_URL),
            members=(member("en/meta.json", "python/en/meta.json", META),),
            **hashes(WHEEL),
        ),
    ),
    unpacked=(
        Unpacked(
            archive=hashes(VOICES)["blake3"],
            member=member("a.json", "home/.cache/voices/a.json", VOICE),
        ),
    ),
    copies=(
        Copy(path=RepoPath("home/.cache/3f9c"), blake3=hashes(VOICES)["blake3"]),
        Copy(path=RepoPath("home/.cache/done"), blake3=hashes(b"")["blake3"]),
    ),
)


@pytest.fixture
def standins(tmp_path: Path) -> Iterator[StandIns]:
    (tmp_path / "standins").mkdir()
    with StandIns(tmp_path / "standins", PAGES) as standins:
        yield standins


@pytest.fixture
def site(loopback_hub: LoopbackHub, standins: StandIns, tmp_path: Path) -> Site:
    """A project whose lock names such files, on a machine that has nothing yet."""
    loopback_hub.repo("org/m").commit({"config.json": b"{}", "voices.zip": lfs(VOICES)})
    site = Site(tmp_path / "project", loopback_hub.endpoint)
    site.env.update(standins.environment)
    site.write('[models.m]\nrepo = "org/m"\n')
    site.mlxk("lock", "--no-capture")
    site.mlxk("sync")
    locked(site, EFFECTS)
    empty(site)
    return site


def locked(site: Site, effects: Effects) -> None:
    """Put what first runs would have left into the lock; its files are seen."""
    lock = parse_lockfile(site.lock_path.read_text())
    (model,) = lock.models
    store = DirectoryStore(site.store)
    files = []
    for file in model.files:
        blob = store.find(file)
        assert blob is not None
        files.append(file.with_seen(sha256=blob.sha256, blake3=blob.blake3))
    digest = blake3(b"".join(f"{file.blake3}  {file.path}\n".encode() for file in files)).hexdigest()
    snapshot = replace(model.snapshot, digest=f"blake3:{digest}")
    model = replace(model, files=tuple(files), effects=effects, snapshot=snapshot)
    site.lock_path.write_text(format_lockfile(replace(lock, models=(model,))))


def empty(site: Site, *, store: bool = True) -> None:
    shutil.rmtree(site.models, ignore_errors=True)
    if store:
        shutil.rmtree(site.store)


def placed(site: Site) -> dict[str, bytes]:
    cache = site.models / ".hf_cache"
    return {path: (cache / path).read_bytes() for path in PLACES if (cache / path).is_file()}


def test_an_empty_machine_gets_all_of_it_each_url_once(site: Site, standins: StandIns) -> None:
    site.mlxk("sync")
    assert placed(site) == PLACES
    assert sorted(standins.urls()) == [BLOB_URL, WHEEL_URL]
    assert not (site.models / ".hf_cache/python/en/unused").exists()
    assert "every byte is as locked" in site.mlxk("verify")
    assert "nothing to do" in site.mlxk("sync")
    assert len(standins.asked) == 2


def test_a_store_that_has_it_needs_nobody(site: Site, standins: StandIns) -> None:
    site.mlxk("sync")
    empty(site, store=False)
    DirectoryStore(site.store).register(site.lock_path)
    assert DirectoryStore(site.store).prune(grace_s=0).blobs == 0
    asked = len(standins.asked)
    site.env["HTTPS_PROXY"] = site.env["HF_ENDPOINT"] = "http://127.0.0.1:9"
    site.mlxk("sync")
    assert placed(site) == PLACES
    assert len(standins.asked) == asked


def test_an_archive_is_fetched_only_for_what_is_missing_of_it(site: Site, standins: StandIns) -> None:
    store = DirectoryStore(site.store)
    with store.intake() as intake:
        intake.write(META)
        intake.commit()
    site.mlxk("sync")
    assert placed(site) == PLACES
    assert standins.urls() == [BLOB_URL]


def test_offline_and_empty_says_what_is_missing_and_for_whom(site: Site, standins: StandIns) -> None:
    site.mlxk("sync")
    site.store.joinpath("blobs").rename(site.store / "was")
    kept = {hashes(data)["blake3"] for data in (b"{}", VOICES)}
    for blob in sorted((site.store / "was").rglob("*")):
        if blob.name in kept:
            target = site.store / "blobs" / blob.parent.name / blob.name
            target.parent.mkdir(parents=True, exist_ok=True)
            blob.rename(target)
    empty(site, store=False)
    asked = len(standins.asked)
    code, name, said = site.refusal("sync", "--offline")
    assert (code, name) == (2, "offline-missing")
    assert f"`{BLOB_URL}`, needed by the first run of `m`" in said
    assert f"`{WHEEL_URL}`, needed by the first run of `m`" in said
    assert len(standins.asked) == asked
    assert placed(site) == {}


@pytest.mark.parametrize("url", [BLOB_URL, WHEEL_URL])
def test_other_bytes_behind_a_url_stop_it(site: Site, standins: StandIns, url: str) -> None:
    standins.pages[url] = Page(body=standins.pages[url].body[:-1] + b"!")
    code, name, _ = site.refusal("sync")
    assert (code, name) == (1, "hash-mismatch")
    assert placed(site) == {}


def test_a_url_that_is_gone_is_told(site: Site, standins: StandIns) -> None:
    del standins.pages[BLOB_URL]
    code, name, said = site.refusal("sync")
    assert (code, name) == (2, "download-failed")
    assert f"`{BLOB_URL}` answers 404" in said
    assert "mlxk lock --upgrade" in said


def test_what_a_program_made_comes_from_the_store_or_not_at_all(
    loopback_hub: LoopbackHub, site: Site, standins: StandIns
) -> None:
    site.mlxk("sync")
    locked(site, replace(EFFECTS, writes=(FileEntry(path=RepoPath("home/made"), **hashes(MADE)),)))
    empty(site)
    asked = len(standins.asked), len(loopback_hub.requests)
    code, name, said = site.refusal("sync")
    assert (code, name) == (2, "write-missing")
    assert "`home/made` of `m`" in said
    assert (len(standins.asked), len(loopback_hub.requests)) == asked
    with DirectoryStore(site.store).intake() as intake:
        intake.write(MADE)
        intake.commit()
    site.mlxk("sync")
    assert (site.models / ".hf_cache/home/made").read_bytes() == MADE


def test_a_lock_without_captures_keeps_what_the_entry_can_still_bring(site: Site) -> None:
    site.write('[models.m]\nrepo = "org/m"\nexclude = ["voices.zip"]\n')
    site.mlxk("lock", "--no-capture")
    entry = site.locked["m"]
    assert [each["url"] for each in entry["download"]] == [BLOB_URL, WHEEL_URL]
    assert [each["path"] for each in entry["copies"]] == ["home/.cache/done"]
    assert "unpacked" not in entry
    site.mlxk("sync")
    assert placed(site).keys() == {"tiktoken/9b5a", "python/en/meta.json", "home/.cache/done"}


def test_tree_draws_what_came_from_urls(site: Site) -> None:
    assert site.mlxk("tree").splitlines()[1:] == [
        f"├── {BLOB_URL}  5.9 KiB, asked for at load",
        f"└── {WHEEL_URL}  6.2 KiB",
    ]
    assert site.mlxk("tree", "--files").splitlines()[-4:] == [
        f"├── {BLOB_URL}  5.9 KiB, asked for at load",
        "│     tiktoken/9b5a",
        f"└── {WHEEL_URL}  6.2 KiB",
        "      python/en/meta.json",
    ]
    (model,) = site.data("tree")["models"]
    assert [(each["url"], each["when"]) for each in model["downloads"]] == [
        (BLOB_URL, "load"),
        (WHEEL_URL, None),
    ]


def test_a_dry_run_counts_what_would_be_fetched(site: Site, standins: StandIns) -> None:
    data = site.data("sync", "--dry-run")
    assert data["fetch_bytes"] == len(b"{}") + len(VOICES) + len(DATA) + len(WHEEL)
    assert ".hf_cache/python/en/meta.json" in data["put"]
    assert standins.asked == []


def test_each_file_is_looked_after_by_itself(site: Site) -> None:
    site.mlxk("sync")
    changed = site.models / ".hf_cache/python/en/meta.json"
    changed.chmod(0o644)
    changed.write_bytes(META.upper())
    (site.models / ".hf_cache/tiktoken/9b5a").unlink()
    assert site.refusal("status")[:2] == (1, "workspace-changed")
    done = site.run("verify", "--json")
    findings = json.loads(done.stdout)["data"]["findings"]
    assert [(each["path"], each["problem"], each["source"]) for each in findings] == [
        (".hf_cache/python/en/meta.json", "changed", "m: en/meta.json"),
        (".hf_cache/tiktoken/9b5a", "missing", f"m: {BLOB_URL}"),
    ]
    assert site.refusal("sync")[:2] == (1, "workspace-changed")
    site.mlxk("sync", "--repair")
    assert placed(site) == PLACES
