"""The witness notes what unmodified huggingface_hub, 1.33 and 2.x, was asked for and could not have."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.runners.driver import RUNNERS
from tests.testhub import LoopbackHub

ASK = """
import socket, sys
from huggingface_hub import HfApi, hf_hub_download, snapshot_download

def attempt(ask):
    try:
        return ask()
    except Exception as error:
        print(type(error).__name__)

def library():
    attempt(lambda: hf_hub_download("org/x", "a.json", subfolder="s"))

library()
attempt(lambda: hf_hub_download("org/x", "b.json", revision="v1", local_files_only=True))
attempt(lambda: snapshot_download("org/y", repo_type="dataset"))
attempt(lambda: HfApi().model_info("org/z"))
attempt(lambda: socket.create_connection(("example.invalid", 80), timeout=1))
attempt(lambda: socket.create_connection(("127.0.0.1", 9), timeout=1))
"""


class Watched:
    """A child with the witness on its path."""

    def __init__(self, root: Path, python: Path) -> None:
        self.root = root
        self.python = python
        (root / "witness").mkdir()
        shutil.copyfile(RUNNERS / "witness.py", root / "witness" / "sitecustomize.py")

    def run(self, program: str, *path: str, **env: str) -> str:
        done = subprocess.run(
            [self.python, "-c", program],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.root),
                "HF_HOME": str(self.root / "hf"),
                "MLXK_WITNESS": str(self.root / "asked"),
                "PYTHONPATH": os.pathsep.join([str(self.root / "witness"), *path]),
                **env,
            },
            capture_output=True,
            text=True,
            timeout=240,
            check=True,
        )
        return done.stdout

    def told(self, event: str) -> list[dict[str, Any]]:
        lines = (json.loads(line) for line in (self.root / "asked").read_text().splitlines())
        return [line for line in lines if line["event"] == event]


@pytest.fixture(params=["1.33", "2"])
def watched(request: pytest.FixtureRequest, tmp_path: Path, hub_pythons: dict[str, Path]) -> Watched:
    return Watched(tmp_path, hub_pythons[request.param])


def test_what_was_missed_is_told_with_repo_revision_path_and_asker(watched: Watched) -> None:
    said = watched.run(ASK, HF_HUB_OFFLINE="1").split()
    assert said[:4] == ["LocalEntryNotFoundError"] * 3 + ["OfflineModeIsEnabled"]
    final = [
        (told["repo"], told["type"], told["revision"], told["path"])
        for told in watched.told("missed")
        if told["kind"] == "LocalEntryNotFoundError"
    ]
    assert final == [
        ("org/x", "model", "main", "s/a.json"),
        ("org/x", "model", "v1", "b.json"),
        ("org/y", "dataset", "main", None),
    ]
    assert watched.told("missed")[0]["by"] == "__main__:library.<locals>.<lambda>"
    (api,) = [told for told in watched.told("missed") if "/api/models/org/z" in (told["url"] or "")]
    assert (api["kind"], api["repo"]) == ("OfflineModeIsEnabled", "org/z")


def test_only_addresses_beyond_loopback_are_told(watched: Watched) -> None:
    watched.run(ASK, HF_HUB_OFFLINE="1")
    assert {(told["host"], told["port"]) for told in watched.told("reached")} == {("example.invalid", "80")}


def test_a_file_of_the_cache_is_asked_for_and_not_missed(watched: Watched, loopback_hub: LoopbackHub) -> None:
    loopback_hub.repo("org/x").commit({"a.json": b"{}"})
    fetch = "from huggingface_hub import hf_hub_download; hf_hub_download('org/x', 'a.json')"
    watched.run(fetch, HF_ENDPOINT=loopback_hub.endpoint)
    (first,) = {request.headers.get("x-mlxk-asked-by") for request in loopback_hub.requests}
    assert first == "__main__:<module>"
    assert watched.told("missed") == []
    watched.run(fetch, HF_ENDPOINT=loopback_hub.endpoint, HF_HUB_OFFLINE="1")
    assert {told["kind"] for told in watched.told("missed")} == {"OfflineModeIsEnabled"}


def test_what_a_module_asks_for_while_it_is_imported_is_told_apart(
    watched: Watched, loopback_hub: LoopbackHub, tmp_path: Path
) -> None:
    loopback_hub.repo("org/x").commit({"a.json": b"{}", "b.json": b"{}"})
    (tmp_path / "library.py").write_text(
        "from huggingface_hub import hf_hub_download, snapshot_download\n"
        "snapshot_download('org/x', allow_patterns='a.json')\n"
        "def load(): hf_hub_download('org/x', 'b.json')\n"
    )
    watched.run("import library; library.load()", str(tmp_path), HF_ENDPOINT=loopback_hub.endpoint)
    importing = {
        Path(request.path).name: "x-mlxk-importing" in request.headers
        for request in loopback_hub.requests
        if "/resolve/" in request.path
    }
    assert importing == {"a.json": True, "b.json": False}


FETCHES = """
import http.client, subprocess, urllib.request
try:
    import httpx
except ImportError:
    import httpx2 as httpx

def attempt(ask):
    try:
        return ask()
    except Exception as error:
        print(type(error).__name__)

class Library:
    def plain(self):
        attempt(lambda: urllib.request.urlopen("http://files.example/plain?x=1"))
        attempt(lambda: urllib.request.urlopen("http://files.example/plain?x=1"))

    def secret(self):
        attempt(lambda: urllib.request.urlopen("https://secret.example/a"))

    def direct(self):
        connection = http.client.HTTPConnection("127.0.0.1", PORT)
        connection.request("GET", "/direct", headers={"Host": "files.example"})
        connection.getresponse()

    def modern(self):
        attempt(lambda: httpx.get("http://files.example/modern"))

    def told(self):
        subprocess.run(["true", "-o", "x", "http://files.example/told"], check=True)

    def here(self):
        connection = http.client.HTTPConnection("127.0.0.1", PORT)
        connection.request("GET", "/mine")
        connection.getresponse()

for ask in ("plain", "secret", "direct", "modern", "told", "here"):
    getattr(Library(), ask)()
"""


def test_who_asks_for_a_url_is_told_by_whatever_python_asks_with(
    watched: Watched, loopback_hub: LoopbackHub
) -> None:
    port = loopback_hub.endpoint.rpartition(":")[2]
    proxy = {"http_proxy": loopback_hub.endpoint, "https_proxy": loopback_hub.endpoint}
    watched.run(FETCHES.replace("PORT", port), **proxy)
    lines = [(told["url"], told["by"].removeprefix("__main__:Library.")) for told in watched.told("asked")]
    assert lines == [
        ("http://files.example/plain?x=1", "plain.<locals>.<lambda>"),
        ("https://secret.example/", "secret.<locals>.<lambda>"),
        ("http://files.example/direct", "direct"),
        ("http://files.example/modern", "modern.<locals>.<lambda>"),
        ("http://files.example/told", "told"),
    ]
    assert {told["importing"] for told in watched.told("asked")} == {False}


def test_what_a_program_asks_for_without_end_is_told_within_bounds(watched: Watched) -> None:
    many = "import os\nfor number in range(1500): os.system(f': http://files.example/{number}' + 'a' * 2000)"
    watched.run(many)
    told = watched.told("asked")
    assert len(told) == 1000
    assert {len(each["url"]) for each in told} == {1000}


SENDS = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    for send in (lambda to: sender.sendto(b"x", to), lambda to: sender.sendmsg([b"x"], [], 0, to)):
        for to in ("192.0.2.1", 53), ("127.0.0.1", 9):
            try:
                send(to)
            except OSError:
                pass
    sender.connect(("127.0.0.1", 9))
    sender.sendmsg([b"x"])
"""


def test_a_datagram_that_is_sent_and_forgotten_is_told(watched: Watched) -> None:
    watched.run(SENDS)
    assert [(told["host"], told["port"]) for told in watched.told("reached")] == [("192.0.2.1", "53")] * 2


def test_every_python_says_that_it_began_and_the_other_sitecustomize_runs(
    watched: Watched, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text("import builtins; builtins.other = 'ran'")
    again = "import subprocess, sys; print(other); subprocess.run([sys.executable, '-c', ''], check=True)"
    assert watched.run(again, str(other)) == "ran\n"
    assert len(watched.told("started")) == 2


def test_without_a_file_to_write_to_nothing_is_watched(watched: Watched) -> None:
    watched.run("import huggingface_hub", MLXK_WITNESS="")
    assert not (watched.root / "asked").exists()
