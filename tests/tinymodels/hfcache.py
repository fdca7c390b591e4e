"""A Hugging Face cache laid out by hand, so that a model's hidden repos are found without any Hub."""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path


def lay_out_cache(tree: Path, hf_home: Path, repos: Iterable[str]) -> Path:
    """Lay out whole repos as `hub/models--<org>--<name>/{refs/main,snapshots/<commit>/...}`.

    Args:
        tree: What `build` wrote.
        hf_home: The value for `HF_HOME`; made when absent.
        repos: The repo ids to take; each is given a commit that follows from its id.

    Returns:
        `hf_home`.
    """
    (hf_home / "hub").mkdir(parents=True, exist_ok=True)
    for repo in repos:
        commit = hashlib.sha1(repo.encode()).hexdigest()
        root = hf_home / "hub" / f"models--{repo.replace('/', '--')}"
        shutil.copytree(tree / repo, root / "snapshots" / commit)
        if not (tree / repo / "config.json").exists():
            # Offline, a tokenizer's repo without a config loads only when the cache says that there is none.
            (root / ".no_exist" / commit).mkdir(parents=True)
            (root / ".no_exist" / commit / "config.json").touch()
        (root / "refs").mkdir()
        (root / "refs" / "main").write_text(commit)
    return hf_home
