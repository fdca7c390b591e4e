"""Commands that change one project at the same time: nobody's change is lost."""

import subprocess
import threading
import time
import tomllib
from pathlib import Path

from tests.commands.site import TIMEOUT_S, Site
from tests.testhub import Held, LoopbackHub

NAMES = tuple(f"m{number}" for number in range(5))


def adding(site: Site, name: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        site.command("add", "--no-capture", "--no-sync", f"org/{name}"),
        cwd=site.root,
        env=site.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_models_added_at_once_are_all_there(loopback_hub: LoopbackHub, tmp_path: Path) -> None:
    site = Site(tmp_path / "project", loopback_hub.endpoint)
    site.write("")
    for name in NAMES:
        loopback_hub.repo(f"org/{name}").commit({"config.json": b"{}"})
    go = threading.Event()
    loopback_hub.fault(NAMES[0], Held(at=0, until=go))  # its turn is not over before the others have come
    running = [adding(site, NAMES[0])]
    while not loopback_hub.requests:
        assert running[0].poll() is None
        time.sleep(0.02)
    running += [adding(site, name) for name in NAMES[1:]]
    waiting = f"another mlxk changes `{site.root}`: waiting for it to end"
    for each in running[1:]:
        assert each.stderr is not None
        assert waiting in each.stderr.readline()
    go.set()
    told = [each.communicate(timeout=TIMEOUT_S)[1] for each in running]
    assert [each.returncode for each in running] == [0] * len(NAMES), told
    declared = tomllib.loads((site.root / "models.toml").read_text())["models"]
    assert sorted(declared) == sorted(site.locked) == sorted(NAMES)
