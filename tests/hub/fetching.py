"""Fetches one repo: `python -m tests.hub.fetching ENDPOINT REPO STORE`. A child that a test may kill."""

import sys
from pathlib import Path

from mlxlock.hub.client import HubSource
from mlxlock.hub.endpoint import Endpoint
from mlxlock.store import DirectoryStore
from tests.hub.support import remotes, wanted


def main(endpoint: str, repo: str, store: str) -> None:
    """Resolve, say so on stdout, fetch."""
    source = HubSource(Endpoint(url=endpoint))
    files = remotes(source.resolve(wanted(repo)))
    sys.stdout.write("fetching\n")
    sys.stdout.flush()
    source.fetch(files, DirectoryStore(Path(store)))


if __name__ == "__main__":
    main(*sys.argv[1:])
