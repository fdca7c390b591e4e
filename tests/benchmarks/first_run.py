"""What sandbox and mirror add to a first run, beside the same program run plainly.

`python -m tests.benchmarks.first_run [--rounds 7] [--at-most 1.1]`: a tiny mlx-lm model is loaded by its repo
id from a Hub on loopback, with empty caches, and generates eight tokens: plainly, as a user's own program
would, and in each backend with nothing but the recording mirror, whose store is empty too. The ways take
turns. Prints the median and the fastest of each beside the plain ones (on a busy machine the fastest say
more); exits 1 when the ratio of the preferred backend's median is above `--at-most`.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from mlxlock.capture.backends import BACKENDS
from mlxlock.capture.choose import Choice, choose
from mlxlock.hub.client import HubSource
from mlxlock.hub.endpoint import Endpoint
from mlxlock.hub.server import RecordingMirror
from mlxlock.ports import Job, Sandbox, Service
from mlxlock.store import DirectoryStore
from mlxlock.workspace.environment import ChildEnvironment, strict

_ROOT: Final = Path(__file__).parents[2]
_TIMEOUT_S: Final = 300.0
_PROGRAM: Final = """
from mlx_lm import generate, load
model, tokenizer = load("mlx-community/Qwen2-tiny-4bit")
generate(model, tokenizer, prompt="Hello", max_tokens=8)
"""

Way = Callable[[Path], None]


def main() -> int:
    """Measure, print, and judge."""
    options = _parse()
    with tempfile.TemporaryDirectory(prefix="mlxlock-benchmark-") as name:
        tree = Path(name) / "tree"
        subprocess.run([sys.executable, "-m", "tests.tinymodels", str(tree), "text"], cwd=_ROOT, check=True)
        with _hub(tree) as endpoint:
            ways = dict(_ways(endpoint))
            seconds = _rounds(ways, Path(name), options.rounds)
    plain, preferred, *_ = (statistics.median(each) for each in seconds.values())
    fastest = min(seconds["plain"])
    _say(f"{'':18} median      ratio   fastest     ratio   slowest")
    for way, each in seconds.items():
        median = statistics.median(each)
        ratios = f"{median:6.2f} s   {median / plain:6.2f}   {min(each):6.2f} s   {min(each) / fastest:6.2f}"
        _say(f"{way:18} {ratios}   {max(each):6.2f} s")
    return 0 if preferred / plain <= options.at_most else 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.first_run")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--at-most", type=float, default=1.1, help="the ratio that is demanded")
    return parser.parse_args()


@contextmanager
def _hub(tree: Path) -> Iterator[str]:
    """A Hub in a process of its own, as it is in life."""
    command = [sys.executable, "-m", "tests.testhub", str(tree)]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as hub:
        assert hub.stdout is not None
        try:
            yield hub.stdout.readline().strip()
        finally:
            hub.terminate()


def _ways(endpoint: str) -> Iterator[tuple[str, Way]]:
    yield "plain", partial(_plain, endpoint)
    for backend in BACKENDS:
        if backend.platform == sys.platform:
            sandbox = choose("partial", project=None, choice=Choice(backends=(backend,)))
            yield backend.name, partial(_sandboxed, endpoint, sandbox)


def _rounds(ways: dict[str, Way], scratch: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds of each way, one after the other; the first round only warms up."""
    seconds = {name: list[float]() for name in ways}
    for _ in range(rounds + 1):
        for name, way in ways.items():
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                began = time.perf_counter()
                way(Path(folder))
                seconds[name].append(time.perf_counter() - began)
    return {name: each[1:] for name, each in seconds.items()}


def _plain(endpoint: str, folder: Path) -> None:
    setting = _setting(folder, endpoint)
    command = [sys.executable, "-c", _PROGRAM]
    env = dict(setting.variables)
    subprocess.run(
        command, env=env, cwd=folder / "models", check=True, capture_output=True, timeout=_TIMEOUT_S
    )


def _sandboxed(endpoint: str, sandbox: Sandbox, folder: Path) -> None:
    mirror = RecordingMirror(source=HubSource(Endpoint(url=endpoint)), store=DirectoryStore(folder / "store"))
    root, scratch = folder / "models", folder / "run"
    setting = _setting(folder, f"http://127.0.0.1:{{hub}}{mirror.prefix}")
    outcome = sandbox.run(
        Job(
            argv=(sys.executable, "-c", _PROGRAM),
            env=setting.variables,
            cwd=root,
            readable=(root,),
            writable=(scratch, root / ".hf_cache"),
            timeout_s=_TIMEOUT_S,
            services={"hub": Service(port=8001, serve=mirror.serve)},
        )
    )
    assert outcome.exit_code == 0, outcome.stderr
    assert [exchange for exchange in mirror.exchanges() if exchange.denied] == []


def _setting(folder: Path, endpoint: str) -> ChildEnvironment:
    """The same caches and scratch for each way: what MLX compiles into a fresh directory costs most."""
    setting = strict(folder / "models", folder / "run", os.environ, endpoint=endpoint)
    for directory in (folder / "models", folder / "run", *setting.directories):
        directory.mkdir(parents=True, exist_ok=True)
    return setting


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
