"""Resolves under any supported huggingface_hub: `python -m tests.hub.resolving ENDPOINT REPO [RANGE]`.

Prints JSON: what came out, or the error's code. Token and trust come from the environment.
"""

import json
import os
import sys
from importlib.metadata import version

from mlxlock.errors import MlxlockError
from mlxlock.hub.client import HubSource
from mlxlock.hub.endpoint import Endpoint
from mlxlock.ports import Wanted
from mlxlock.spec.names import RepoId


def main(endpoint: str, repo: str, wanted_version: str | None = None) -> None:
    """Resolve once."""
    source = HubSource(Endpoint(url=endpoint, token=os.environ.get("MLXK_ENDPOINT_TOKEN")))
    told: dict[str, object] = {"huggingface_hub": version("huggingface_hub")}
    try:
        found = source.resolve(Wanted(repo=RepoId(repo), version=wanted_version))
    except MlxlockError as problem:
        told["code"] = problem.code
    else:
        told |= {"commit": found.commit, "revision": found.revision, "license": found.license}
        told["files"] = {file.path: [file.etag, file.size_bytes] for file in found.files}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
