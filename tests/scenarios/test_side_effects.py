"""What a program brings from outside the Hub's cache: recorded, proven, rebuilt with the network gone.

Real pip, NLTK, tiktoken and curl, the real sandbox, real TLS; the hosts are stand-ins behind a proxy.
"""

import base64
import hashlib
import io
import json
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.commands.site import Site, contents
from tests.scenarios import app_with_effects as app
from tests.standins import Page, StandIns
from tests.test_sandboxed_capture import _without_bubblewrap, _without_namespaces
from tests.testhub import LoopbackHub, lfs

pytestmark = pytest.mark.sandbox

HEAD = f'[sandbox]\nrequire = "full"\npython = "{sys.executable}"\n'
MODEL = '[models.m]\nrepo = "org/m"\nfirst-run = [{ name = "app", command = ["python", "app.py"] }]\n'
SECOND = (
    '[models.n]\nrepo = "org/n"\nfirst-run = [{ name = "app", command = ["python", "app.py", "table"] }]\n'
)
NLTK = "https://raw.githubusercontent.com/nltk/nltk_data/gh-pages"
CDN = "https://cdn.example/blob?X-Amz-Signature=sEcReT"
HOSTS = ("cdn.example", "files.example", "git.example", "ranks.example", "raw.githubusercontent.com")
TABLE = bytes(range(256)) * 500
RANKS = b"\n".join(base64.b64encode(bytes([n])) + b" %d" % n for n in range(256))
VOICE, MORE = b'{"voice": "a"}', b'{"voice": "b"}'


def packed(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return target.getvalue()


def wheel() -> bytes:
    """A package with code and data, as pip wants it."""
    info = "tiny_voice-1.0.dist-info"
    files = {
        "tiny_voice/__init__.py": b"from pathlib import Path\n\n"
        b"def word():\n    return (Path(__file__).parent / 'word.txt').read_text()\n",
        "tiny_voice/word.txt": b"hello",
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tiny-voice\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": b"[console_scripts]\ntiny-voice = tiny_voice:word\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"]).encode()
    return packed({**files, f"{info}/RECORD": record})


def corpus() -> tuple[bytes, bytes]:
    """A corpus and the index that NLTK reads first."""
    data = packed({"toywords/en": b"one two three"})
    index = (
        '<?xml version="1.0"?><nltk_data><packages><package id="toywords" name="toy" subdir="corpora" '
        f'size="{len(data)}" unzipped_size="13" checksum="{hashlib.md5(data).hexdigest()}" '
        f'unzip="1" url="{NLTK}/toywords.zip"/></packages><collections/></nltk_data>'
    )
    return data, index.encode()


CORPUS, INDEX = corpus()
PAGES = {
    app.WHEEL: Page(status=302, headers={"Location": CDN}),
    CDN: Page(body=wheel()),
    app.RANKS: Page(body=RANKS),
    app.TABLE: Page(body=TABLE),
    f"{NLTK}/index.xml": Page(body=INDEX, headers={"Content-Type": "text/xml"}),
    f"{NLTK}/toywords.zip": Page(body=CORPUS),
}


def project(root: Path, endpoint: str, standins: StandIns, program: str | None = None) -> Site:
    site = Site(root, endpoint)
    site.env.update(standins.environment)
    source = Path(app.__file__).read_text() if program is None else program
    (site.root / "app.py").write_text(source)
    return site


@pytest.fixture(scope="module")
def standins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIns]:
    with StandIns(tmp_path_factory.mktemp("standins"), PAGES) as standins:
        yield standins


@pytest.fixture(scope="module")
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as hub:
        for name in ("org/m", "org/n"):
            hub.repo(name).commit({"config.json": b"{}"})
        hub.repo("org/voices").commit({"a.json": VOICE, "more.zip": lfs(packed({"b.json": MORE}))})
        yield hub


@pytest.fixture(scope="module")
def made(
    hub: LoopbackHub, standins: StandIns, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Site, list[str]]:
    """A project whose program brought everything once, locked and proven; and all that was asked for that."""
    site = project(tmp_path_factory.mktemp("project") / "here", hub.endpoint, standins)
    hosts = ", ".join(f'"{host}"' for host in HOSTS)
    site.write(f"{HEAD}allow-hosts = [{hosts}]\n{MODEL}{SECOND}")
    before = len(standins.urls())
    site.mlxk("lock")
    return site, standins.urls()[before:]


@pytest.fixture
def site(made: tuple[Site, list[str]]) -> Site:
    """The project."""
    return made[0]


def elsewhere(site: Site, root: Path, *, store: Path | None = None) -> Site:
    """The same project, checked out by somebody else."""
    made = Site(root, site.env["HF_ENDPOINT"], store=store)
    made.env.update({name: site.env[name] for name in ("HTTPS_PROXY", "SSL_CERT_FILE")})
    for name in ("models.toml", "models.lock", "app.py"):
        shutil.copyfile(site.root / name, made.root / name)
    return made


def gone(site: Site) -> Site:
    """Nobody answers any more: no Hub, no proxy."""
    site.env["HTTPS_PROXY"] = site.env["HF_ENDPOINT"] = "http://127.0.0.1:9"
    return site


def cache_of(site: Site) -> dict[str, bytes | str]:
    """What is below `.hf_cache`, outside of the Hub's own cache."""
    found = contents(site.models / ".hf_cache")
    return {
        path: content
        for path, content in found.items()
        if not path.startswith(("hub/", ".mlxk")) and content != "empty"
    }


def test_it_is_proven_offline(site: Site) -> None:
    for entry in site.locked.values():
        (proof,) = entry["proofs"]
        assert (proof["offline"], proof["sandbox"]) == ("proven", "full")
        assert "denied" not in entry


def test_two_models_that_ask_for_one_url_get_one_file_that_is_fetched_once(
    made: tuple[Site, list[str]],
) -> None:
    site, asked = made
    (table,) = site.locked["n"]["download"]
    assert table in site.locked["m"]["download"]
    assert asked.count(app.TABLE) == 1


def test_the_lock_says_where_each_file_came_from(site: Site) -> None:
    entry = site.locked["m"]
    downloads = {each["url"]: each for each in entry["download"]}
    assert downloads.keys() == {app.WHEEL, app.RANKS, app.TABLE, f"{NLTK}/toywords.zip"}
    assert "path" not in downloads[app.WHEEL]
    info = "python/tiny_voice-1.0.dist-info"
    assert [member["path"] for member in downloads[app.WHEEL]["members"]] == [
        f"{info}/METADATA",
        f"{info}/WHEEL",
        f"{info}/entry_points.txt",
        "python/tiny_voice/__init__.py",
        "python/tiny_voice/word.txt",
    ]
    sha1 = hashlib.sha1(app.RANKS.encode()).hexdigest()
    assert downloads[app.RANKS]["path"] == f"tiktoken/{sha1}"
    assert downloads[app.RANKS]["sha256"] == hashlib.sha256(RANKS).hexdigest()
    assert downloads[app.TABLE]["path"] == "home/.cache/voices/table.bin"
    corpus = downloads[f"{NLTK}/toywords.zip"]
    assert corpus["path"] == "nltk_data/corpora/toywords.zip"
    assert [member["path"] for member in corpus["members"]] == ["nltk_data/corpora/toywords/en"]
    (unpacked,) = entry["unpacked"]
    assert unpacked["path"] == "home/.cache/voices/unpacked/b.json"
    copies = [copy["path"] for copy in entry["copies"]]
    assert len(copies) == 2
    assert all(path.startswith("home/.cache/voices/") for path in copies)
    assert "writes" not in entry
    assert "sEcReT" not in site.lock_path.read_text()


def test_the_lock_says_which_code_asked_for_each_url(site: Site) -> None:
    asked = {each["url"]: each.get("asked-by") for each in site.locked["m"]["download"]}
    assert asked == {
        app.WHEEL: "__main__:package",
        app.RANKS: "tiktoken.load:read_file",
        app.TABLE: "__main__:table",
        f"{NLTK}/toywords.zip": "nltk.pathsec:urlopen",
    }
    path = "models/.hf_cache/python/tiny_voice/word.txt"
    assert site.mlxk("why", path).splitlines()[2] == "  by __main__:package"
    assert site.data("why", app.RANKS)["left_by"][0]["asked_by"] == "tiktoken.load:read_file"


def test_another_machine_that_locks_anew_writes_the_same_bytes_askers_included(
    hub: LoopbackHub, standins: StandIns, tmp_path: Path
) -> None:
    locks = []
    for name in ("here", "there"):
        site = project(tmp_path / name / "p", hub.endpoint, standins)
        hosts = '["cdn.example", "files.example", "git.example", "ranks.example"]'
        model = MODEL.replace('"app.py"', '"app.py", "package", "ranks", "table"')
        site.write(f"{HEAD}allow-hosts = {hosts}\n{model}")
        site.mlxk("lock")
        locks.append(site.lock_path.read_bytes())
    assert locks[0] == locks[1]
    assert locks[0].count(b"asked-by") == 3


def test_with_the_network_gone_the_store_rebuilds_it_and_the_program_runs(site: Site, tmp_path: Path) -> None:
    there = gone(elsewhere(site, tmp_path / "there", store=site.store))
    there.mlxk("sync")
    assert "every byte is as locked" in there.mlxk("verify")
    told = there.mlxk("exec", "--", sys.executable, "app.py", "package", "corpus", "ranks")
    assert told.splitlines() == ["package hello", "corpus one two three", "ranks 256"]


def test_an_empty_machine_rebuilds_it_from_the_hosts_alone(
    site: Site, standins: StandIns, tmp_path: Path
) -> None:
    kept = elsewhere(site, tmp_path / "kept", store=site.store)
    kept.mlxk("sync")
    asked = len(standins.asked)
    there = elsewhere(site, tmp_path / "there")
    there.mlxk("sync")
    assert cache_of(there) == cache_of(kept)
    assert len(cache_of(there)) == 12
    assert sorted(each.url for each in standins.asked[asked:]) == sorted(
        [app.WHEEL, CDN, app.RANKS, app.TABLE, f"{NLTK}/toywords.zip"]
    )
    gone(there)
    shutil.rmtree(there.models)
    there.mlxk("sync")
    assert cache_of(there) == cache_of(kept)


def test_an_empty_machine_without_a_network_says_what_is_missing(site: Site, tmp_path: Path) -> None:
    there = gone(elsewhere(site, tmp_path / "there"))
    code, name, said = there.refusal("sync", "--offline")
    assert (code, name) == (2, "offline-missing")
    assert "org/m" in said
    assert not there.models.exists() or cache_of(there) == {}


@pytest.mark.parametrize(
    ("around", "level"),
    [(_without_bubblewrap, "full"), (_without_namespaces, "partial")],
    ids=["linux-namespaces", "linux-landlock"],
)
def test_the_way_out_is_there_without_bubblewrap(
    around: Callable[[list[str]], list[str]],
    level: str,
    hub: LoopbackHub,
    standins: StandIns,
    tmp_path: Path,
) -> None:
    site = project(tmp_path / "here", hub.endpoint, standins)
    model = MODEL.replace('"app.py"', '"app.py", "package", "table", "voices"')
    hosts = '["cdn.example", "files.example", "git.example"]'
    site.write(f"{HEAD.replace('full', 'partial')}allow-hosts = {hosts}\n{model}")
    site.mlxk("lock", before=tuple(around([])))
    (proof,) = site.locked["m"]["proofs"]
    assert (proof["offline"], proof["sandbox"]) == ("proven", level)
    assert [each["url"] for each in site.locked["m"]["download"]] == [app.TABLE, app.WHEEL]


def test_what_is_refused_is_named_with_the_line_that_allows_it(
    hub: LoopbackHub, standins: StandIns, tmp_path: Path
) -> None:
    site = project(tmp_path / "here", hub.endpoint, standins)
    site.write(f'{HEAD}allow-hosts = ["ranks.example"]\n{MODEL}')
    code, name, said = site.refusal("lock")
    assert (code, name) == (2, "first-run-failed")
    assert f"it was refused `{app.WHEEL}`: `git.example` is not in `allow-hosts`" in said
    assert r"allow-hosts = [\"git.example\", \"ranks.example\"]" in said
    assert not site.lock_path.exists()


SWALLOWS = f"""
import urllib.request
try:
    urllib.request.urlopen("{app.TABLE}")
except OSError:
    print("never mind")
"""


def test_a_refusal_that_a_program_swallows_stands_in_the_lock_and_blocks_the_proof(
    hub: LoopbackHub, standins: StandIns, tmp_path: Path
) -> None:
    site = project(tmp_path / "here", hub.endpoint, standins, SWALLOWS)
    site.write(HEAD + MODEL)
    code, name, said = site.refusal("lock")
    assert (code, name) == (1, "proof-failed")
    assert r"allow-hosts = [\"files.example\"]" in said
    assert site.locked["m"]["denied"] == [{"url": app.TABLE, "asked-by": "__main__:<module>"}]
    assert site.locked["m"]["proofs"][0]["offline"] == "unproven"


TWICE = f"""
import urllib.request
for url in ("{app.WHEEL}", "{app.TABLE}"):
    try:
        urllib.request.urlopen(url)
    except OSError:
        pass
"""


@pytest.mark.parametrize("ending", ["", "raise SystemExit(1)"])
def test_one_line_allows_all_hosts_that_were_refused_also_where_a_redirect_led(
    hub: LoopbackHub, standins: StandIns, tmp_path: Path, ending: str
) -> None:
    site = project(tmp_path / "here", hub.endpoint, standins, TWICE + ending)
    site.write(f'{HEAD}allow-hosts = ["git.example"]\n{MODEL}')
    code, name, said = site.refusal("lock")
    assert (code, name) == ((2, "first-run-failed") if ending else (1, "proof-failed"))
    assert r"allow-hosts = [\"cdn.example\", \"files.example\", \"git.example\"]" in said


@pytest.mark.parametrize("status", [401, 403])
def test_so_does_the_refusal_of_a_host_that_may_be_asked(
    hub: LoopbackHub, tmp_path: Path, status: int
) -> None:
    with StandIns(tmp_path, {app.TABLE: Page(status=status)}) as closed:
        site = project(tmp_path / "here", hub.endpoint, closed, SWALLOWS)
        site.write(f'{HEAD}allow-hosts = ["files.example"]\n{MODEL}')
        told = site.run("lock")
        assert told.returncode == 1
        assert f"asked for `{app.TABLE}` and did not get it: `files.example` answers {status}" in told.stderr
        assert f'`accept-denied = ["{app.TABLE}"]` in `[models.m]`' in told.stderr
        assert site.locked["m"]["denied"] == [{"url": app.TABLE, "asked-by": "__main__:<module>"}]
        assert site.locked["m"]["proofs"][0]["offline"] == "unproven"


def test_what_a_host_says_is_not_there_is_still_missed_offline(hub: LoopbackHub, tmp_path: Path) -> None:
    with StandIns(tmp_path, {app.TABLE: Page(status=404)}) as empty:
        site = project(tmp_path / "here", hub.endpoint, empty, SWALLOWS)
        site.write(f'{HEAD}allow-hosts = ["files.example"]\n{MODEL}')
        told = site.run("lock")
        assert told.returncode == 1
        assert "not proven offline: it asked for `files.example:" in told.stderr
        assert "denied" not in site.locked["m"]
        assert site.locked["m"]["proofs"][0]["offline"] == "unproven"


LOSES = f"""
import os, subprocess
subprocess.run(["curl", "-sfL", "-o", os.environ["TMPDIR"] + "/table", "{app.TABLE}"])
"""


def test_what_only_a_foreign_program_asked_for_and_nobody_kept_is_told(
    hub: LoopbackHub, standins: StandIns, tmp_path: Path
) -> None:
    site = project(tmp_path / "here", hub.endpoint, standins, LOSES)
    site.write(f'{HEAD}allow-hosts = ["files.example"]\n{MODEL}')
    told = site.run("lock")
    assert told.returncode == 0
    assert f"and nothing was compared: `{app.TABLE}`" in told.stderr


def test_a_url_that_gives_other_bytes_is_refused_until_the_lock_is_upgraded(
    hub: LoopbackHub, tmp_path: Path
) -> None:
    with StandIns(tmp_path, {app.TABLE: Page(body=TABLE)}) as moving:
        site = project(tmp_path / "here", hub.endpoint, moving)
        manifest = f'{HEAD}allow-hosts = ["files.example"]\n{SECOND}'
        site.write(manifest)
        site.mlxk("lock")
        before = site.lock_path.read_bytes()
        other = TABLE[::-1]
        moving.pages[app.TABLE] = Page(body=other)
        shutil.rmtree(site.store)
        site.write(manifest.replace('name = "app"', 'name = "app", timeout-s = 500'))
        for argv in (["lock", "--frozen-artifacts"], ["lock"]):
            code, name, said = site.refusal(*argv)
            assert (code, name) == (1, "hash-mismatch"), said
            for told in (app.TABLE, *(hashlib.sha256(data).hexdigest() for data in (TABLE, other))):
                assert told in said
            assert "`mlxk lock --upgrade`" in said
            assert site.lock_path.read_bytes() == before
        site.write(manifest)
        assert site.refusal("capture")[:2] == (1, "hash-mismatch")
        site.mlxk("lock", "--upgrade-model", "n")
        (download,) = site.locked["n"]["download"]
        assert download["sha256"] == hashlib.sha256(other).hexdigest()


def test_weights_of_a_url_are_held_to_the_policy(
    hub: LoopbackHub, standins: StandIns, tmp_path: Path
) -> None:
    site = project(tmp_path / "here", hub.endpoint, standins)
    manifest = f'{HEAD}allow-hosts = ["files.example"]\n{SECOND}'
    site.write(f'{manifest}[policy]\nformats = ["safetensors"]\n')
    code, name, said = site.refusal("lock")
    assert (code, name) == (1, "policy")
    assert f"`{app.TABLE}` (of a first run of `n`) has `pickle` weights" in said
    assert not site.lock_path.exists()
    site.write(manifest)
    site.mlxk("lock")
    site.mlxk("sync")
    site.write(f'{manifest}[policy]\nformats = ["safetensors"]\n')
    for verb in ("verify", "lock"):
        assert site.refusal(verb)[:2] == (1, "policy")
    model = SECOND.replace('"table"', '"voices"')
    site.write(f'{HEAD}{model}[policy]\nformats = ["safetensors"]\n')
    site.mlxk("lock")
    assert "download" not in site.locked["n"]


MAKES = """
import pathlib, time
place = pathlib.Path.home() / ".config" / "made.json"
if not place.exists():
    place.parent.mkdir()
    place.write_text(str(time.time_ns()))
print(place.read_text())
"""


def test_what_a_program_made_itself_stops_the_lock_until_a_person_adopts_it(
    hub: LoopbackHub, standins: StandIns, tmp_path: Path
) -> None:
    site = project(tmp_path / "here", hub.endpoint, standins, MAKES)
    site.write(HEAD + MODEL)
    code, name, said = site.refusal("lock")
    assert (code, name) == (2, "unattributed")
    assert "`home/.config/made.json`" in said
    assert "--adopt-writes" in said
    assert not site.lock_path.exists()
    site.mlxk("lock", "--adopt-writes")
    (write,) = site.locked["m"]["writes"]
    assert write["path"] == "home/.config/made.json"
    assert site.locked["m"]["proofs"][0]["offline"] == "proven"
    gone(site).mlxk("sync")
    made = (site.models / ".hf_cache/home/.config/made.json").read_bytes()
    assert hashlib.sha256(made).hexdigest() == write["sha256"]
    assert json.loads(site.mlxk("lock", "--json"))["data"]["changed"] is False


HUGE = """
import os, pathlib
place = pathlib.Path.home() / ".cache" / "huge"
place.parent.mkdir(exist_ok=True)
place.write_bytes(b"")
os.truncate(place, 1 << 40)
"""


def test_a_file_of_a_size_that_nobody_knows_is_told_without_reading_it(
    hub: LoopbackHub, standins: StandIns, tmp_path: Path
) -> None:
    site = project(tmp_path / "here", hub.endpoint, standins, HUGE)
    site.write(HEAD + MODEL)
    code, name, said = site.refusal("lock")
    assert (code, name) == (2, "unattributed")
    assert "`home/.cache/huge`" in said


def test_what_only_another_machine_has_can_be_made_anew_by_the_command_that_the_error_names(
    hub: LoopbackHub, standins: StandIns, tmp_path: Path
) -> None:
    site = project(tmp_path / "here", hub.endpoint, standins, MAKES)
    site.write(HEAD + MODEL)
    site.mlxk("lock", "--adopt-writes")
    there = elsewhere(site, tmp_path / "there")
    code, name, said = there.refusal("sync")
    assert (code, name) == (2, "write-missing")
    assert "`mlxk lock --upgrade-model m --adopt-writes`" in said
    there.mlxk("lock", "--upgrade-model", "m", "--adopt-writes")
    assert there.locked["m"]["writes"] != site.locked["m"]["writes"]
    there.mlxk("sync")


SPOILS = """
import os, sys
from huggingface_hub import hf_hub_download

path = os.path.realpath(hf_hub_download("org/voices", "w.safetensors"))
before = os.stat(path)
try:
    os.chmod(path, 0o644)
    with open(path, "r+b") as file:
        file.write(b"X")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
except OSError:
    pass
"""


def test_a_first_run_cannot_reach_the_store_through_what_was_laid_out_for_it(
    loopback_hub: LoopbackHub, standins: StandIns, tmp_path: Path
) -> None:
    weights = b"w" * 100_000
    loopback_hub.repo("org/m").commit({"config.json": b"{}"})
    loopback_hub.repo("org/voices").commit({"w.safetensors": lfs(weights)})
    site = project(tmp_path / "here", loopback_hub.endpoint, standins, SPOILS)
    site.write(HEAD + MODEL)
    site.mlxk("lock")
    site.mlxk("capture", "m")
    (file,) = site.locked["m"]["artifact"][0]["files"]
    blob = site.store / "blobs" / file["blake3"][:2] / file["blake3"]
    assert blob.read_bytes() == weights
