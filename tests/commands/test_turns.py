"""Commands that change one project at the same time: nobody's change is lost."""

import subprocess
import tomllib
from pathlib import Path

from tests.commands.site import TIMEOUT_S, Site
from tests.testhub import LoopbackHub

NAMES = tuple(f"m{number}" for number in range(5))


def test_models_added_at_once_are_all_there(loopback_hub: LoopbackHub, tmp_path: Path) -> None:
    site = Site(tmp_path / "project", loopback_hub.endpoint)
    site.write("")
    for name in NAMES:
        loopback_hub.repo(f"org/{name}").commit({"config.json": b"{}"})
    running = [
        subprocess.Popen(
            site.command("add", "--no-capture", "--no-sync", f"org/{name}"),
            cwd=site.root,
            env=site.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in NAMES
    ]
    told = [each.communicate(timeout=TIMEOUT_S)[1] for each in running]
    assert [each.returncode for each in running] == [0] * len(NAMES), told
    assert any(f"another mlxk changes `{site.root}`: waiting for it to end" in text for text in told)
    declared = tomllib.loads((site.root / "models.toml").read_text())["models"]
    assert sorted(declared) == sorted(site.locked) == sorted(NAMES)
