"""Publish a folder under some interpreter: `python -m tests.hub.publishing REPO FOLDER`; JSON on stdout."""

import json
import os
import sys
from pathlib import Path

import huggingface_hub

from mlxlock.errors import MlxlockError
from mlxlock.hub.endpoint import endpoint_from
from mlxlock.hub.publish import HubPublisher
from mlxlock.ports import Edit
from mlxlock.spec.names import RepoId, RepoPath, Revision

MAIN = Revision("main")


def main(repo_id: str, folder: Path) -> dict[str, object]:
    """Create, look, commit, and look again; or the code of what was refused."""
    repo = RepoId(repo_id)
    publisher = HubPublisher(endpoint_from(os.environ))
    try:
        publisher.create(repo, private=True)
        there = publisher.look(repo, MAIN)
        put = {RepoPath(path.name): path for path in folder.iterdir()}
        edit = Edit(branch=MAIN, parent=there.commit, put=put, removed=(), message="published")
        commit = publisher.commit(repo, edit)
        stale = Edit(branch=MAIN, parent=there.commit, put={}, removed=tuple(put), message="too late")
        refused = ""
        try:
            publisher.commit(repo, stale)
        except MlxlockError as error:
            refused = error.reason
        after = publisher.look(repo, MAIN)
    except MlxlockError as error:
        return {"code": error.code, "huggingface_hub": huggingface_hub.__version__}
    return {
        "huggingface_hub": huggingface_hub.__version__,
        "private": there.private,
        "commit": commit,
        "head": after.commit,
        "files": sorted(file.path for file in after.files),
        "refused": refused,
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))  # noqa: T201 - the answer
