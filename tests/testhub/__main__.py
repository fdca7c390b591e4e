"""Serve a directory of repos: `python -m tests.testhub ROOT [--port N] [--port-file FILE]`.

Prints the endpoint, then serves until it is interrupted or terminated.
"""

import argparse
import signal
import sys
from pathlib import Path

from tests.testhub.hub import LoopbackHub


def main() -> None:
    """Serve until a signal comes."""
    options = _parse()
    signals = {signal.SIGINT, signal.SIGTERM}
    # Blocked before the first thread starts, so that all of them leave the signals to sigwait.
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    with LoopbackHub(port=options.port) as hub:
        hub.load_tree(options.root)
        _announce(hub.endpoint, options.port_file)
        signal.sigwait(signals)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.testhub", description="Serve repos on loopback.")
    parser.add_argument(
        "root", type=Path, metavar="ROOT", help="holds <org>/<name>/ and datasets/<org>/<name>/"
    )
    parser.add_argument("--port", type=int, default=0, help="0 lets the kernel choose")
    parser.add_argument("--port-file", type=Path, help="where to write the endpoint's port")
    return parser.parse_args()


def _announce(endpoint: str, port_file: Path | None) -> None:
    if port_file is not None:
        partial = port_file.with_name(f"{port_file.name}.partial")
        partial.write_text(endpoint.rpartition(":")[2] + "\n", encoding="ascii")
        partial.replace(port_file)
    sys.stdout.write(f"{endpoint}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
