"""Lists the files below a directory in which strangers write: any depth, and no link followed."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path


def files_below(root: Path, *, but: Collection[str] = ()) -> Iterator[str]:
    """Every path that is no directory, relative to `root`; what cannot be listed is passed over.

    Without recursion: `os.walk` recurses before Python 3.12.

    Args:
        root: May be missing.
        but: Names directly in it that are passed over.
    """
    top = os.fspath(root)
    waiting = [top]
    while waiting:
        for entry in _entries(waiting.pop()):
            path = entry.path[len(top) + 1 :]
            if path in but:
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            else:
                yield path


def _entries(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as listing:
            return sorted(listing, key=lambda entry: os.fsencode(entry.name))
    except OSError:
        return []
