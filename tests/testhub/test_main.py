"""`python -m tests.testhub` serves a directory until it is told to stop."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.testhub.wire import ask

_ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_directory_is_served_until_a_signal(tmp_path: Path, end: signal.Signals) -> None:
    folder, port_file = tmp_path / "org" / "name", tmp_path / "port"
    folder.mkdir(parents=True)
    (folder / "config.json").write_bytes(b"{}")
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "tests.testhub",
        str(tmp_path),
        "--port-file",
        str(port_file),
    ]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, encoding="utf-8") as server:
        assert server.stdout is not None
        endpoint = server.stdout.readline().strip()
        assert endpoint == f"http://localhost:{port_file.read_text(encoding='ascii').strip()}"
        info = json.loads(ask(f"{endpoint}/api/models/org/name").body)
        server.send_signal(end)
        assert server.wait(timeout=60) == 0
    assert [sibling["rfilename"] for sibling in info["siblings"]] == ["config.json"]
