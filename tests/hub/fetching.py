"""Fetches one repo: `python -m tests.hub.fetching ENDPOINT REPO STORE [FAREWELL]`; a test may kill it.

FAREWELL is for how many seconds it waits for workers that do not hear of its end, instead of a few: a test
can tell whether it waited then, however slow the machine is.
"""

import sys
from pathlib import Path

from mlxlock.hub import fetch
from mlxlock.hub.client import HubSource
from mlxlock.hub.endpoint import Endpoint
from mlxlock.store import DirectoryStore
from tests.hub.support import remotes, wanted


def main(endpoint: str, repo: str, store: str, farewell_s: str | None = None) -> None:
    """Resolve, say so on stdout, fetch."""
    if farewell_s is not None:
        vars(fetch)["_FAREWELL_S"] = float(farewell_s)
    source = HubSource(Endpoint(url=endpoint))
    files = remotes(source.resolve(wanted(repo)))
    sys.stdout.write("fetching\n")
    sys.stdout.flush()
    source.fetch(files, DirectoryStore(Path(store)))


if __name__ == "__main__":
    main(*sys.argv[1:])
