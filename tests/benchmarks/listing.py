"""`list` over many workspaces, beside mlx-knife's.

`python -m tests.benchmarks.listing [--models N] [--peer MLXK]` builds workspaces that both tools take for
whole models, a sentinel of ours in one half and one of mlx-knife's in the other, and lists them with both, in
turns. Prints the medians of each, in seconds of the processor and of the clock, and their ratio, and checks
that neither stumbles over the other's sentinels or rewrites ours. Without `--peer` mlx-knife is installed
from the package index into a virtual environment that is thrown away.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from mlxlock.spec.names import CommitHash, RepoId
from mlxlock.spec.sentinel import SENTINEL_NAME, Sentinel

ROUNDS: Final = 7
PEER: Final = "mlx-knife==2.0.8"
COMMIT: Final = CommitHash("1" * 40)
CONFIG: Final = (
    b'{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "max_position_embeddings": 128}'
)


def weights(tensors: int = 200) -> bytes:
    """A safetensors file of one byte a tensor: as many as a model of a few billion parameters has."""
    told = {
        f"model.layers.{n}.weight": {"dtype": "U8", "shape": [1], "data_offsets": [n, n + 1]}
        for n in range(tensors)
    }
    header = json.dumps({**told, "__metadata__": {"format": "mlx"}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(tensors)


def ours() -> str:
    """A sentinel as `mlxk clone` writes it."""
    sentinel = Sentinel(
        source_repo=RepoId("org/model"),
        source_revision=COMMIT,
        operation="clone",
        content_hash=f"sha256:{'0' * 64}",
    )
    return json.dumps(sentinel.written(version="0", now="2026-01-01T00:00:00Z"), indent=2)


def theirs(directory: Path) -> str:
    """A sentinel as mlx-knife 2.0.8 writes it, its index true."""
    index = [
        {
            "path": path.name,
            "size": path.stat().st_size,
            "mtime_ns": path.stat().st_mtime_ns,
            "sha": "sha256:0",
        }
        for path in sorted(directory.iterdir())
    ]
    document = {
        "mlxk_version": "2.0.8",
        "created_at": "2026-11-23T08:09:01.494689Z",
        "source_repo": "org/model",
        "source_revision": None,
        "managed": True,
        "operation": "clone",
        "hash_modified": "2026-11-23T08:09:01.494669Z",
        "hash_algorithm": "v2",
        "content_hash": f"sha256:{'0' * 64}",
        "exclude_patterns": [".hf_cache/", SENTINEL_NAME],
        "file_index": index,
    }
    return json.dumps(document, indent=2)


def build(home: Path, models: int) -> None:
    """Make the workspaces."""
    data = weights()
    for number in range(models):
        directory = home / f"model-{number:03}"
        directory.mkdir(parents=True)
        (directory / "config.json").write_bytes(CONFIG)
        (directory / "model.safetensors").write_bytes(data)
        (directory / "tokenizer.json").write_text("{}")
        (directory / "tokenizer_config.json").write_text("{}")
        text = theirs(directory) if number % 2 else ours()
        (directory / SENTINEL_NAME).write_text(text)


def timed(command: Sequence[str], environment: Mapping[str, str], models: int) -> tuple[float, float]:
    """Seconds of one call, which must list every model: of the processor, and of the clock."""
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=True)
    clock, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    listed = len(json.loads(done.stdout)["data"]["models"])
    if listed != models:
        raise SystemExit(f"{command[0]} lists {listed} of {models} models")
    return processor, clock


def peer_in(scratch: Path) -> str:
    """Install mlx-knife, and return its command."""
    python = scratch / "peer" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(scratch / "peer")], check=True)
    subprocess.run(
        [str(python), "-m", "pip", "install", "-q", PEER, "mlx[cpu]"], check=True, stdout=sys.stderr
    )
    return str(python.with_name("mlxk"))


def main() -> None:
    """Build, list in turns, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.listing")
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--peer", help="an installed mlx-knife's `mlxk`")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        build(scratch / "home", options.models)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(scratch),
            "HF_HOME": str(scratch / "hf"),
            "MLXK_WORKSPACE_HOME": str(scratch / "home"),
        }
        before = {path: path.read_bytes() for path in (scratch / "home").glob(f"*/{SENTINEL_NAME}")}
        commands = {
            "mlxlock": [sys.executable, "-m", "mlxlock", "list", "--json"],
            "mlx-knife": [options.peer or peer_in(scratch), "list", "--json"],
        }
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for each, command in commands.items():
                seconds[each].append(timed(command, environment, options.models))
        changed = [path for path, data in before.items() if path.read_bytes() != data]
        report(seconds, options.models, len(changed))
        shutil.rmtree(scratch / "home")


def report(seconds: Mapping[str, Sequence[tuple[float, float]]], models: int, changed: int) -> None:
    """Print medians and their ratio."""
    sys.stdout.write(f"{models} workspaces, {ROUNDS} rounds\n")
    for number, kind in enumerate(("processor", "clock")):
        medians = {name: statistics.median(each[number] for each in told) for name, told in seconds.items()}
        shown = ", ".join(f"{name} {median:.3f} s" for name, median in medians.items())
        ratio = medians["mlx-knife"] / medians["mlxlock"]
        sys.stdout.write(f"{kind}: {shown}: mlx-knife takes {ratio:.2f} times as long\n")
    sys.stdout.write(f"{changed} sentinels were rewritten by listing\n")


if __name__ == "__main__":
    main()
