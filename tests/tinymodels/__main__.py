"""`python -m tests.tinymodels OUT [names...]` builds the tree and prints the repos it made."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.tinymodels import MODELS, build


def main(arguments: Sequence[str]) -> None:
    """Parse the command line and build.

    Args:
        arguments: The command line without the program's name.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.tinymodels", description=__doc__)
    parser.add_argument("out", type=Path, help="root of the Hub-shaped tree")
    parser.add_argument("names", nargs="*", help=f"any of: {', '.join(MODELS)} (default: all)")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - MODELS.keys())
    if unknown:
        parser.error(f"unknown models: {', '.join(unknown)}")
    build(options.out, options.names)
    for name in options.names or MODELS:
        sys.stdout.write(f"{' '.join((MODELS[name].repo, *MODELS[name].needs))}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
